//! What may be shown of a URL.

use url::Url;

/// Stands where something is hidden.
const HIDDEN: &str = "***";

/// Parameters of a URL that are no secret. The rest is hidden: a password may be under any name.
const SHOWN: [&str; 16] = [
    "application_name",
    "cache",
    "dbname",
    "host",
    "hostaddr",
    "immutable",
    "mode",
    "port",
    "sslcert",
    "ssl-cert",
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "user",
    "vfs",
];

/// A URL without passwords, fit for logs and other eyes: `postgres://leash:***@db/leash`. Hiding again changes nothing.
pub fn without_secrets(text: &str) -> String {
    let (before_query, query) = match text.split_once('?') {
        Some((before, query)) => (before, Some(query)),
        None => (text, None),
    };
    if before_query.starts_with("sqlite:") {
        return with_query(before_query, query);
    }
    let Ok(mut url) = Url::parse(text) else {
        return HIDDEN.to_owned();
    };
    // An `@` behind the host, or a fragment, comes of a password with a character that had to be encoded.
    let is_torn = url.path().contains('@')
        || url.fragment().is_some()
        || query.is_some_and(|query| query.contains('@'));
    if is_torn || url.cannot_be_a_base() {
        return format!("{}://{HIDDEN}", url.scheme());
    }
    let is_named = is_postgres(text);
    let is_changed = (url.password().is_some() && url.set_password(Some(HIDDEN)).is_ok())
        // Elsewhere a name alone may be a token.
        | (!is_named && !url.username().is_empty() && url.set_username(HIDDEN).is_ok());
    if is_changed {
        url.set_query(None);
        with_query(url.as_str(), query)
    } else {
        with_query(before_query, query)
    }
}

pub fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

fn with_query(before: &str, query: Option<&str>) -> String {
    let Some(query) = query else {
        return before.to_owned();
    };
    let parameters: Vec<_> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if SHOWN.contains(&name) => parameter.to_owned(),
            Some((name, _)) => format!("{name}={HIDDEN}"),
            None => HIDDEN.to_owned(),
        })
        .collect();
    format!("{before}?{}", parameters.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_wherever_they_are() {
        for (url, shown) in [
            ("sqlite://leash.db", "sqlite://leash.db"),
            (
                "sqlite:/tmp/a b.db?mode=rwc&key=s3cret",
                "sqlite:/tmp/a b.db?mode=rwc&key=***",
            ),
            ("postgres://db/leash", "postgres://db/leash"),
            (
                "postgres://leash@db:5432/leash?sslmode=require",
                "postgres://leash@db:5432/leash?sslmode=require",
            ),
            (
                "postgres://leash:s3cret@db/leash",
                "postgres://leash:***@db/leash",
            ),
            (
                "postgresql://leash:s3%40cret@db/leash",
                "postgresql://leash:***@db/leash",
            ),
            (
                "postgres://leash:s3@cret@db/leash",
                "postgres://leash:***@db/leash",
            ),
            (
                "postgres://db/leash?user=leash&password=s3cret",
                "postgres://db/leash?user=leash&password=***",
            ),
            (
                "postgres://l:s3cret@db/leash?sslpassword=s3cret",
                "postgres://l:***@db/leash?sslpassword=***",
            ),
            (
                "postgres://db/leash?sslkey=s3cret&s3cret",
                "postgres://db/leash?sslkey=***&***",
            ),
            ("postgres://leash:12/s3cret@db/leash", "postgres://***"),
            ("postgres://leash:12?s3cret@db/leash", "postgres://***"),
            ("postgres://leash:12#s3cret@db/leash", "postgres://***"),
            ("postgres://leash:s3cret#@db/leash", "***"),
            (
                "https://s3cret@otlp.example.com/",
                "https://***@otlp.example.com/",
            ),
            (
                "https://u:s3cret@otlp.example.com/v1",
                "https://***:***@otlp.example.com/v1",
            ),
            ("http://localhost:4317", "http://localhost:4317"),
            ("postgres:leash:s3cret@db", "postgres://***"),
            ("s3cret", "***"),
        ] {
            assert_eq!(without_secrets(url), shown, "{url}");
            assert_eq!(without_secrets(shown), shown, "{url} once more");
        }
    }
}
