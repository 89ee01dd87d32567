//! The service as its clients see it: every test starts the real server and speaks to it over the wire.

mod support;

mod access;
mod cli;
mod contract;
mod create;
mod customers;
mod customers_write;
mod errors;
mod fuzz;
mod get;
mod health;
mod http;
mod limits;
mod list;
mod migrate;
mod openapi;
mod promote;
mod property;
mod settings;
mod update;
