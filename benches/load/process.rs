//! Processes that the runner starts, and ends whatever happens.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Sender},
    thread,
    time::{Duration, Instant},
};

use crate::Outcome;

/// What every server prints, with its address, once it takes connections.
const LISTENING: &str = "listening on ";

/// Lines of a running server that are shown: thousands of calls may fail alike.
const COMPLAINTS: u32 = 5;

/// Time to start, and time to stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that runs until this is dropped, with all that it has started.
pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

impl Process {
    /// Starts it and waits for the line that tells where it listens.
    pub fn start(command: &Command) -> Outcome<Self> {
        let mut child = tied(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that what it starts can be ended with it.
            .process_group(0)
            .spawn()?;
        let (sender, lines) = mpsc::channel();
        if let Some(output) = child.stdout.take() {
            watch(output, sender.clone());
        }
        if let Some(output) = child.stderr.take() {
            watch(output, sender);
        }
        let limit = Instant::now() + PATIENCE;
        let mut said = String::new();
        loop {
            let left = limit.saturating_duration_since(Instant::now());
            let Ok(line) = lines.recv_timeout(left) else {
                end(&mut child);
                return Err(format!("{command:?} does not listen; it said:\n{said}").into());
            };
            if let Some(address) = address_in(&line) {
                return Ok(Self { child, address });
            }
            said.push_str(&line);
            said.push('\n');
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// The same command, which also ends when this process is killed.
fn tied(command: &Command) -> Command {
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", "TERM", "--"]);
    tied.arg(command.get_program()).args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        tied.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    tied
}

fn end(child: &mut Child) {
    let group = format!("-{}", child.id());
    let signal = |name: &str| Command::new("kill").args([name, "--", &group]).status();
    let _ = signal("-TERM");
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let _ = signal("-KILL");
    let _ = child.wait();
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(LISTENING)?;
    rest.split_whitespace().next()?.parse().ok()
}

/// Passes lines on, and shows the first of those that nobody waits for any longer, if they are complaints.
fn watch(output: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        let mut shown = 0;
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Err(unheard) = lines.send(line)
                && !unheard.0.contains(" INFO ")
                && shown < COMPLAINTS
            {
                shown += 1;
                eprintln!("{}", unheard.0);
            }
        }
    });
}
