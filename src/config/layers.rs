//! How the layers are put together: flags, then variables, then the file, then defaults.
//!
//! The definitions of the command line are those of all layers. Flags and variables are clap's own; what the file says
//! becomes the default of its flag. clap stops at the first wrong value, so the line is first read with parsers that take
//! any value, each value is tried by itself, and only a line without a wrong one is read for good.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ContextValue;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args as _, Command, FromArgMatches as _};

use super::file::File;
use super::secret::without_secrets;
use super::setting::{Setting, Source};
use super::value::switch;
use super::{AppConfig, Problems};

/// What was asked for, and with which settings.
pub struct Reading {
    pub matches: ArgMatches,
    /// All that the command takes, in the order of their definitions.
    pub settings: Vec<Setting>,
}

/// Why nothing is run.
pub enum Refusal {
    /// The line is not one of the program's, or asks for help.
    Usage(clap::Error),
    /// Every setting that cannot be used.
    Settings(Vec<String>),
}

impl Refusal {
    /// Says it and ends the process: with 2, or with 0 after help that was asked for.
    pub fn exit(&self) -> ! {
        match self {
            Self::Usage(error) => error.exit(),
            Self::Settings(_) => {
                eprint!("{self}");
                std::process::exit(2)
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => error.fmt(f),
            Self::Settings(problems) => {
                f.write_str("error: these settings cannot be used:\n")?;
                for problem in problems {
                    writeln!(f, "  {problem}")?;
                }
                f.write_str("\nFor more information, try '--help'.\n")
            }
        }
    }
}

/// Reads the command line, of which the first word is the program, with its variables and its file.
pub fn read(command: Command, arguments: &[OsString]) -> Result<Reading, Refusal> {
    let usage = |error| Refusal::Usage(hide_secrets(error));
    let command = with_switches(command);
    let matches = lenient(command.clone())
        .try_get_matches_from(arguments)
        .map_err(usage)?;
    let file = match matches.get_raw("config").and_then(|mut paths| paths.next()) {
        Some(path) => File::read(Path::new(path), &command),
        None => File::none(),
    };
    let settings = in_force(&command, &matches, &file);
    let problems = problems(&settings, &file);
    if !problems.is_empty() {
        return Err(Refusal::Settings(problems));
    }
    let matches = with_defaults(command, &file)
        .try_get_matches_from(arguments)
        .map_err(usage)?;
    Ok(Reading { matches, settings })
}

/// The same commands, whose switches may be turned off as well: what a variable or a file turned on, a flag has to be able
/// to turn off. Left alone, clap would take nothing behind the flag, and `true` and `false` alone from a variable.
pub fn with_switches(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
        if !is_switch || !Setting::is_defined_by(&arg) {
            return arg;
        }
        arg.action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .value_name("BOOL")
            .value_parser(switch)
            .default_missing_value("true")
            .default_value("false")
    });
    command.mut_subcommands(with_switches)
}

/// The same commands, whose settings take any value.
fn lenient(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        if !Setting::is_defined_by(&arg) {
            return arg;
        }
        let possible = arg.get_possible_values();
        arg.value_parser(AnyValue { possible })
    });
    command.mut_subcommands(lenient)
}

/// Takes any value, and has the help of the parser whose place it takes.
#[derive(Clone)]
struct AnyValue {
    possible: Vec<PossibleValue>,
}

impl TypedValueParser for AnyValue {
    type Value = OsString;

    fn parse_ref(
        &self,
        _: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        Ok(value.to_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        if self.possible.is_empty() {
            None
        } else {
            Some(Box::new(self.possible.iter().cloned()))
        }
    }
}

/// The same commands, whose settings have what the file says as their defaults.
fn with_defaults(command: Command, file: &File) -> Command {
    let command = command.mut_args(|arg| match file.values(&arg) {
        Some(values) => {
            let values = values.to_vec();
            arg.default_values(values)
        }
        None => arg,
    });
    command.mut_subcommands(|command| with_defaults(command, file))
}

/// What the command on the line takes, and the commands around it, with the values in force.
fn in_force(command: &Command, matches: &ArgMatches, file: &File) -> Vec<Setting> {
    let mut settings = Vec::new();
    if let Some((name, matches)) = matches.subcommand()
        && let Some(command) = command.find_subcommand(name)
    {
        settings.extend(in_force(command, matches, file));
    }
    let args = command
        .get_arguments()
        .filter(|arg| Setting::is_defined_by(arg));
    settings.extend(args.map(|arg| setting(arg, matches, file)));
    settings
}

fn setting(arg: &Arg, matches: &ArgMatches, file: &File) -> Setting {
    let id = arg.get_id().as_str();
    let source = match (matches.value_source(id), arg.get_env()) {
        (Some(ValueSource::CommandLine), _) => Source::CommandLine,
        (Some(ValueSource::EnvVariable), Some(variable)) => {
            Source::Environment(variable.to_string_lossy().into_owned())
        }
        _ => file.source(arg).unwrap_or(Source::Default),
    };
    let values = match file.values(arg) {
        Some(values) if matches!(source, Source::File { .. }) => {
            let delimiter = arg.get_value_delimiter();
            let values = values.iter().flat_map(|value| match delimiter {
                Some(delimiter) => value.split(delimiter).map(OsString::from).collect(),
                None => vec![OsString::from(value)],
            });
            values.collect()
        }
        _ => {
            let values = matches.get_raw(id).unwrap_or_default();
            values.map(OsStr::to_owned).collect()
        }
    };
    Setting {
        arg: arg.clone(),
        values,
        source,
    }
}

/// All that is wrong, each with where it comes from.
fn problems(settings: &[Setting], file: &File) -> Vec<String> {
    let mut problems = file.problems.clone();
    let mut wrong: Vec<_> = file.wrong.iter().map(String::as_str).collect();
    for setting in settings {
        for reason in setting.wrong_values() {
            problems.push(describe(setting, &reason));
            wrong.push(setting.name());
        }
    }
    // Of settings that cannot be read, nothing can be said together.
    if !file.is_read {
        return problems;
    }
    let usable: Vec<_> = settings
        .iter()
        .filter(|setting| !wrong.contains(&setting.name()))
        .collect();
    match together(&usable) {
        Ok(Ok(())) => {}
        Ok(Err(Problems(found))) => {
            let told = found.iter().filter(|problem| {
                let mut involved = problem.beside.iter().chain([&problem.setting]);
                !involved.any(|name| wrong.contains(name))
            });
            for problem in told {
                let setting = settings
                    .iter()
                    .find(|setting| setting.name() == problem.setting);
                problems.push(match setting {
                    Some(setting) => describe(setting, &problem.reason),
                    None => format!("--{} {}", problem.setting, problem.reason),
                });
            }
        }
        // Every value was read by itself, so this does not happen; if it does, nothing is started.
        Err(error) => problems.push(hide_secrets(error).to_string()),
    }
    problems
}

fn describe(setting: &Setting, reason: &str) -> String {
    format!("--{} ({}) {reason}", setting.name(), setting.source)
}

/// Checks settings as those of a server that has defaults for the others.
fn together(settings: &[&Setting]) -> Result<Result<(), Problems>, clap::Error> {
    let command = AppConfig::augment_args(Command::new("leash").no_binary_name(true));
    let command = with_switches(command).mut_args(|arg| arg.env(None::<&str>));
    let known: Vec<_> = command
        .get_arguments()
        .filter_map(|arg| arg.get_long().map(str::to_owned))
        .collect();
    let mut flags = Vec::new();
    let given = settings.iter().filter(|setting| {
        setting.source != Source::Default && known.iter().any(|name| name == setting.name())
    });
    for setting in given {
        for value in &setting.values {
            let mut flag = OsString::from(format!("--{}=", setting.name()));
            flag.push(value);
            flags.push(flag);
        }
    }
    let matches = command.try_get_matches_from(flags)?;
    Ok(AppConfig::from_arg_matches(&matches)?.check())
}

/// Errors of usage repeat words of the line, of which one may be a URL that lost its flag.
fn hide_secrets(mut error: clap::Error) -> clap::Error {
    let is_url = |text: &str| text.contains("://");
    let mut safe = Vec::new();
    let mut unsafe_hints = Vec::new();
    for (kind, value) in error.context() {
        match value {
            ContextValue::String(text) if is_url(text) => {
                safe.push((kind, ContextValue::String(without_secrets(text))));
            }
            ContextValue::Strings(texts) if texts.iter().any(|text| is_url(text)) => {
                let texts = texts.iter().map(|text| without_secrets(text)).collect();
                safe.push((kind, ContextValue::Strings(texts)));
            }
            ContextValue::StyledStr(text) if is_url(&text.to_string()) => unsafe_hints.push(kind),
            ContextValue::StyledStrs(texts)
                if texts.iter().any(|text| is_url(&text.to_string())) =>
            {
                unsafe_hints.push(kind);
            }
            _ => {}
        }
    }
    for (kind, value) in safe {
        error.insert(kind, value);
    }
    for kind in unsafe_hints {
        error.remove(kind);
    }
    error
}
