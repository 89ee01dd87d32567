//! `leash demo` as somebody else's client sees it: the scripts of `tests/smoke` against the program
//! itself. `just tools` installs what they need; a test whose tools are missing says so, or fails in CI.

use std::{
    env,
    ffi::OsString,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Sender},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

#[expect(dead_code, reason = "the tests of the API use the rest of it")]
#[path = "api/support/postgres.rs"]
mod postgres;

/// What the demo's key always is.
const KEY: &str = "leash-demo-key";

/// Time to start, and time to stop, on a slow and busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

#[test]
fn a_python_client_that_uses_only_reflection_is_served() {
    let modules = "import grpc, grpc_status, google.rpc.error_details_pb2, grpc_health.v1.health, \
        grpc_reflection.v1alpha.proto_reflection_descriptor_database";
    if !is_there(tool("python3").args(["-c", modules])) {
        return not_run("Python with tests/smoke/requirements.txt");
    }
    let demo = Demo::start();
    run(tool("python3")
        .arg(repository().join("tests/smoke/reflection.py"))
        .args(["--target", &demo.address, "--key", KEY, "--examples"])
        .arg(examples()));
    demo.stop();
}

#[test]
fn envoys_transcoder_answers_as_the_http_front_does() {
    let modules =
        "import envoy, google.api.annotations_pb2, grpc, grpc_reflection.v1alpha.reflection_pb2";
    if !is_there(tool("python3").args(["-c", modules])) {
        return not_run("Python with tests/smoke/requirements.txt");
    }
    let demo = Demo::start();
    run(tool("python3")
        .arg(repository().join("tests/smoke/envoy"))
        .args(["--target", &demo.address, "--key", KEY, "--examples"])
        .arg(examples()));
    demo.stop();
}

#[test]
fn grpcurl_is_served() {
    if !is_there(tool("grpcurl").arg("-version")) {
        return not_run("grpcurl");
    }
    let demo = Demo::start();
    run(tool("bash")
        .arg(repository().join("tests/smoke/grpcurl.sh"))
        .args([&demo.address, KEY])
        .arg(examples()));
    demo.stop();
}

#[test]
fn what_integrations_send_with_python_requests_is_served() {
    if !is_there(tool("python3").args(["-c", "import requests"])) {
        return not_run("Python with tests/smoke/requirements.txt");
    }
    let demo = Demo::start();
    run(tool("python3")
        .arg(repository().join("tests/smoke/integrations.py"))
        .args(["--target", &demo.address, "--key", KEY, "--examples"])
        .arg(examples()));
    demo.stop();
}

#[test]
fn what_integrations_send_with_fetch_is_served() {
    // Since version 18 without a flag.
    if !is_there(tool("node").args(["--eval", "fetch"])) {
        return not_run("Node with fetch");
    }
    let demo = Demo::start();
    run(tool("node")
        .arg(repository().join("tests/smoke/integrations.mjs"))
        .args([&demo.address, KEY])
        .arg(examples()));
    demo.stop();
}

#[test]
fn the_description_is_valid_and_kept_to() {
    let modules = "import openapi_schema_validator, openapi_spec_validator, referencing";
    if !is_there(tool("python3").args(["-c", modules])) {
        return not_run("Python with tests/smoke/requirements.txt");
    }
    let demo = Demo::start();
    run(tool("python3")
        .arg(repository().join("tests/smoke/openapi.py"))
        .args(["--target", &demo.address, "--key", KEY]));
    demo.stop();
}

#[test]
fn the_page_works_in_a_browser() {
    let modules = tools().join("node_modules");
    let is_installed = modules.join("playwright-core").exists();
    if !is_installed || !is_there(tool("chromium").arg("--version")) {
        return not_run("Chromium, or Node with tests/smoke/package.json,");
    }
    let demo = Demo::start();
    run(tool("node")
        .arg(repository().join("tests/smoke/docs.mjs"))
        .args([&demo.address, KEY])
        .arg(modules));
    demo.stop();
}

#[test]
fn what_is_deployed_is_valid_and_of_one_mind() {
    let python = is_there(tool("python3").args(["-c", "import envoy, kubernetes_validate, yaml"]));
    let compose = is_there(tool("compose-spec").arg("-help"));
    if !python || !compose || !is_there(tool("kustomize").arg("version")) {
        return not_run("kustomize, compose-spec, or Python with tests/smoke/requirements.txt,");
    }
    run(tool("python3")
        .arg(repository().join("tests/smoke/deploy.py"))
        .args(["--leash", env!("CARGO_BIN_EXE_leash"), "--repository"])
        .arg(repository()));
}

#[test]
fn replicas_behind_envoy_restart_and_no_call_fails() {
    let modules = "import envoy, grpc, grpc_reflection.v1alpha, requests, yaml";
    if !is_there(tool("python3").args(["-c", modules])) {
        return not_run("Python with tests/smoke/requirements.txt");
    }
    let Some(cluster) = postgres::cluster() else {
        return;
    };
    run(tool("python3")
        .arg(repository().join("tests/smoke/balance.py"))
        .args(["--leash", env!("CARGO_BIN_EXE_leash"), "--database-url"])
        .arg(cluster.database_url("postgres"))
        .arg("--config")
        .arg(repository().join("deploy/envoy.yaml")));
}

/// Where `.ci/tools` installs what it installs.
fn tools() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tools")
}

/// A `leash demo` on a port and a database of its own.
struct Demo {
    process: Child,
    address: String,
    _directory: TempDir,
}

impl Demo {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory for the database");
        let database = format!("sqlite://{}/demo.db", directory.path().display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_leash"));
        for (name, _) in env::vars_os().filter(|(name, _)| is_ours(name)) {
            command.env_remove(name);
        }
        let mut process = command
            .args([
                "demo",
                "--listen",
                "127.0.0.1:0",
                "--database-url",
                &database,
            ])
            .current_dir(&directory)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start leash demo");

        let (sender, addresses) = mpsc::channel();
        watch(process.stdout.take().expect("its output"), sender.clone());
        watch(process.stderr.take().expect("its log"), sender);
        let mut demo = Self {
            process,
            address: String::new(),
            _directory: directory,
        };
        demo.address = addresses
            .recv_timeout(PATIENCE)
            .expect("a line `listening on 127.0.0.1:PORT`");
        demo
    }

    /// Asks it to stop, as a service manager does, and expects it to end well.
    fn stop(mut self) {
        let pid = self.process.id().to_string();
        run(Command::new("sh").args(["-c", "kill -TERM $0", &pid]));
        let status = self.wait().expect("leash stops when it is told to");
        assert!(status.success(), "leash demo ended with {status}");
    }

    fn wait(&mut self) -> Option<ExitStatus> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.process.try_wait().expect("wait for leash demo") {
                return Some(status);
            }
            thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It is gone already unless the test failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_ours(name: &OsString) -> bool {
    name.to_string_lossy().starts_with("LEASH_")
}

/// Repeats what the demo says, which shows when the test fails, and sends on the address it is listening on.
fn watch(output: impl Read + Send + 'static, addresses: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            println!("{line}");
            if let Some((_, rest)) = line.split_once("listening on 127.0.0.1:") {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                // Nobody waits for a second one.
                let _ = addresses.send(format!("127.0.0.1:{port}"));
            }
        }
    });
}

/// A command from the path, or from where `.ci/tools` installs them.
fn tool(name: &str) -> Command {
    let installed = tools();
    let mut places = vec![installed.join("python/bin"), installed];
    places.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));

    let program = places
        .iter()
        .map(|place| place.join(name))
        .find(|program| program.exists());
    let mut command = Command::new(program.unwrap_or_else(|| name.into()));
    command.env("PATH", env::join_paths(&places).expect("a path"));
    command
}

fn is_there(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn not_run(missing: &str) {
    let message = format!("not run: {missing} is not on this machine; see `just tools`");
    assert!(env::var_os("CI").is_none(), "{message}");
    // Not `eprintln!`, which the test harness keeps to itself when a test passes.
    let _ = writeln!(io::stderr(), "{message}");
}

fn run(command: &mut Command) {
    let output = command.output().expect("run the command");
    let said = [output.stdout, output.stderr].concat();
    println!("{}", String::from_utf8_lossy(&said));
    assert!(
        output.status.success(),
        "{command:?} ended with {}",
        output.status
    );
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn examples() -> PathBuf {
    repository().join("tests/examples")
}
