//! Envoy's transcoder before leash's gRPC port, set up as the smoke tests do it.

use std::{path::Path, process::Command};

use super::Server;
use crate::{Outcome, generate::Protocol, process::Process};

/// Where `.ci/tools` has installed Python's packages.
const PYTHON: &str = "tools/python/bin/python";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/transcoder.py");

/// `target` is cargo's.
pub fn before(leash: &Server, target: &Path) -> Outcome<Server> {
    let mut command = Command::new(target.join(PYTHON));
    command
        .arg(SCRIPT)
        .args([
            "--target",
            &leash.address().to_string(),
            "--key",
            &leash.key,
        ])
        .args([
            "--workers",
            &std::thread::available_parallelism()?.to_string(),
        ]);
    Ok(Server {
        name: "envoy".to_owned(),
        process: Process::start(&command)?,
        key: leash.key.clone(),
        protocol: Protocol::Http1,
        data: leash.data.clone(),
    })
}
