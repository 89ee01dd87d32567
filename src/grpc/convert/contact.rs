use super::value_of;
use crate::domain::contact::{Address, Coordinate, GivenAddress};
use crate::error::Violations;
use crate::pb::{common as pb, google::r#type::LatLng};

pub fn address(given: pb::Address, path: &str, violations: &mut Violations) -> GivenAddress {
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
    let (address1, street) = spellings(address1, street);
    let (postal_code, zip) = spellings(postal_code, zip);
    let address = Address {
        id: String::new(),
        address1,
        address2,
        city,
        state,
        postal_code,
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
    };
    GivenAddress {
        address,
        street,
        zip,
    }
}

/// What is said in either spelling, and the second one where it says something else.
fn spellings(ours: String, documented: String) -> (String, Option<String>) {
    if ours.is_empty() {
        (documented, None)
    } else if documented.is_empty() || documented == ours {
        (ours, None)
    } else {
        (ours, Some(documented))
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
