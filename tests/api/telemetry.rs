//! What others may watch: logs, metrics and traces, of the program as a process, because they are a process's own.

mod collector;
mod dashboard;
mod logs;
mod metrics;
mod privacy;
mod samples;
mod server;
mod traces;
