//! Phones, emails and addresses.

use rlibphonenumber::{NumberLengthType, ParseError, PhoneNumber, PhoneNumberFormat, Region};
use serde::{Deserialize, Serialize};
use validator::{Validate, ValidateEmail};

use super::id::Kind;
use super::text::{self, NAME_MAX, join, storable};
use super::wire_enum::wire_enum;
use crate::error::Violations;

/// Longest email address that SMTP can carry (RFC 5321, section 4.5.3.1.3, less the angle brackets).
const EMAIL_MAX: usize = 254;
/// Longest phone number looked at, punctuation included.
const PHONE_INPUT_MAX: usize = 100;

/// A phone number in E.164, from any international spelling, or from a national one where there is a default region.
///
/// Possible is enough: metadata ages faster than operators hand out numbers, so a range that is not known is not refused.
pub fn phone_to_e164(input: &str, default_region: Option<Region>) -> Result<String, &'static str> {
    if input.chars().count() > PHONE_INPUT_MAX || input.contains('\0') {
        return Err("is not a phone number");
    }
    let number = PhoneNumber::parse(input, default_region).map_err(|error| match error {
        ParseError::InvalidCountryCode => {
            "must be an international number with its country code, such as +12125551234"
        }
        ParseError::NotANumber(_) => "is not a phone number",
        ParseError::TooShortAfterIdd | ParseError::TooShortNsn => "is too short for a phone number",
        ParseError::TooLongNsn => "is too long for a phone number",
    })?;
    if !number.extension().is_empty() {
        return Err("must not have an extension: it cannot be kept in E.164");
    }
    match number.is_possible_with_reason() {
        Ok(NumberLengthType::IsPossible) => {
            Ok(number.format_as(PhoneNumberFormat::E164).into_owned())
        }
        Ok(NumberLengthType::IsPossibleLocalOnly) => Err("lacks its area code"),
        Err(_) => Err("has a length that is not possible for its country"),
    }
}

/// Whether mail can be sent there: valid by `validator`, and short enough for SMTP.
pub fn check_email(email: &str) -> Result<(), &'static str> {
    if email.len() > EMAIL_MAX {
        Err("must be at most 254 characters long")
    } else if email.contains('\0') || !email.validate_email() {
        Err("is not an email address")
    } else {
        Ok(())
    }
}

wire_enum! {
    /// `moego.common.v1.Address.Type`
    AddressType { #[default] Unspecified = 0 "TYPE_UNSPECIFIED", Primary = 1 "PRIMARY", Secondary = 2 "SECONDARY" }
}

/// WGS 84 degrees, as in google.type.LatLng.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Coordinate {
    pub latitude: f64,
    pub longitude: f64,
}

/// A postal address. `id` is ours; an address that replaces another keeps its id.
#[derive(Debug, Clone, Default, PartialEq, Validate, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    pub id: String,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub address1: String,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub address2: String,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub city: String,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub state: String,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub postal_code: String,
    #[validate(length(max = NAME_MAX), custom(function = storable))]
    pub country: String,
    pub coordinate: Option<Coordinate>,
    pub r#type: AddressType,
}

/// An address as a request gives it. Its street and its postal code have two spellings each.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GivenAddress {
    pub address: Address,
    /// The other spelling of `address1`, where it says something else.
    pub street: Option<String>,
    /// The other spelling of `postal_code`, where it says something else.
    pub zip: Option<String>,
}

impl GivenAddress {
    /// The address that is meant, within the rules.
    ///
    /// A client may know one spelling only, change that, and send the other back as it came: the one that says what is stored
    /// says nothing new. Where both do, it is not known which is meant.
    pub fn resolved(
        self,
        stored: Option<&Address>,
        path: &str,
        violations: &mut Violations,
    ) -> Address {
        let Self {
            mut address,
            street,
            zip,
        } = self;
        let stored_street = stored.map(|stored| stored.address1.as_str());
        if !settle(&mut address.address1, street, stored_street) {
            let path = join(path, "street");
            violations.add(path, "must equal address1 where both are given");
        }
        let stored_code = stored.map(|stored| stored.postal_code.as_str());
        if !settle(&mut address.postal_code, zip, stored_code) {
            let path = join(path, "zip");
            violations.add(path, "must equal postal_code where both are given");
        }
        text::check(&address, path, violations);
        address.check_coordinate(path, violations);
        address
    }
}

/// Makes `ours` the one of two spellings that is new; tells whether that can be known.
fn settle(ours: &mut String, other: Option<String>, stored: Option<&str>) -> bool {
    match other {
        None => true,
        Some(other) if stored == Some(&other) => true,
        Some(other) if stored == Some(ours) => {
            *ours = other;
            true
        }
        Some(_) => false,
    }
}

impl Address {
    /// Whether it says nothing but perhaps its id.
    pub fn is_empty(&self) -> bool {
        *self
            == Self {
                id: self.id.clone(),
                ..Self::default()
            }
    }

    /// This address with the id of the one that it replaces, or with a new one.
    pub fn identified(self, replaced: Option<&Self>) -> Self {
        let id = replaced.map_or_else(|| Kind::Address.new_id(), |address| address.id.clone());
        Self { id, ..self }
    }

    /// This address as the one that is used first.
    pub fn as_primary(self) -> Self {
        Self {
            r#type: AddressType::Primary,
            ..self
        }
    }

    /// Takes over the named parts of `given`, empty ones included.
    pub fn take_parts(&mut self, given: Self, parts: &[AddressPart]) {
        let Self {
            id: _,
            address1,
            address2,
            city,
            state,
            postal_code,
            country,
            coordinate,
            r#type,
        } = given;
        let named = |part| parts.contains(&part);
        set_if(named(AddressPart::Address1), &mut self.address1, address1);
        set_if(named(AddressPart::Address2), &mut self.address2, address2);
        set_if(named(AddressPart::City), &mut self.city, city);
        set_if(named(AddressPart::State), &mut self.state, state);
        set_if(
            named(AddressPart::PostalCode),
            &mut self.postal_code,
            postal_code,
        );
        set_if(named(AddressPart::Country), &mut self.country, country);
        set_if(
            named(AddressPart::Coordinate),
            &mut self.coordinate,
            coordinate,
        );
        set_if(named(AddressPart::Type), &mut self.r#type, r#type);
    }

    fn check_coordinate(&self, path: &str, violations: &mut Violations) {
        let Some(Coordinate {
            latitude,
            longitude,
        }) = self.coordinate
        else {
            return;
        };
        if !(-90.0..=90.0).contains(&latitude) {
            violations.add(
                format!("{path}.coordinate.latitude"),
                "must be -90 to 90 degrees",
            );
        }
        if !(-180.0..=180.0).contains(&longitude) {
            violations.add(
                format!("{path}.coordinate.longitude"),
                "must be -180 to 180 degrees",
            );
        }
    }
}

fn set_if<T>(condition: bool, target: &mut T, value: T) {
    if condition {
        *target = value;
    }
}

/// The parts of an address that a field mask may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressPart {
    Address1,
    Address2,
    City,
    State,
    PostalCode,
    Country,
    Coordinate,
    Type,
}

impl From<Address> for GivenAddress {
    fn from(address: Address) -> Self {
        Self {
            address,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_become_e164() {
        let us = "US".parse().ok();
        for (input, region, expected) in [
            ("+1 (212) 555-1234", None, Ok("+12125551234")),
            ("+12125551234", None, Ok("+12125551234")),
            ("(212) 555-1234", us, Ok("+12125551234")),
            ("+44 20 7946 0018", us, Ok("+442079460018")),
            ("+86 138 0013 8000", None, Ok("+8613800138000")),
            ("+39 06 698 12345", None, Ok("+390669812345")),
            (
                "(212) 555-1234",
                None,
                Err("must be an international number with its country code, such as +12125551234"),
            ),
            ("555-1234", us, Err("lacks its area code")),
            ("call me", None, Err("is not a phone number")),
            ("", None, Err("is not a phone number")),
            (
                "+1 212",
                None,
                Err("has a length that is not possible for its country"),
            ),
            (
                "+1 212 555 1234 ext. 5",
                None,
                Err("must not have an extension: it cannot be kept in E.164"),
            ),
        ] {
            assert_eq!(
                phone_to_e164(input, region).as_deref(),
                expected.as_ref().map(|phone| *phone),
                "{input}"
            );
        }
    }

    #[test]
    fn emails_are_checked() {
        assert!(check_email("john.doe@example.com").is_ok());
        for bad in [
            "john",
            "john@",
            "@example.com",
            "a b@example.com",
            "a\0@example.com",
        ] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
        assert!(check_email(&format!("{}@example.com", "a".repeat(243))).is_err());
    }
}
