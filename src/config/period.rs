use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time as people write it: `500ms`, `10s`, `1m 30s`, `2h`. In whole milliseconds, because a database would
/// take less for none, and a week at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

const LONGEST: Duration = Duration::from_hours(7 * 24);

impl Period {
    pub const fn from_secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text)
            .ok()
            .filter(|period| period.subsec_nanos() % 1_000_000 == 0 && *period <= LONGEST)
            .map(Self)
            .ok_or_else(|| {
                "a length of time such as 500ms, 10s or 2h, of a week at most".to_owned()
            })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_written_as_people_do() {
        for (text, millis) in [
            ("0s", 0),
            ("500ms", 500),
            ("10s", 10_000),
            ("1m 30s", 90_000),
            ("1.5s", 1_500),
            ("7days", 604_800_000),
        ] {
            let period: Period = text.parse().expect(text);
            assert_eq!(period, Period::from_millis(millis), "{text}");
            assert_eq!(period.to_string().parse(), Ok(period), "{text}");
        }
        for text in [
            "",
            "10",
            "-1s",
            "ten seconds",
            "1us",
            "1500us",
            "7days 1ms",
            "1000000years",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }
}
