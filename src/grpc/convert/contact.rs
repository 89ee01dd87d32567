use super::value_of;
use crate::domain::contact::{Address, Coordinate};
use crate::error::Violations;
use crate::pb::{common as pb, google::r#type::LatLng};

pub fn address(given: pb::Address, path: &str, violations: &mut Violations) -> Address {
    let pb::Address {
        id: _,
        address1,
        address2,
        city,
        state,
        postal_code,
        country,
        coordinate,
        r#type,
        street,
        zip,
    } = given;
    let mut either = |ours: String, documented: String, names: (&str, &str)| {
        if !ours.is_empty() && !documented.is_empty() && ours != documented {
            let (field, other) = names;
            violations.add(
                format!("{path}.{field}"),
                format!("must equal {other} where both are given"),
            );
        }
        if ours.is_empty() { documented } else { ours }
    };
    Address {
        id: String::new(),
        address1: either(address1, street, ("street", "address1")),
        address2,
        city,
        state,
        postal_code: either(postal_code, zip, ("zip", "postal_code")),
        country,
        coordinate: coordinate.map(
            |LatLng {
                 latitude,
                 longitude,
             }| Coordinate {
                latitude,
                longitude,
            },
        ),
        r#type: value_of(r#type, format!("{path}.type"), violations),
    }
}

/// Carries both spellings of the street and the postal code, so that each kind of client finds the one it reads.
pub fn wire_address(address: Address) -> pb::Address {
    let Address {
        id,
        address1,
        address2,
        city,
        state,
        postal_code,
        country,
        coordinate,
        r#type,
    } = address;
    pb::Address {
        id,
        street: address1.clone(),
        address1,
        address2,
        city,
        state,
        zip: postal_code.clone(),
        postal_code,
        country,
        coordinate: coordinate.map(
            |Coordinate {
                 latitude,
                 longitude,
             }| LatLng {
                latitude,
                longitude,
            },
        ),
        r#type: r#type.number(),
    }
}
