use clap::Args;
use http::HeaderValue;
use url::Url;

/// What the JSON front allows.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "HTTP and JSON")]
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
            "an origin such as https://app.example.com, in lower case and without a path, or *"
                .to_owned()
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
