//! The port: connections and their limits, TLS, and how a server stops.

mod certificates;
mod connections;
mod drain;
mod headers;
mod peers;
mod process;
mod tls;
