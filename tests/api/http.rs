//! The JSON front over a real socket. The numbers in comments are the rows of the contract's table of HTTP cases.

mod bodies;
mod browsers;
pub mod client;
mod errors;
mod fuzz;
mod gzip;
mod headers;
mod integrations;
mod pages;
mod paths;
mod protocols;
