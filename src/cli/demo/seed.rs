//! What a demo begins with.

use serde::Deserialize;

use super::{COMPANY, KEY, KEY_ID};
use crate::domain::api_key::NewApiKey;
use crate::domain::compliance::{Channel, ComplianceChange};
use crate::domain::contact::Address;
use crate::domain::custom_field::{FieldValue, GivenValues, Money};
use crate::domain::lead::{self, Lead, LeadInput};
use crate::domain::pet::{PetDetails, PetInput, PetStatus, PetType};
use crate::domain::scope::{Companies, Permission, Scope};
use crate::domain::setting::{Reference, Settings};
use crate::domain::{Stamp, Timestamp};
use crate::error::{Error, Result, Violations};
use crate::repository::Repository;

/// Who is said to have written the examples.
const ACTOR: &str = "staff_001";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Example {
    id: String,
    first_name: String,
    last_name: String,
    phone: String,
    email: String,
    #[serde(default)]
    address: Option<Address>,
    life_cycle: String,
    #[serde(default)]
    action_status: String,
    #[serde(default)]
    referral_source: String,
    #[serde(default)]
    channels: Vec<String>,
    #[serde(default)]
    source_detail: Option<String>,
    /// Whole US dollars.
    #[serde(default)]
    budget: Option<i64>,
    #[serde(default)]
    services: Option<Vec<String>>,
    created: Timestamp,
    updated: Timestamp,
    #[serde(default)]
    pets: Vec<ExamplePet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExamplePet {
    id: String,
    name: String,
    r#type: String,
    breed: String,
}

/// Writes the key, and of the company and its leads what is not there yet. What was changed or promoted stays so.
pub async fn seed(repository: &Repository) -> Result<()> {
    let settings = match repository.settings(COMPANY).await? {
        Some(settings) => settings,
        None => {
            let file =
                serde_saphyr::from_str(include_str!("settings.yaml")).map_err(Error::internal)?;
            repository.apply_settings(&file, ACTOR).await?;
            let applied = repository.settings(COMPANY).await?;
            applied.ok_or_else(|| Error::not_found("company", COMPANY))?
        }
    };
    let key = NewApiKey {
        name: "demo".to_owned(),
        permissions: Permission::ALL.to_vec(),
        companies: Companies::Only(vec![COMPANY.to_owned()]),
        expires_time: None,
    };
    repository
        .replace_key(KEY_ID, key, &KEY.to_owned().into())
        .await?;

    let scope = Scope {
        key_id: KEY_ID.to_owned(),
        actor: ACTOR.to_owned(),
        permissions: Permission::ALL.to_vec(),
        companies: Companies::Only(vec![COMPANY.to_owned()]),
    };
    let within = repository.within(&scope);
    let examples: Vec<Example> =
        serde_saphyr::from_str(include_str!("leads.yaml")).map_err(Error::internal)?;
    for example in examples {
        if let Err(Error::NotFound { .. }) = within.get_lead(&example.id).await {
            within.create_lead(example.into_lead(&settings)?).await?;
        }
    }
    Ok(())
}

impl Example {
    fn into_lead(self, settings: &Settings) -> Result<Lead> {
        let (id, created, updated) = (self.id.clone(), self.created, self.updated);
        let channels: Vec<Channel> = self
            .channels
            .iter()
            .filter_map(|name| Channel::from_name(name))
            .collect();
        let compliance = ComplianceChange {
            is_consented: Some(!channels.is_empty()),
            service_related_channels: Some(channels),
            ..ComplianceChange::default()
        };
        let pet_ids: Vec<String> = self.pets.iter().map(|pet| pet.id.clone()).collect();
        let stamp = Stamp {
            actor: ACTOR.to_owned(),
            time: created,
        };
        let mut lead = lead::create(
            self.into_input(),
            Some(compliance),
            settings,
            &stamp,
            Violations::default(),
        )?;
        lead.id = id;
        lead.last_updated_time = updated;
        for (pet, id) in lead.pets.iter_mut().zip(pet_ids) {
            pet.id = id;
        }
        Ok(lead)
    }

    fn into_input(self) -> LeadInput {
        let reference = |id| Reference {
            id,
            name: String::new(),
        };
        let budget = self.budget.map(|units| {
            FieldValue::Money(Money {
                currency_code: "USD".to_owned(),
                units,
                nanos: 0,
            })
        });
        let custom_fields: GivenValues = [
            (
                "field_lead_source_detail",
                self.source_detail.map(FieldValue::String),
            ),
            ("field_estimated_budget", budget),
            (
                "field_interested_services",
                self.services.map(FieldValue::StringList),
            ),
        ]
        .into_iter()
        .filter(|(_, value)| value.is_some())
        .map(|(code, value)| (code.to_owned(), value))
        .collect();
        LeadInput {
            first_name: self.first_name,
            last_name: self.last_name,
            phone: self.phone,
            email: self.email,
            address: self.address.map(Into::into),
            pets: self.pets.into_iter().map(ExamplePet::into_input).collect(),
            life_cycle: reference(self.life_cycle),
            action_status: reference(self.action_status),
            referral_source: reference(self.referral_source),
            custom_fields,
            ..LeadInput::default()
        }
    }
}

impl ExamplePet {
    fn into_input(self) -> PetInput {
        PetInput {
            id: String::new(),
            details: PetDetails {
                name: self.name,
                r#type: PetType::from_name(&self.r#type).unwrap_or_default(),
                breed: self.breed,
                status: PetStatus::Alive,
                ..PetDetails::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::setting_file::SettingFile;

    #[test]
    fn the_examples_are_readable_and_break_no_rule() {
        let file: SettingFile =
            serde_saphyr::from_str(include_str!("settings.yaml")).expect("settings");
        file.validate().expect("valid settings");
        let examples: Vec<Example> =
            serde_saphyr::from_str(include_str!("leads.yaml")).expect("leads");
        assert!(examples.len() > 30);
        for example in examples {
            for pet in &example.pets {
                assert!(PetType::from_name(&pet.r#type).is_some(), "{}", pet.r#type);
            }
            for channel in &example.channels {
                assert!(Channel::from_name(channel).is_some(), "{channel}");
            }
        }
    }
}
