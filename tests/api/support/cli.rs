//! The `leash` program.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// What a run of the program came to.
#[derive(Debug)]
pub struct Run {
    pub succeeded: bool,
    pub output: String,
    pub errors: String,
}

/// The program with `arguments`, in an environment without settings.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leash"));
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("LEASH_") || name == "RUST_LOG")
    {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn leash(database_url: &str, arguments: &[&str]) -> Run {
    let output = command(arguments)
        .args(["--database-url", database_url])
        .output()
        .expect("run leash");
    Run {
        succeeded: output.status.success(),
        output: String::from_utf8(output.stdout).expect("UTF-8"),
        errors: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A run of the program that goes on until this is dropped.
pub struct Running {
    child: Child,
    lines: mpsc::Receiver<String>,
    /// All that was said so far, on both streams.
    pub said: String,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start leash");
        let (sender, lines) = mpsc::channel();
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("a pipe")),
            Box::new(child.stderr.take().expect("a pipe")),
        ];
        for stream in streams {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self {
            child,
            lines,
            said: String::new(),
        }
    }

    /// Waits until the program has said `words`, and for at most a few seconds.
    pub fn wait_for(&mut self, words: &str) {
        self.wait_for_times(words, 1);
    }

    /// Waits until the program has said `words` so many times, and for at most a few seconds.
    pub fn wait_for_times(&mut self, words: &str, times: usize) {
        let limit = Instant::now() + Duration::from_secs(20);
        while self.said.matches(words).count() < times {
            let left = limit.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line =
                line.unwrap_or_else(|_| panic!("{words:?} was never said, but: {}", self.said));
            self.said.push_str(&line);
            self.said.push('\n');
        }
    }

    /// The address that it said it listens on.
    pub fn address(&mut self) -> SocketAddr {
        self.wait_for("listening on ");
        let (_, rest) = self.said.split_once("listening on ").expect("the address");
        let address = rest.split_whitespace().next().expect("the address");
        address.parse().expect("an address")
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would: it gets no chance to do anything about it.
    pub fn kill(mut self) {
        self.child.kill().expect("kill leash");
        self.child.wait().expect("wait for leash");
    }

    /// Sends it `TERM`, or another of the signals that `kill` knows.
    pub fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let asked = Command::new("kill").args(["-s", name, &id]).status();
        assert!(asked.expect("run kill").success());
    }

    /// Waits until it has ended by itself, and for at most a minute.
    pub fn wait(&mut self) -> ExitStatus {
        let limit = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some(status) = self.child.try_wait().expect("wait for leash") {
                return status;
            }
            assert!(Instant::now() < limit, "leash goes on: {}", self.said);
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
