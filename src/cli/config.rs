//! `leash config`: what is in force, and what there is to set.

use std::io::{self, Write as _};

use clap::{Arg, Args, Command, CommandFactory as _, Subcommand};
use toml::Value;

use super::{Cli, Outcome};
use crate::config::layers::with_switches;
use crate::config::setting::{Kind, expected_instead, is_list};
use crate::config::{AppConfig, Setting};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Config {
    /// For its flags; what is in force is known with where it comes from.
    #[command(flatten)]
    _server: AppConfig,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Prints every setting there is, as tables in Markdown.
    Reference,
}

impl Config {
    pub fn run(&self, settings: &[Setting]) -> Outcome {
        let text = match self.action {
            Some(Action::Reference) => reference(),
            None => file(settings),
        };
        io::stdout().write_all(text.as_bytes())?;
        Ok(())
    }
}

/// What is in force, as TOML.
fn file(settings: &[Setting]) -> String {
    let concerns = by_concern(settings.iter().map(|setting| (&setting.arg, line(setting))));
    let tables = concerns
        .into_iter()
        .map(|(concern, lines)| format!("# {concern}\n{lines}"));
    tables.collect::<Vec<_>>().join("\n")
}

fn line(setting: &Setting) -> String {
    let (name, source) = (setting.name(), &setting.source);
    let hidden = if setting.has_secret() {
        "; what is secret is hidden"
    } else {
        ""
    };
    match value(setting) {
        Some(value) => format!("{name} = {value} # {source}{hidden}\n"),
        None => format!("# {name} is not set\n"),
    }
}

/// Joins the texts of settings of the same concern, in the order in which the concerns come.
fn by_concern<'a>(texts: impl Iterator<Item = (&'a Arg, String)>) -> Vec<(&'a str, String)> {
    let mut concerns: Vec<(&str, String)> = Vec::new();
    for (arg, text) in texts {
        let concern = arg.get_help_heading().unwrap_or_default();
        match concerns.iter_mut().find(|(name, _)| *name == concern) {
            Some((_, texts)) => texts.push_str(&text),
            None => concerns.push((concern, text)),
        }
    }
    concerns
}

fn value(setting: &Setting) -> Option<Value> {
    let kind = Kind::of(&setting.arg);
    let mut values = setting.shown().map(|text| typed(kind, text));
    if is_list(&setting.arg) {
        let values: Vec<_> = values.collect();
        (!values.is_empty()).then_some(Value::Array(values))
    } else {
        values.next()
    }
}

/// A value that was checked, as its kind is written in a file.
fn typed(kind: Kind, text: String) -> Value {
    let typed = match kind {
        Kind::Switch => Some(Value::Boolean(
            text == "1" || text.eq_ignore_ascii_case("true"),
        )),
        Kind::Whole => text.parse().ok().map(Value::Integer),
        Kind::Number => text.parse().ok().map(Value::Float),
        Kind::Text => None,
    };
    typed.unwrap_or(Value::String(text))
}

/// Every setting there is, as Markdown: a table for each concern.
fn reference() -> String {
    let mut command = with_switches(Cli::command());
    // Options of all commands become options of each.
    command.build();
    let server = command.find_subcommand("serve").into_iter();
    let settings = server
        .flat_map(Command::get_arguments)
        .filter(|arg| Setting::is_defined_by(arg));
    let concerns = by_concern(settings.map(|arg| (arg, row(arg))));
    let head = "| flag | variable | key | default | meaning |\n|---|---|---|---|---|";
    let tables = concerns
        .into_iter()
        .map(|(concern, rows)| format!("### {concern}\n\n{head}\n{rows}"));
    tables.collect::<Vec<_>>().join("\n")
}

fn row(arg: &Arg) -> String {
    let name = arg.get_long().unwrap_or_default();
    let variable = arg.get_env().unwrap_or_default().to_string_lossy();
    let defaults: Vec<_> = arg
        .get_default_values()
        .iter()
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    let default = if defaults.is_empty() {
        "not set".to_owned()
    } else {
        defaults.join(", ")
    };
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help.trim_end_matches('.').replace('|', "\\|");
    let range = match Kind::of(arg) {
        // The parser knows it, and says it of what is no number.
        Kind::Whole => expected_instead(arg, "?".as_ref()),
        Kind::Switch | Kind::Number | Kind::Text => None,
    };
    let range = range.map_or(String::new(), |range| format!(" Takes {range}."));
    format!("| `{arg}` | `{variable}` | `{name}` | {default} | {help}.{range} |\n")
}
