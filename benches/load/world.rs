//! The leads that everything is measured on: which one has which number, and what it says. Nothing here is drawn by chance, so
//! that the seeder, the load generator and a later run all speak of the same leads.

use chrono::{DateTime, TimeDelta};
use leash::domain::{
    Timestamp,
    compliance::{Channel, Compliance},
    contact::{Address, AddressType},
    custom_field::{FieldValue, FieldValues, Money},
    lead::{Lead, LeadDetails},
    page::Position,
    pet::{
        PartialDate, Pet, PetDetails, PetGender, PetStatus, PetType, Vaccination, Weight,
        WeightUnit,
    },
};

/// The company of `src/cli/demo/settings.yaml`.
pub const COMPANY: &str = "cmp_001";

/// Ids are decimal numbers, as an import may bring them: pgbench, which draws ids by itself, knows no other values.
const FIRST_ID: u64 = 1_000_000_000_000_000_000;
const FIRST_PET_ID: u64 = 2_000_000_000_000_000_000;

/// 2025-01-01, when the first lead came.
const FIRST_TIME: i64 = 1_735_689_600;
/// A million of them make up about a year.
const SECONDS_APART: u64 = 30;

/// What one lead in five has, of each kind independently: the value that filters look for, with matches at any depth.
pub mod common {
    pub const PHONE: &str = "+12125550100";
    pub const EMAIL: &str = "intake@shelter.example.com";
    pub const LIFE_CYCLE: &str = "lc_001";
    pub const ACTION_STATUS: &str = "as_001";
    pub const REFERRAL_SOURCE: &str = "ref_002";
    pub const STAFF: &str = "staff_001";
    pub const BUSINESS: &str = "biz_001";
    /// 2027-01-01: from here on, for a month, these leads were changed last.
    pub const CHANGED_FROM: i64 = 1_798_761_600;
    pub const CHANGED_FOR: i64 = 31 * 86_400;
}

const FIRST_NAMES: [&str; 8] = ["Ada", "Ben", "Chloe", "Dan", "Eve", "Finn", "Grace", "Hugo"];
const LAST_NAMES: [&str; 8] = [
    "Alvarez", "Brooks", "Chen", "Diaz", "Evans", "Fischer", "Garcia", "Hughes",
];
const PET_NAMES: [&str; 8] = [
    "Buddy", "Luna", "Max", "Bella", "Rocky", "Daisy", "Milo", "Nala",
];

/// The id of the lead with this number; 0 is the oldest.
pub fn lead_id(number: u64) -> String {
    (FIRST_ID + number).to_string()
}

/// The ids of the first and the last of `count` leads, as numbers.
pub fn id_range(count: u64) -> (u64, u64) {
    (FIRST_ID, FIRST_ID + count.saturating_sub(1))
}

/// Where in the list of `count` leads the lead with `depth` newer ones is.
pub fn position(count: u64, depth: u64) -> Position {
    let number = count.saturating_sub(depth + 1);
    Position::of(created_time(number), &lead_id(number))
}

fn created_time(number: u64) -> Timestamp {
    let micros = number * SECONDS_APART * 1_000_000 + mix(number, 1) % 1_000_000;
    let since = TimeDelta::microseconds(micros.try_into().unwrap_or(i64::MAX));
    DateTime::from_timestamp(FIRST_TIME, 0).unwrap_or_default() + since
}

/// The lead with this number.
pub fn lead(number: u64) -> Lead {
    let created_time = created_time(number);
    let changed = is_common(number, Trait::Changed).then(|| {
        let within = pick(number, 2, 1_000_000);
        let seconds = common::CHANGED_FROM + i64::from(within) * common::CHANGED_FOR / 1_000_000;
        DateTime::from_timestamp(seconds, 0).unwrap_or_default()
    });
    Lead {
        id: lead_id(number),
        company_id: COMPANY.to_owned(),
        details: details(number),
        pets: pets(number, created_time),
        created_by: "staff_002".to_owned(),
        created_time,
        last_updated_by: "staff_002".to_owned(),
        last_updated_time: changed.unwrap_or(created_time),
    }
}

fn details(number: u64) -> LeadDetails {
    let first_name = of(&FIRST_NAMES, number, 3);
    let last_name = of(&LAST_NAMES, number, 4);
    LeadDetails {
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        avatar: String::new(),
        phone: if is_common(number, Trait::Phone) {
            common::PHONE.to_owned()
        } else {
            format!("+1917{:07}", 1_000_000 + number % 9_000_000)
        },
        email: if is_common(number, Trait::Email) {
            common::EMAIL.to_owned()
        } else {
            format!("{first_name}.{last_name}.{number}@example.com")
        },
        address: (pick(number, 5, 5) > 0).then(|| address(number)),
        preferred_business_id: one_of(number, Trait::Business, common::BUSINESS, &["biz_002", ""]),
        allocate_staff_id: one_of(number, Trait::Staff, common::STAFF, &["staff_002", ""]),
        life_cycle_id: some(one_of(
            number,
            Trait::LifeCycle,
            common::LIFE_CYCLE,
            &["lc_002", "lc_003", "lc_004"],
        )),
        action_status_id: some(one_of(
            number,
            Trait::ActionStatus,
            common::ACTION_STATUS,
            &["as_002", "as_003", "as_004", ""],
        )),
        referral_source_id: some(one_of(
            number,
            Trait::ReferralSource,
            common::REFERRAL_SOURCE,
            &["ref_001", ""],
        )),
        compliance: Compliance {
            service_related_channels: vec![Channel::Sms, Channel::Email],
            is_consented: true,
            ..Compliance::default()
        },
        custom_fields: custom_fields(number),
    }
}

fn address(number: u64) -> Address {
    Address {
        id: format!("addr_{number}"),
        address1: format!("{} Main St", pick(number, 6, 900) + 1),
        city: "New York".to_owned(),
        state: "NY".to_owned(),
        postal_code: format!("{}", 10_001 + pick(number, 7, 200)),
        country: "US".to_owned(),
        r#type: AddressType::Primary,
        ..Address::default()
    }
}

fn custom_fields(number: u64) -> FieldValues {
    let budget = FieldValue::Money(Money {
        currency_code: "USD".to_owned(),
        units: i64::from(pick(number, 8, 50) * 20),
        nanos: 0,
    });
    let services = vec!["Grooming".to_owned(), "Boarding".to_owned()];
    FieldValues::from([
        ("field_estimated_budget".to_owned(), budget),
        (
            "field_interested_services".to_owned(),
            FieldValue::StringList(services),
        ),
        (
            "field_lead_source_detail".to_owned(),
            FieldValue::String("Spring campaign".to_owned()),
        ),
    ])
}

/// One in five leads has no pet, one in ten has two, the others have one.
fn pets(number: u64, time: Timestamp) -> Vec<Pet> {
    let count = match pick(number, 9, 10) {
        0 | 1 => 0,
        2 => 2,
        _ => 1,
    };
    (0..count).map(|place| pet(number, place, time)).collect()
}

fn pet(number: u64, place: u64, time: Timestamp) -> Pet {
    let details = PetDetails {
        name: of(&PET_NAMES, number + place, 10).to_owned(),
        birthday: Some(PartialDate {
            year: 2020,
            month: 5,
            day: 0,
        }),
        status: PetStatus::Alive,
        r#type: PetType::Dog,
        breed: "Labrador Retriever".to_owned(),
        gender: PetGender::Female,
        weight: Some(Weight {
            value: 20 + pick(number, 11, 40),
            unit: WeightUnit::Pound,
        }),
        vaccinations: vec![Vaccination {
            name: "Rabies".to_owned(),
            expired_at: DateTime::from_timestamp(common::CHANGED_FROM, 0),
        }],
        ..PetDetails::default()
    };
    Pet {
        id: (FIRST_PET_ID + 2 * number + place).to_string(),
        details,
        created_time: time,
        last_updated_time: time,
    }
}

/// What one lead in five has in common with the others of its fifth.
#[derive(Clone, Copy)]
enum Trait {
    Phone = 100,
    Email,
    LifeCycle,
    ActionStatus,
    ReferralSource,
    Staff,
    Business,
    Changed,
}

fn is_common(number: u64, kind: Trait) -> bool {
    pick(number, kind as u64, 5) == 0
}

fn one_of(number: u64, kind: Trait, common: &str, others: &[&str]) -> String {
    if is_common(number, kind) {
        common.to_owned()
    } else {
        of(others, number, kind as u64 + 100).to_owned()
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn of<'a>(choices: &[&'a str], number: u64, salt: u64) -> &'a str {
    choices[usize::try_from(mix(number, salt)).unwrap_or(0) % choices.len()]
}

/// A number below `below`, evenly spread.
fn pick(number: u64, salt: u64, below: u32) -> u32 {
    u32::try_from(mix(number, salt) % u64::from(below)).unwrap_or(0)
}

/// SplitMix64 of both numbers: looks drawn by chance, and is the same every time.
pub fn mix(number: u64, salt: u64) -> u64 {
    let mut z = number
        .wrapping_add(salt.wrapping_mul(0xA076_1D64_78BD_642F))
        .wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
