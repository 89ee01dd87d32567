//! What is counted.

use std::hint::black_box;

use leash::{
    domain::{
        Stamp,
        contact::{check_email, phone_to_e164},
        lead::{self, LeadFilter, LeadInput},
        page::{Listing, tie_break},
        pet::PetInput,
        setting::{Reference, Settings},
    },
    error::Violations,
    pb::customer::{CreateLeadRequest, Lead, ListLeadsResponse},
};
use prost::Message;

use crate::{Outcome, counted::measure, json, messages, world};

pub struct Case {
    pub name: &'static str,
    run: fn() -> Outcome,
}

pub const CASES: [Case; 12] = [
    Case {
        name: "message/read_create",
        run: read_create,
    },
    Case {
        name: "message/write_lead",
        run: write_lead,
    },
    Case {
        name: "message/write_page_of_100",
        run: write_page,
    },
    Case {
        name: "validate/lead",
        run: validate_lead,
    },
    Case {
        name: "validate/phone",
        run: validate_phone,
    },
    Case {
        name: "validate/email",
        run: validate_email,
    },
    Case {
        name: "page/write_token",
        run: write_token,
    },
    Case {
        name: "page/read_token",
        run: read_token,
    },
    Case {
        name: "page/tie_break",
        run: make_tie_break,
    },
    Case {
        name: "json/get",
        run: json::get,
    },
    Case {
        name: "json/page_of_100",
        run: json::page,
    },
    Case {
        name: "json/create",
        run: json::create,
    },
];

pub fn run(name: &str) -> Outcome {
    let case = CASES.iter().find(|case| case.name == name);
    (case.ok_or("no such case")?.run)()
}

/// A lead as it is answered.
pub fn answer() -> Lead {
    let time = prost_types::Timestamp {
        seconds: 1_735_689_600,
        nanos: 123_456_000,
    };
    let mut lead = *messages::create().lead.unwrap_or_default();
    lead.id = world::lead_id(1);
    (lead.created_time, lead.last_updated_time) = (Some(time), Some(time));
    for pet in &mut lead.pets {
        pet.id = world::lead_id(2);
        (pet.created_time, pet.last_updated_time) = (Some(time), Some(time));
    }
    lead
}

pub fn page() -> ListLeadsResponse {
    ListLeadsResponse {
        next_page_token: "a".repeat(34),
        leads: vec![answer(); 100],
    }
}

fn read_create() -> Outcome {
    let wire = messages::create().encode_to_vec();
    measure(|| {
        black_box(CreateLeadRequest::decode(black_box(wire.as_slice()))?);
        Ok(())
    })
}

fn write_lead() -> Outcome {
    let lead = answer();
    measure(|| {
        black_box(black_box(&lead).encode_to_vec());
        Ok(())
    })
}

fn write_page() -> Outcome {
    let page = page();
    measure(|| {
        black_box(black_box(&page).encode_to_vec());
        Ok(())
    })
}

fn validate_lead() -> Outcome {
    let (settings, stamp) = (settings()?, Stamp::now("staff_001"));
    let input = input();
    measure(|| {
        black_box(lead::create(
            input.clone(),
            None,
            &settings,
            &stamp,
            Violations::default(),
        )?);
        Ok(())
    })
}

fn validate_phone() -> Outcome {
    measure(|| {
        black_box(phone_to_e164(black_box("+1 (212) 555-1234"), None)?);
        Ok(())
    })
}

fn validate_email() -> Outcome {
    measure(|| Ok(check_email(black_box("ada.alvarez@example.com"))?))
}

fn write_token() -> Outcome {
    let listing = listing();
    measure(|| {
        black_box(listing.token(black_box(world::position(1_000, 500))));
        Ok(())
    })
}

fn read_token() -> Outcome {
    let token = listing().token(world::position(1_000, 500));
    measure(|| {
        // The listing is made of each request anew.
        let position = listing().position(black_box(&token));
        black_box(position.ok_or("not a token of this list")?);
        Ok(())
    })
}

fn make_tie_break() -> Outcome {
    let id = world::lead_id(1);
    measure(|| {
        black_box(tie_break(black_box(&id)));
        Ok(())
    })
}

fn listing() -> Listing {
    let filter = LeadFilter {
        life_cycle_id: Some("lc_001".to_owned()),
        ..LeadFilter::default()
    };
    Listing::new("leads", world::COMPANY, &filter)
}

fn input() -> LeadInput {
    let lead = world::lead(1);
    let refer = |id: Option<String>| Reference {
        id: id.unwrap_or_default(),
        name: String::new(),
    };
    let details = lead.details;
    LeadInput {
        first_name: details.first_name,
        last_name: details.last_name,
        avatar: details.avatar,
        phone: details.phone,
        email: details.email,
        address: details.address.map(Into::into),
        pets: (world::lead(1).pets.into_iter().chain(world::lead(2).pets))
            .take(1)
            .map(|pet| PetInput {
                id: String::new(),
                details: pet.details,
            })
            .collect(),
        preferred_business_id: details.preferred_business_id,
        allocate_staff_id: details.allocate_staff_id,
        life_cycle: refer(details.life_cycle_id),
        action_status: refer(details.action_status_id),
        referral_source: refer(details.referral_source_id),
        compliance: Some(details.compliance),
        custom_fields: (details.custom_fields.into_iter())
            .map(|(code, value)| (code, Some(value)))
            .collect(),
    }
}

/// Those of the demo's company.
fn settings() -> Outcome<std::sync::Arc<Settings>> {
    json::with_repository(async |repository| {
        let settings = repository.settings(world::COMPANY).await?;
        Ok(settings.ok_or("the company is not there")?)
    })
}
