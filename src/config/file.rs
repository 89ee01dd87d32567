//! The file: TOML in which a key, with the names of the tables around it, is the long name of a flag.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Arg, Command};
use toml::de::{DeTable, DeValue};

use super::setting::{Kind, Setting, Source, is_list};

/// What a file says of the settings.
pub struct File {
    path: PathBuf,
    entries: BTreeMap<String, Entry>,
    /// What is wrong with it, in the order of its lines.
    pub problems: Vec<String>,
    /// The names of settings whose value is not of their kind.
    pub wrong: Vec<String>,
    /// Whether every key was seen.
    pub is_read: bool,
}

struct Entry {
    /// As it is written.
    key: String,
    line: usize,
    values: Vec<String>,
}

impl File {
    /// No file, which says nothing.
    pub fn none() -> Self {
        Self {
            path: PathBuf::new(),
            entries: BTreeMap::new(),
            problems: Vec::new(),
            wrong: Vec::new(),
            is_read: true,
        }
    }

    /// Reads a file for any of the commands under `command`: one file serves all of them.
    pub fn read(path: &Path, command: &Command) -> Self {
        let mut file = Self {
            path: path.to_owned(),
            is_read: false,
            ..Self::none()
        };
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                let reason = format!("--config {path:?} cannot be read: {error}");
                file.problems.push(reason);
                return file;
            }
        };
        let line_of = |position: usize| {
            let before = text.as_bytes().iter().take(position);
            before.filter(|byte| **byte == b'\n').count() + 1
        };
        let table = match DeTable::parse(&text) {
            Ok(table) => table.into_inner(),
            Err(error) => {
                // Not with the line itself, which may hold a password.
                let line = error.span().map_or(1, |span| line_of(span.start));
                let reason = error.message().trim_end();
                file.problems
                    .push(format!("{shown}, line {line}: {reason}"));
                return file;
            }
        };
        let mut problems = Vec::new();
        for (key, value) in keys(&table, &[]) {
            let line = line_of(value.position);
            if let Err(reason) = file.take(&key, line, value.value, command) {
                file.wrong.push(name(&key));
                let key = key.join(".");
                problems.push((line, format!("{shown}, line {line}: {key:?} {reason}")));
            }
        }
        problems.sort();
        file.problems = problems.into_iter().map(|(_, problem)| problem).collect();
        file.is_read = true;
        file
    }

    /// The values for a definition, where the file has any.
    pub fn values(&self, arg: &Arg) -> Option<&[String]> {
        self.entry(arg).map(|entry| entry.values.as_slice())
    }

    pub fn source(&self, arg: &Arg) -> Option<Source> {
        self.entry(arg).map(|entry| Source::File {
            key: entry.key.clone(),
            path: self.path.clone(),
            line: entry.line,
        })
    }

    fn entry(&self, arg: &Arg) -> Option<&Entry> {
        if Setting::is_defined_by(arg) {
            self.entries.get(arg.get_long()?)
        } else {
            None
        }
    }

    fn take(
        &mut self,
        key: &[&str],
        line: usize,
        value: &DeValue<'_>,
        command: &Command,
    ) -> Result<(), String> {
        let name = name(key);
        let arg = find(command, &name).ok_or("is no setting")?;
        let entry = Entry {
            key: key.join("."),
            line,
            values: texts(value, arg)?,
        };
        if let Some(other) = self.entries.get(&name) {
            let (key, line) = (&other.key, other.line);
            return Err(format!(
                "is the same setting as {key:?} in line {line}: give it once"
            ));
        }
        self.entries.insert(name, entry);
        Ok(())
    }
}

/// The long name of the flag that a key stands for.
fn name(key: &[&str]) -> String {
    key.join("-").replace('_', "-")
}

/// A value, and where its key begins in the file.
struct Placed<'a> {
    value: &'a DeValue<'a>,
    position: usize,
}

/// Every value that is no table, with the names that lead to it.
fn keys<'a>(table: &'a DeTable<'a>, around: &[&'a str]) -> Vec<(Vec<&'a str>, Placed<'a>)> {
    let mut found = Vec::new();
    for (name, value) in table {
        let key = [around, &[name.get_ref().as_ref()]].concat();
        if let DeValue::Table(inner) = value.get_ref() {
            found.extend(keys(inner, &key));
        } else {
            let placed = Placed {
                value: value.get_ref(),
                position: name.span().start,
            };
            found.push((key, placed));
        }
    }
    found.sort_by_key(|(_, placed)| placed.position);
    found
}

/// The definition of a setting, by its long name.
fn find<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let mut args = command.get_arguments();
    args.find(|arg| Setting::is_defined_by(arg) && arg.get_long() == Some(name))
        .or_else(|| {
            command
                .get_subcommands()
                .find_map(|command| find(command, name))
        })
}

/// A value as the command line would have it: the flag's parser reads both.
fn texts(value: &DeValue<'_>, arg: &Arg) -> Result<Vec<String>, String> {
    let kind = Kind::of(arg);
    match value {
        DeValue::Array(values) if is_list(arg) => values
            .iter()
            .map(|value| text(value.get_ref(), kind).ok_or(format!("must be a list of {kind}")))
            .collect(),
        value => match text(value, kind) {
            Some(text) => Ok(vec![text]),
            None if is_list(arg) => Err(format!("must be {kind}, or a list of that")),
            None => Err(format!("must be {kind}")),
        },
    }
}

fn text(value: &DeValue<'_>, kind: Kind) -> Option<String> {
    match (kind, value) {
        (Kind::Switch, DeValue::Boolean(is_on)) => Some(is_on.to_string()),
        (Kind::Whole | Kind::Number, DeValue::Integer(number)) => {
            let whole = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
            Some(whole.to_string())
        }
        (Kind::Number, DeValue::Float(number)) => Some(number.as_str().to_owned()),
        (Kind::Text, DeValue::String(text)) => Some(text.to_string()),
        _ => None,
    }
}
