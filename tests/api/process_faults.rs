//! The program as a process: killed, out of room, restarted under load, and busy for long.

mod disk;
mod kill;
mod migrate;
mod replicas;
mod retry;
mod soak;
