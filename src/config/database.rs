use std::fmt;

use clap::Args;
use url::Url;

use super::secret::{is_postgres, without_secrets};
use super::value::{positive, whole};
use super::{Period, Problem};
use crate::runtime::processors;

/// With fewer connections to PostgreSQL a runtime's calls would wait for them while another's are idle.
const CONNECTIONS_OF_A_RUNTIME: usize = 4;

/// Where the data is.
#[derive(Clone, Args)]
#[command(next_help_heading = "Database")]
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

    /// Connections to PostgreSQL (and as many to its replica), shared out among the processors, or readers of the SQLite file (which has
    /// one writer besides).
    #[arg(
        id = "database-max-connections",
        long = "database-max-connections",
        value_name = "COUNT",
        env = "LEASH_DATABASE_MAX_CONNECTIONS",
        default_value_t = Self::default().max_connections,
        value_parser = whole(1..=10_000)
    )]
    pub max_connections: u32,

    /// How long a call may wait for a connection, a new one included.
    #[arg(
        id = "database-acquire-timeout",
        long = "database-acquire-timeout",
        value_name = "PERIOD",
        env = "LEASH_DATABASE_ACQUIRE_TIMEOUT",
        default_value_t = Self::default().acquire_timeout,
        value_parser = positive
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

    /// How many runtimes share a server's work: one for each processor, as long as each can have some of the connections.
    pub fn runtimes(&self) -> usize {
        let most = match is_postgres(&self.url) {
            true => self.max_connections as usize / CONNECTIONS_OF_A_RUNTIME,
            false => usize::MAX,
        };
        processors().min(most).max(1)
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(reason) = check_url(&self.url) {
            problems.push(Problem::new("database-url", &[], reason));
        }
        let Some(read_url) = &self.read_url else {
            return problems;
        };
        let mut refuse =
            |beside, reason| problems.push(Problem::new("database-read-url", beside, reason));
        if !is_postgres(read_url) {
            refuse(&[], "must begin with postgres://".to_owned());
        } else if let Err(reason) = check_url(read_url) {
            refuse(&[], reason);
        }
        if self.url.starts_with("sqlite:") {
            let reason = "is for PostgreSQL, and --database-url is not a PostgreSQL one";
            refuse(&["database-url"], reason.to_owned());
        }
        problems
    }
}

/// Whether a database may be at `url`. The reason does not repeat it.
fn check_url(url: &str) -> Result<(), String> {
    if let Some(file) = url.strip_prefix("sqlite:") {
        let (path, _) = file.split_once('?').unwrap_or((file, ""));
        let is_in_memory = file.contains(":memory:") || file.contains("mode=memory");
        if is_in_memory || path.trim_start_matches("//").is_empty() {
            return Err(
                "must name a file: an in-memory SQLite database is one per connection".to_owned(),
            );
        }
        return Ok(());
    }
    if !is_postgres(url) {
        return Err("must begin with sqlite: or postgres://".to_owned());
    }
    let url = Url::parse(url)
        .ok()
        // Both come of a password that ends early.
        .filter(|url| url.fragment().is_none() && !url.path().contains('@'))
        .ok_or(
            "is not a URL; in a password, characters such as / ? # @ are percent-encoded, as in %2F",
        )?;
    // The driver passes over what it does not know, and logs it with its value.
    let unknown: Vec<_> = url
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .filter(|name| !PARAMETERS.contains(&name.as_str()) && !name.starts_with("options["))
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        let (unknown, known) = (unknown.join(", "), PARAMETERS.join(", "));
        Err(format!(
            "has a parameter that is not known ({unknown}); these are: {known}"
        ))
    }
}

/// What the driver reads behind the `?` of a PostgreSQL URL.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

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
            .field("url", &without_secrets(&self.url))
            .field("read_url", &self.read_url.as_deref().map(without_secrets))
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_a_file_or_a_server() {
        for url in [
            "sqlite://leash.db",
            "sqlite:leash.db",
            "sqlite:///var/lib/leash/leash.db?mode=rwc",
            "postgres://db/leash",
            "postgresql://leash:p%2Fw@db:5432/leash?sslmode=verify-full&sslrootcert=/ca.pem",
            "postgres:///leash?host=/run/postgresql&user=leash&options[search_path]=leash",
        ] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for (url, reason) in [
            ("", "must begin with"),
            ("leash.db", "must begin with"),
            ("mysql://db/leash", "must begin with"),
            ("postgres:db", "must begin with"),
            ("sqlite:", "must name a file"),
            ("sqlite://", "must name a file"),
            ("sqlite://?mode=rwc", "must name a file"),
            ("sqlite::memory:", "must name a file"),
            ("sqlite://leash.db?mode=memory", "must name a file"),
            ("postgres://leash:s3cret#x@db/leash", "percent-encoded"),
            ("postgres://leash:12/s3cret@db/leash", "percent-encoded"),
            ("postgres://db/leash?sslpassword=s3cret", "(sslpassword)"),
            ("postgres://db/leash?ssl_mode=require", "(ssl_mode)"),
        ] {
            let refusal = check_url(url).expect_err(url);
            assert!(refusal.contains(reason), "{url}: {refusal}");
            assert!(!refusal.contains("s3cret"), "{url}: {refusal}");
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let config = DatabaseConfig {
            read_url: Some("postgres://reader:s3cret@replica/leash".to_owned()),
            ..DatabaseConfig::new("postgres://db/leash?password=s3cret")
        };
        let debug = format!("{config:?}");
        assert!(!debug.contains("s3cret"), "{debug}");
        assert!(debug.contains("reader:***@replica"), "{debug}");
    }
}
