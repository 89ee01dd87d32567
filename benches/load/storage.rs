//! The ceiling of the storage: before the echo answers, leash's repository does what it does for such a call. What leash does around
//! that is left out: keys, limits, deadlines, checks, and turning messages into leads and back.

use std::sync::Arc;

use chrono::Utc;
use clap::Args;
use leash::{
    config::DatabaseConfig,
    domain::{
        id::Kind,
        lead::{Lead, LeadFilter},
        page::PageRequest,
        scope::{Companies, Scope},
    },
    pb::customer::{CreateLeadRequest, GetLeadRequest, ListLeadsRequest},
    repository::Repository,
};
use tonic::Status;

use crate::{
    Outcome,
    contenders::POOL,
    echo::{self, Answers, Work},
    world::COMPANY,
};

const PAGE: PageRequest = PageRequest {
    size: 100,
    after: None,
};

#[derive(Clone, Debug, Args)]
pub struct Stored {
    #[command(flatten)]
    answers: Answers,
    /// Of a database with leads.
    #[arg(long)]
    database_url: String,
}

impl Stored {
    pub fn run(&self) -> Outcome {
        tokio::runtime::Runtime::new()?.block_on(async {
            let storage = Storage::open(&self.database_url).await?;
            echo::serve(self.answers.after(Arc::new(storage))?).await
        })
    }
}

/// The repository, and a caller of it.
struct Storage {
    repository: Repository,
    scope: Scope,
    /// What is written, each time under a new id.
    lead: Lead,
}

impl Storage {
    async fn open(url: &str) -> Outcome<Self> {
        let repository = Repository::connect(&DatabaseConfig {
            max_connections: POOL,
            ..DatabaseConfig::new(url)
        })
        .await?;
        let scope = Scope {
            key_id: String::new(),
            actor: String::new(),
            permissions: Vec::new(),
            companies: Companies::Only(vec![COMPANY.to_owned()]),
        };
        let all = LeadFilter::default();
        let leads = repository.within(&scope);
        let page = leads.list_leads(COMPANY, &all, PAGE).await?;
        let mut leads = page.items.into_iter();
        let lead = leads.find(|lead| lead.pets.len() == 1);
        Ok(Self {
            repository,
            scope,
            lead: lead.ok_or("no lead of the newest has one pet")?,
        })
    }

    fn new_lead(&self) -> Lead {
        let mut lead = self.lead.clone();
        lead.id = Kind::Lead.new_id();
        lead.created_time = Utc::now();
        for pet in &mut lead.pets {
            pet.id = Kind::Pet.new_id();
        }
        lead
    }
}

impl Work<GetLeadRequest> for Arc<Storage> {
    async fn done(self, request: GetLeadRequest) -> Result<(), Status> {
        let leads = self.repository.within(&self.scope);
        leads.get_lead(&request.id).await.map(drop).map_err(failed)
    }
}

impl Work<ListLeadsRequest> for Arc<Storage> {
    async fn done(self, _: ListLeadsRequest) -> Result<(), Status> {
        let leads = self.repository.within(&self.scope);
        let all = LeadFilter::default();
        let page = leads.list_leads(COMPANY, &all, PAGE).await;
        page.map(drop).map_err(failed)
    }
}

impl Work<CreateLeadRequest> for Arc<Storage> {
    async fn done(self, _: CreateLeadRequest) -> Result<(), Status> {
        let leads = self.repository.within(&self.scope);
        let written = leads.create_lead(self.new_lead()).await;
        written.map(drop).map_err(failed)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
fn failed(error: leash::error::Error) -> Status {
    Status::internal(error.to_string())
}
