//! Settings from flags, the environment and a file, as whoever starts the program meets them.

mod docs;
mod layers;
mod refusals;
mod secrets;

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use crate::support::cli::command;

/// One run of the program in a directory of its own, with settings from wherever a test wants them.
struct Start {
    directory: TempDir,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

/// What a run came to.
#[derive(Debug)]
struct Outcome {
    code: Option<i32>,
    output: String,
    errors: String,
}

fn leash(arguments: &[&str]) -> Start {
    Start {
        directory: tempfile::tempdir().expect("make a directory"),
        arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
        variables: Vec::new(),
    }
}

impl Start {
    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With `--config` and a file that holds `text`.
    fn file(mut self, text: &str) -> Self {
        fs::write(self.path("leash.toml"), text).expect("write the file");
        let flag = ["--config", "leash.toml"];
        self.arguments.extend(flag.map(str::to_owned));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self) -> std::process::Command {
        let arguments: Vec<_> = self.arguments.iter().map(String::as_str).collect();
        let mut command = command(&arguments);
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        command.current_dir(&self.directory).envs(variables);
        command
    }

    fn run(&self) -> Outcome {
        let output = self.command().output().expect("run leash");
        Outcome {
            code: output.status.code(),
            output: String::from_utf8(output.stdout).expect("UTF-8"),
            errors: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

impl Outcome {
    /// The output, of a run that ended well.
    fn fine(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.output
    }

    /// The settings at fault, a line each, of a run that was refused.
    fn refused(self) -> Vec<String> {
        assert_eq!((self.code, self.output.as_str()), (Some(2), ""), "{self:?}");
        let problems = self
            .errors
            .lines()
            .filter_map(|line| line.strip_prefix("  "));
        problems.map(str::to_owned).collect()
    }
}

/// What `leash config` prints of one setting: its value, and where it comes from.
fn in_force(output: &str, name: &str) -> (String, String) {
    let start = format!("{name} = ");
    let mut lines = output.lines().filter_map(|line| line.strip_prefix(&start));
    let line = lines.next().unwrap_or_else(|| panic!("{name} in {output}"));
    assert_eq!(lines.next(), None, "once");
    let (value, source) = line.rsplit_once(" # ").expect("a comment");
    (value.to_owned(), source.to_owned())
}
