//! What can be set from outside, one struct per concern.

use std::fmt;
use std::net::SocketAddr;

use clap::Args;
use http::HeaderValue;
use url::Url;

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

/// What the JSON front allows.
#[derive(Debug, Clone, Default, Args)]
pub struct HttpConfig {
    /// Origin whose web pages may call the API, such as `https://app.example.com`, or `*` for any; may be given several times.
    /// Without it browsers let no other origin's page read an answer.
    #[arg(
        long,
        value_name = "ORIGIN",
        env = "LEASH_CORS_ALLOW_ORIGIN",
        value_delimiter = ',',
        value_parser = origin
    )]
    pub cors_allow_origin: Vec<HeaderValue>,
}

/// An origin as browsers send it: scheme, host and port, and nothing behind them.
fn origin(text: &str) -> Result<HeaderValue, String> {
    // A wildcard is whole or none: browsers compare origins letter by letter.
    let is_origin = text == "*"
        || !text.contains('*')
            && Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text);
    HeaderValue::from_str(text)
        .ok()
        .filter(|_| is_origin)
        .ok_or_else(|| {
            "an origin is like https://app.example.com, in lower case and without a path".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        for text in ["*", "https://app.example.com", "http://localhost:3000"] {
            assert!(origin(text).is_ok(), "{text}");
        }
        for text in [
            "",
            "null",
            "app.example.com",
            "https://app.example.com/",
            "https://App.example.com",
            "https://app.example.com:443",
            "https://*.example.com",
            "file:///tmp",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
