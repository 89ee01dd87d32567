//! PostgreSQL's log, as `log_line_prefix = '%p '` and `log_statement = 'all'` make it.

use std::{fs, path::PathBuf, thread, time::Duration};

use crate::{Outcome, runner::databases::Databases};

/// How long PostgreSQL may take to write down what it has done.
const DELAY: Duration = Duration::from_millis(300);

/// A statement and its parameters, `None` for NULL.
#[derive(Debug)]
pub struct Statement {
    pub text: String,
    pub parameters: Vec<Option<String>>,
}

pub struct Log {
    file: PathBuf,
    /// Where what is looked for begins.
    from: usize,
}

impl Log {
    pub fn of(databases: &Databases) -> Self {
        Self {
            file: databases.cluster_directory().join("data/log"),
            from: 0,
        }
    }

    /// Passes over what is there already.
    pub fn skip(&mut self) -> Outcome {
        thread::sleep(DELAY);
        self.from = fs::read_to_string(&self.file)?.len();
        Ok(())
    }

    /// The statements since then, of the sessions that did the work.
    ///
    /// leash asks after its database's health now and then, on a connection that does nothing else: that one is left out.
    pub fn statements(&self) -> Outcome<Vec<Statement>> {
        thread::sleep(DELAY);
        let text = fs::read_to_string(&self.file)?;
        let entries = entries(text.get(self.from..).unwrap_or_default());
        let workers: Vec<String> = entries
            .iter()
            .filter(|entry| entry.is_of_leads())
            .map(|entry| entry.pid.clone())
            .collect();
        if workers.is_empty() {
            return Err("PostgreSQL has noted no statement on leads".into());
        }
        let mut statements: Vec<Statement> = Vec::new();
        for entry in entries.iter().filter(|entry| workers.contains(&entry.pid)) {
            if let Some(text) = entry.statement() {
                statements.push(Statement {
                    text: text.trim_end_matches(';').to_owned(),
                    parameters: Vec::new(),
                });
            } else if let (Some(last), Some(parameters)) =
                (statements.last_mut(), entry.parameters())
            {
                last.parameters = parameters;
            }
        }
        Ok(statements)
    }
}

struct Entry {
    pid: String,
    text: String,
}

/// A line that goes on begins with a tab.
fn entries(log: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for line in log.lines() {
        if let (Some(more), Some(last)) = (line.strip_prefix('\t'), entries.last_mut()) {
            last.text.push('\n');
            last.text.push_str(more);
        } else if let Some((pid, text)) = line.split_once(' ') {
            entries.push(Entry {
                pid: pid.to_owned(),
                text: text.to_owned(),
            });
        }
    }
    entries
}

impl Entry {
    /// Whether it names one of the tables as a word.
    fn is_of_leads(&self) -> bool {
        let no_letter = |letter: char| !letter.is_alphanumeric() && letter != '_';
        let words = self.statement().unwrap_or_default().split(no_letter);
        words
            .into_iter()
            .any(|word| word == "lead" || word == "pet")
    }

    fn statement(&self) -> Option<&str> {
        let text = self.text.trim_start().strip_prefix("LOG:")?.trim_start();
        if let Some(simple) = text.strip_prefix("statement: ") {
            return Some(simple);
        }
        // `execute NAME: TEXT`
        let (_, text) = text.strip_prefix("execute ")?.split_once(": ")?;
        Some(text)
    }

    fn parameters(&self) -> Option<Vec<Option<String>>> {
        let text = self.text.trim_start().strip_prefix("DETAIL:")?.trim_start();
        let (word, list) = text.split_once(": ")?;
        word.eq_ignore_ascii_case("parameters").then(|| parse(list))
    }
}

/// `$1 = 'a', $2 = NULL, $3 = 'it''s'`
fn parse(list: &str) -> Vec<Option<String>> {
    let mut parameters = Vec::new();
    let mut rest = list;
    while let Some((_, after)) = rest.split_once(" = ") {
        let Some(quoted) = after.strip_prefix('\'') else {
            parameters.push(None);
            rest = after.split_once(", ").map_or("", |(_, rest)| rest);
            continue;
        };
        let mut value = String::new();
        let mut letters = quoted.char_indices().peekable();
        let mut end = quoted.len();
        while let Some((place, letter)) = letters.next() {
            // A quote within is doubled.
            if letter == '\'' && letters.next_if(|(_, next)| *next == '\'').is_none() {
                end = place + 1;
                break;
            }
            value.push(letter);
        }
        parameters.push(Some(value));
        rest = quoted.get(end..).unwrap_or_default();
    }
    parameters
}
