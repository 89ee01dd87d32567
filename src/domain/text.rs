//! Rules that hold for every string that is stored, as functions for `validator`, and the way from its errors to paths.

use std::borrow::Cow;

use validator::{Validate, ValidationError, ValidationErrors, ValidationErrorsKind};

use crate::error::Violations;

/// Names, labels, breeds and the like, in characters.
pub const NAME_MAX: u64 = 255;
/// Notes and long texts, in characters.
pub const LONG_MAX: u64 = 20_000;
/// A URL, in characters.
pub const URL_MAX: u64 = 2_048;
/// An id, in characters.
pub const ID_MAX: u64 = 64;

/// PostgreSQL cannot store NUL, so that nothing may hold it.
pub fn storable(text: &str) -> Result<(), ValidationError> {
    ensure(!text.contains('\0'), "must not contain NUL characters")
}

/// Empty, or an id of somebody else's making: 1 to 64 visible ASCII characters.
pub fn optional_id(text: &str) -> Result<(), ValidationError> {
    ensure(
        text.bytes().all(|byte| byte.is_ascii_graphic()),
        "must be made of visible ASCII characters",
    )
}

/// Empty, or an absolute `http` or `https` URL.
pub fn optional_url(text: &str) -> Result<(), ValidationError> {
    let acceptable = text.is_empty()
        || (!text.contains('\0')
            && url::Url::parse(text)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()));
    ensure(acceptable, "must be an http or https URL")
}

fn ensure(holds: bool, description: &'static str) -> Result<(), ValidationError> {
    if holds {
        Ok(())
    } else {
        Err(ValidationError::new("rule").with_message(Cow::Borrowed(description)))
    }
}

/// Runs `input`'s own rules and adds what they find under `path`.
pub fn check(input: &impl Validate, path: &str, violations: &mut Violations) {
    if let Err(errors) = input.validate() {
        flatten(&errors, path, violations);
    }
}

fn flatten(errors: &ValidationErrors, path: &str, violations: &mut Violations) {
    for (field, kind) in errors.errors() {
        let path = join(path, field);
        match kind {
            ValidationErrorsKind::Struct(nested) => flatten(nested, &path, violations),
            ValidationErrorsKind::List(items) => {
                for (index, nested) in items {
                    flatten(nested, &format!("{path}[{index}]"), violations);
                }
            }
            ValidationErrorsKind::Field(found) => {
                for error in found {
                    violations.add(path.clone(), describe(error));
                }
            }
        }
    }
}

/// `path.field`, or `field` at the top of a request.
pub fn join(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

fn describe(error: &ValidationError) -> String {
    if let Some(message) = &error.message {
        return message.to_string();
    }
    match error.params.get("max") {
        Some(max)
            if error
                .params
                .get("value")
                .is_some_and(serde_json::Value::is_array) =>
        {
            format!("must have at most {max} entries")
        }
        Some(max) => format!("must be at most {max} characters long"),
        None => format!("breaks the rule {:?}", error.code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_urls() {
        for good in ["", "http://a.example", "https://a.example/b.png?c=d"] {
            assert!(optional_url(good).is_ok(), "{good}");
        }
        for bad in [
            "a.example",
            "ftp://a.example",
            "javascript:alert(1)",
            "http://",
            "https://a.example/\0",
        ] {
            assert!(optional_url(bad).is_err(), "{bad}");
        }
    }
}
