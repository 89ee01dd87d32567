//! One setting, as the definitions of the command line have it.

use std::any::TypeId;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

use super::secret::without_secrets;

/// What a file writes a value as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Switch,
    /// A number without a fraction.
    Whole,
    /// A number.
    Number,
    /// Everything else, in quotes.
    Text,
}

impl Kind {
    pub fn of(arg: &Arg) -> Self {
        let r#type = arg.get_value_parser().type_id();
        let whole = [
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
        ];
        if r#type == TypeId::of::<bool>() {
            Self::Switch
        } else if whole.iter().any(|whole| r#type == *whole) {
            Self::Whole
        } else if r#type == TypeId::of::<f64>() {
            Self::Number
        } else {
            Self::Text
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Switch => "true or false, without quotes",
            Self::Whole => "a whole number, without quotes",
            Self::Number => "a number, without quotes",
            Self::Text => "text in quotes",
        })
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Default,
    File {
        /// The key as it is written there, such as `database.url`.
        key: String,
        path: PathBuf,
        line: usize,
    },
    Environment(String),
    CommandLine,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { key, path, line } => {
                let (key, path) = (key.escape_debug(), path.to_string_lossy());
                write!(f, "{key} in {}, line {line}", path.escape_debug())
            }
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::CommandLine => f.write_str("command line"),
        }
    }
}

/// A setting and what is in force for it.
pub struct Setting {
    /// Its definition.
    pub arg: Arg,
    /// As they were given; none if it is not set.
    pub values: Vec<OsString>,
    pub source: Source,
}

impl Setting {
    /// Whether a definition is that of a setting: those that have a variable can be set everywhere else as well. `--config`
    /// itself is none.
    pub fn is_defined_by(arg: &Arg) -> bool {
        arg.get_env().is_some() && arg.get_id() != "config"
    }

    /// The flag's long name, without hyphens before it, which is the key as well.
    pub fn name(&self) -> &str {
        self.arg.get_long().unwrap_or_default()
    }

    /// The values, without what is secret in them.
    pub fn shown(&self) -> impl Iterator<Item = String> {
        self.values.iter().map(|value| self.shown_value(value))
    }

    fn shown_value(&self, value: &OsStr) -> String {
        let value = value.to_string_lossy();
        // A URL may stand where it does not belong.
        if self.is_secret() || value.contains("://") {
            without_secrets(&value)
        } else {
            value.into_owned()
        }
    }

    /// Whether `shown` leaves something out.
    pub fn has_secret(&self) -> bool {
        let values = self.values.iter().map(|value| value.to_string_lossy());
        !values.eq(self.shown())
    }

    /// Why values cannot be used by themselves; nothing of a secret is repeated.
    pub(super) fn wrong_values(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for value in &self.values {
            if let Some(expected) = expected_instead(&self.arg, value) {
                let found = if self.is_secret() {
                    String::new()
                } else {
                    format!(", and is {:?}", self.shown_value(value))
                };
                reasons.push(format!("must be {expected}{found}"));
            }
        }
        reasons
    }

    fn is_secret(&self) -> bool {
        self.arg.is_hide_env_values_set()
    }
}

/// Whether a setting may have several values.
pub fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// What the setting's own parser expects instead of `value`; nothing if that is fine.
pub fn expected_instead(arg: &Arg, value: &OsStr) -> Option<String> {
    let mut flag = OsString::from(format!("--{}=", arg.get_long()?));
    flag.push(value);
    let error = Command::new("leash")
        .no_binary_name(true)
        .arg(arg.clone())
        .try_get_matches_from([flag])
        .err()?;
    if let Some(cause) = error.source() {
        return Some(cause.to_string());
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => {
            Some(format!("one of {}", values.join(", ")))
        }
        _ if value.is_empty() => Some("something, and not empty".to_owned()),
        _ => Some("text in UTF-8".to_owned()),
    }
}
