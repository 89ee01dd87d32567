use std::fmt;

use clap::Args;

use super::Period;

/// Where the data is.
#[derive(Clone, Args)]
pub struct DatabaseConfig {
    /// `sqlite://FILE` for the embedded database, `postgres://USER:PASSWORD@HOST/NAME` for a server.
    #[arg(
        id = "database-url",
        long = "database-url",
        value_name = "URL",
        env = "LEASH_DATABASE_URL",
        default_value_t = Self::default().url,
        hide_env_values = true
    )]
    pub url: String,

    /// A PostgreSQL read replica of the same database. Gets and lists are asked of it and may be as stale as it is; what it does
    /// not have, or while it cannot be reached, is asked of the primary. Without it everything is.
    #[arg(
        id = "database-read-url",
        long = "database-read-url",
        value_name = "URL",
        env = "LEASH_DATABASE_READ_URL",
        hide_env_values = true
    )]
    pub read_url: Option<String>,

    /// Connections to PostgreSQL (and as many to its replica), or readers of the SQLite file (which has one writer besides).
    #[arg(
        id = "database-max-connections",
        long = "database-max-connections",
        value_name = "COUNT",
        env = "LEASH_DATABASE_MAX_CONNECTIONS",
        default_value_t = Self::default().max_connections,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub max_connections: u32,

    /// How long a call may wait for a connection, a new one included.
    #[arg(
        id = "database-acquire-timeout",
        long = "database-acquire-timeout",
        value_name = "PERIOD",
        env = "LEASH_DATABASE_ACQUIRE_TIMEOUT",
        default_value_t = Self::default().acquire_timeout
    )]
    pub acquire_timeout: Period,

    /// How long PostgreSQL may work on one statement, whatever the call's deadline; `0s` sets no limit. `leash migrate` has none.
    #[arg(
        id = "database-statement-timeout",
        long = "database-statement-timeout",
        value_name = "PERIOD",
        env = "LEASH_DATABASE_STATEMENT_TIMEOUT",
        default_value_t = Self::default().statement_timeout
    )]
    pub statement_timeout: Period,
}

impl DatabaseConfig {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ..Self::default()
        }
    }
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: "sqlite://leash.db".to_owned(),
            read_url: None,
            max_connections: 16,
            acquire_timeout: Period::from_secs(2),
            statement_timeout: Period::from_secs(15),
        }
    }
}

/// The URLs may hold passwords.
impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .finish_non_exhaustive()
    }
}
