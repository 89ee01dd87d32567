//! What is asked: the same messages of every contender.

use clap::ValueEnum;
use leash::domain::{lead::LeadFilter, page::Listing};
use leash::pb::{
    common::Pagination,
    customer::{
        CreateLeadRequest, CustomerComplianceConfig, GetLeadRequest, Lead, ListLeadsRequest, Pet,
        list_leads_request::Filter, pet,
    },
    google::r#type::{Interval, Money},
    setting::{
        ActionStatus, LifeCycle, ReferralSource,
        custom_field::{Value, value},
    },
};
use prost_types::Timestamp;

use crate::world::{self, COMPANY, common};

/// Which condition a list is asked for with; each holds for one lead in five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    Nothing,
    LifeCycle,
    ActionStatus,
    Phone,
    LastUpdated,
    Email,
    ReferralSource,
    Staff,
    Business,
}

impl By {
    pub const ALL: [Self; 9] = [
        Self::Nothing,
        Self::LifeCycle,
        Self::ActionStatus,
        Self::Phone,
        Self::LastUpdated,
        Self::Email,
        Self::ReferralSource,
        Self::Staff,
        Self::Business,
    ];

    /// As it is written on the command line and in tables.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    fn filter(self) -> Option<Filter> {
        let mut filter = Filter::default();
        match self {
            Self::Nothing => return None,
            Self::LifeCycle => filter.life_cycle_id = common::LIFE_CYCLE.into(),
            Self::ActionStatus => filter.action_status_id = common::ACTION_STATUS.into(),
            Self::Phone => filter.main_phone_number = common::PHONE.into(),
            Self::LastUpdated => {
                filter.last_updated_time = Some(Interval {
                    start_time: Some(at(common::CHANGED_FROM)),
                    end_time: Some(at(common::CHANGED_FROM + common::CHANGED_FOR)),
                });
            }
            Self::Email => filter.email = common::EMAIL.into(),
            Self::ReferralSource => filter.referral_source_id = common::REFERRAL_SOURCE.into(),
            Self::Staff => filter.allocate_staff_id = common::STAFF.into(),
            Self::Business => filter.preferred_business_id = common::BUSINESS.into(),
        }
        Some(filter)
    }

    /// The same condition as the page tokens of leash know it.
    fn in_domain(self) -> LeadFilter {
        let mut filter = LeadFilter::default();
        match self {
            Self::Nothing => {}
            Self::LifeCycle => filter.life_cycle_id = Some(common::LIFE_CYCLE.into()),
            Self::ActionStatus => filter.action_status_id = Some(common::ACTION_STATUS.into()),
            Self::Phone => filter.phone = Some(common::PHONE.into()),
            Self::LastUpdated => {
                let time = |seconds| chrono::DateTime::from_timestamp(seconds, 0);
                filter.last_updated_from = time(common::CHANGED_FROM);
                filter.last_updated_before = time(common::CHANGED_FROM + common::CHANGED_FOR);
            }
            Self::Email => filter.email = Some(common::EMAIL.into()),
            Self::ReferralSource => {
                filter.referral_source_id = Some(common::REFERRAL_SOURCE.into());
            }
            Self::Staff => filter.allocate_staff_id = Some(common::STAFF.into()),
            Self::Business => filter.preferred_business_id = Some(common::BUSINESS.into()),
        }
        filter
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

pub fn get(number: u64) -> GetLeadRequest {
    GetLeadRequest {
        id: world::lead_id(number),
    }
}

/// The page of a list of `leads` leads that begins after `depth` newer ones, whether these meet the condition or not.
pub fn list(by: By, page_size: i32, leads: u64, depth: u64) -> ListLeadsRequest {
    let token = (depth > 0).then(|| {
        let listing = Listing::new("leads", COMPANY, &by.in_domain());
        listing.token(world::position(leads, depth - 1))
    });
    ListLeadsRequest {
        pagination: Some(Pagination {
            page_size,
            page_token: token,
        }),
        company_id: COMPANY.into(),
        filter: by.filter(),
    }
}

/// A lead as a web form sends it, with one pet.
pub fn create() -> CreateLeadRequest {
    let text = |text: &str| value::Value::String(text.into());
    let custom_fields = [
        ("field_lead_source_detail", text("Spring campaign")),
        (
            "field_estimated_budget",
            value::Value::Money(Money {
                currency_code: "USD".into(),
                units: 500,
                nanos: 0,
            }),
        ),
        (
            "field_interested_services",
            value::Value::StringList(value::StringList {
                values: vec!["Grooming".into(), "Boarding".into()],
            }),
        ),
    ];
    let lead = Lead {
        company_id: COMPANY.into(),
        first_name: "Ada".into(),
        last_name: "Alvarez".into(),
        phone: "+12125551234".into(),
        email: "ada.alvarez@example.com".into(),
        address: Some(leash::pb::common::Address {
            address1: "123 Main St".into(),
            city: "New York".into(),
            state: "NY".into(),
            postal_code: "10001".into(),
            country: "US".into(),
            r#type: leash::pb::common::address::Type::Primary.into(),
            ..Default::default()
        }),
        pets: vec![Pet {
            name: "Buddy".into(),
            r#type: pet::Type::Dog.into(),
            breed: "Labrador Retriever".into(),
            status: pet::Status::Alive.into(),
            ..Pet::default()
        }],
        preferred_business_id: common::BUSINESS.into(),
        allocate_staff_id: common::STAFF.into(),
        life_cycle: Some(LifeCycle {
            id: common::LIFE_CYCLE.into(),
            ..LifeCycle::default()
        }),
        action_status: Some(ActionStatus {
            id: common::ACTION_STATUS.into(),
            ..ActionStatus::default()
        }),
        referral_source: Some(ReferralSource {
            id: common::REFERRAL_SOURCE.into(),
            ..ReferralSource::default()
        }),
        compliance_config: Some(CustomerComplianceConfig {
            service_related_channels: vec![1, 2],
            is_consented: true,
            ..CustomerComplianceConfig::default()
        }),
        custom_fields: custom_fields
            .into_iter()
            .map(|(code, value)| (code.to_owned(), Value { value: Some(value) }))
            .collect(),
        ..Lead::default()
    };
    CreateLeadRequest {
        lead: Some(lead.into()),
        compliance_config: None,
    }
}
