//! What can be set from outside, one struct per concern.

use std::fmt;
use std::net::SocketAddr;

use clap::Args;

/// Where the data is.
#[derive(Clone, Args)]
pub struct DatabaseConfig {
    /// `sqlite://FILE` for the embedded database, `postgres://USER:PASSWORD@HOST/NAME` for a server.
    #[arg(
        id = "database-url",
        long = "database-url",
        env = "LEASH_DATABASE_URL",
        default_value = "sqlite://leash.db",
        hide_env_values = true
    )]
    pub url: String,

    /// Connections to PostgreSQL, or readers of the SQLite file (which has one writer besides).
    #[arg(
        long = "database-max-connections",
        env = "LEASH_DATABASE_MAX_CONNECTIONS",
        default_value_t = DatabaseConfig::MAX_CONNECTIONS,
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    pub max_connections: u32,
}

impl DatabaseConfig {
    const MAX_CONNECTIONS: u32 = 16;

    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: Self::MAX_CONNECTIONS,
        }
    }
}

/// The URL may hold a password.
impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("max_connections", &self.max_connections)
            .finish_non_exhaustive()
    }
}

/// What the server offers, and where.
#[derive(Debug, Clone, Args)]
pub struct ServerConfig {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, env = "LEASH_LISTEN", default_value = "127.0.0.1:50051")]
    pub listen: SocketAddr,

    /// Answers no reflection requests. Health stays open.
    #[arg(long, env = "LEASH_NO_REFLECTION")]
    pub no_reflection: bool,
}
