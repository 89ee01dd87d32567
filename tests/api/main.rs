//! The service as its clients see it: every test starts the real server and speaks to it over the wire.

mod support;

mod access;
mod cli;
mod configuration;
mod contract;
mod create;
mod customers;
mod customers_write;
mod database_faults;
mod database_tls;
mod deadlines;
mod distribute;
mod errors;
mod fuzz;
mod get;
mod health;
mod http;
mod limits;
mod list;
mod listener;
mod migrate;
mod openapi;
mod operations;
mod process_faults;
mod promote;
mod property;
mod replica;
mod retries;
mod runtimes;
mod settings;
mod telemetry;
mod together;
mod update;
