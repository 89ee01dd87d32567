use std::fmt;

/// Why a setting cannot be used, together with others or alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The long name of the flag at fault, without hyphens before it.
    pub setting: &'static str,
    /// The settings that it does not go with, as they are.
    pub beside: &'static [&'static str],
    /// What is wrong and what would help, without the value of a secret.
    pub reason: String,
}

impl Problem {
    pub fn new(
        setting: &'static str,
        beside: &'static [&'static str],
        reason: impl Into<String>,
    ) -> Self {
        Self {
            setting,
            beside,
            reason: reason.into(),
        }
    }
}

/// All that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { "; " };
            write!(f, "{separator}--{} {}", problem.setting, problem.reason)?;
        }
        Ok(())
    }
}
