//! leash serves leads and customers of pet-care businesses over gRPC and, on the same port, as JSON over HTTP.
//!
//! Imports point downward only: `main -> cli -> app -> http -> grpc -> repository -> domain -> error`. `pb` is imported by
//! `grpc` and `http` alone, `sea_orm` by `repository` alone, `tonic` by `grpc`, `http` and `app` alone. `telemetry`, `task`
//! and `runtime` know none of these, so that any of them may use them.

#![deny(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

pub mod app;
pub mod cli;
pub mod config;
pub mod domain;
pub mod error;
pub mod grpc;
pub mod http;
pub mod pb;
pub mod repository;
pub mod runtime;
pub mod task;
pub mod telemetry;
