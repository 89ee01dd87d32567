//! What the value of a setting may be. Each parser says what it expects as a noun phrase: errors put "is not" before it.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use url::Url;

use super::Period;

/// `true`, `false`, `1` or `0`, in any case: variables of an environment come in all of these.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err("true or false".to_owned()),
    }
}

/// A whole number within `range`.
pub fn whole(
    range: RangeInclusive<u32>,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    move |text| {
        text.parse()
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| match (range.start(), range.end()) {
                (first, &u32::MAX) => format!("a whole number from {first} on"),
                (first, last) => format!("a whole number from {first} to {last}"),
            })
    }
}

/// A share, from 0 to 1.
pub fn ratio(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or_else(|| "a number from 0 to 1".to_owned())
}

/// A length of time that is not zero.
pub fn positive(text: &str) -> Result<Period, String> {
    let period: Period = text.parse()?;
    if period.0.is_zero() {
        return Err("a length of time above zero, such as 500ms, 10s or 2h".to_owned());
    }
    Ok(period)
}

pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "an IP address and a port, such as 127.0.0.1:50051 or [::1]:50051".to_owned())
}

/// Where traces are sent.
pub fn endpoint(text: &str) -> Result<Url, String> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| "a URL such as http://localhost:4317".to_owned())
}

/// What is logged, in the language of `tracing_subscriber::EnvFilter`.
pub fn log_filter(text: &str) -> Result<String, String> {
    // The language takes a word that is no level for the name of a module, so that a misspelt level would log nothing at all.
    let is_level = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
    // In brackets, where spans are named, it may be anything.
    let is_misspelt = !text.contains('[')
        && text
            .split(',')
            .any(|part| !part.contains('=') && !is_level(part.trim()));
    if is_misspelt || EnvFilter::try_new(text).is_err() {
        return Err(
            "a level such as info, or levels by module such as info,leash=debug".to_owned(),
        );
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_on_or_off() {
        for text in ["true", "True", "1"] {
            assert_eq!(switch(text), Ok(true), "{text}");
        }
        for text in ["false", "FALSE", "0"] {
            assert_eq!(switch(text), Ok(false), "{text}");
        }
        for text in ["", "yes", "2", " true"] {
            assert!(switch(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_is_within_its_range() {
        let parse = whole(2..=4);
        assert_eq!(parse("2"), Ok(2));
        assert_eq!(parse("4"), Ok(4));
        for text in ["1", "5", "-3", "3.0", "", "4294967296"] {
            let expected = "a whole number from 2 to 4";
            assert_eq!(parse(text), Err(expected.to_owned()), "{text}");
        }
        assert_eq!(
            whole(1..=u32::MAX)("0"),
            Err("a whole number from 1 on".to_owned())
        );
    }

    #[test]
    fn a_misspelt_level_is_refused() {
        for text in [
            "info",
            "INFO",
            "off",
            "info,leash=debug",
            "leash[call{id=1}]=trace,warn",
        ] {
            assert!(log_filter(text).is_ok(), "{text}");
        }
        for text in ["", "inof", "info,leash", "leash=inof", "info,,warn"] {
            assert!(log_filter(text).is_err(), "{text}");
        }
    }

    #[test]
    fn traces_go_to_a_host() {
        for text in ["http://localhost:4317", "https://otlp.example.com"] {
            assert!(endpoint(text).is_ok(), "{text}");
        }
        for text in ["", "localhost:4317", "http://", "ftp://localhost", "/tmp"] {
            assert!(endpoint(text).is_err(), "{text}");
        }
    }
}
