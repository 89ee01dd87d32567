//! Whether all contenders give the same answers, so that nobody is faster by answering less.

use std::{fmt::Debug, path::Path};

use leash::pb::customer::{GetLeadRequest, Lead, ListLeadsResponse};
use tonic::Code;

use super::{ask::Asker, databases::Databases};
use crate::{
    Outcome,
    contenders::{
        peers::{self, Peer},
        program,
    },
    messages::{self, By},
};

/// Leads that are compared, spread over the table.
const LEADS: u64 = 50;

pub async fn check(databases: &Databases, built: &Path) -> Outcome {
    let (data, leads) = (&databases.small.postgres, databases.small.leads);
    let ours = program::serve("leash", data, &[])?;
    let ours = Asker::of(&ours).await.map(|asker| (asker, ours))?;
    for peer in Peer::ALL {
        let server = peers::serve(peer, built, data)?;
        let theirs = Asker::of(&server).await?;
        gets(&ours.0, &theirs, leads)
            .await
            .map_err(|error| of(peer, "GetLead", &error))?;
        lists(&ours.0, &theirs, leads)
            .await
            .map_err(|error| of(peer, "ListLeads", &error))?;
        refusals(&theirs, &server)
            .await
            .map_err(|error| of(peer, "a refusal", &error))?;
    }
    drop(ours);
    creates(databases, built).await
}

fn of(peer: Peer, method: &str, error: &crate::Error) -> crate::Error {
    format!(
        "{method} of the {} peer is not leash's: {error}",
        peer.name()
    )
    .into()
}

async fn gets(ours: &Asker, theirs: &Asker, leads: u64) -> Outcome {
    for number in (0..leads).step_by(usize::try_from(leads / LEADS)?) {
        let message = messages::get(number);
        same(
            &ours.get(message.clone()).await?,
            &theirs.get(message).await?,
        )?;
    }
    Ok(())
}

/// Two pages by each condition; the second one by the token that each has given out.
async fn lists(ours: &Asker, theirs: &Asker, leads: u64) -> Outcome {
    for by in By::ALL {
        let first = messages::list(by, 40, leads, 0);
        let (mine, yours) = (
            ours.list(first.clone()).await?,
            theirs.list(first.clone()).await?,
        );
        same(&mine.leads, &yours.leads)?;
        if mine.leads.len() != 40 {
            return Err(format!("{} leads by {by:?}", mine.leads.len()).into());
        }
        let after = |page: ListLeadsResponse| {
            let mut next = first.clone();
            if let Some(pagination) = next.pagination.as_mut() {
                pagination.page_token = Some(page.next_page_token);
            }
            next
        };
        let (mine, yours) = (
            ours.list(after(mine)).await?,
            theirs.list(after(yours)).await?,
        );
        same(&mine.leads, &yours.leads)?;
    }
    Ok(())
}

async fn refusals(theirs: &Asker, server: &crate::contenders::Server) -> Outcome {
    let unknown = GetLeadRequest {
        id: "lcus_unknown".into(),
    };
    let answer = theirs.get(unknown).await;
    same(
        &answer.err().map(|status| status.code()),
        &Some(Code::NotFound),
    )?;
    let mut nameless = messages::create();
    if let Some(lead) = nameless.lead.as_mut() {
        lead.first_name.clear();
    }
    let answer = theirs.create(nameless).await;
    same(
        &answer.err().map(|status| status.code()),
        &Some(Code::InvalidArgument),
    )?;
    let stranger = Asker::at(server.address(), "leash_nobody").await?;
    let answer = stranger.get(messages::get(0)).await;
    same(
        &answer.err().map(|status| status.code()),
        &Some(Code::Unauthenticated),
    )
}

/// What a create answers, and what a get of it answers then.
async fn creates(databases: &Databases, built: &Path) -> Outcome {
    let data = databases.copy_postgres().await?;
    let ours = program::serve("leash", &data, &[])?;
    let asker = Asker::of(&ours).await?;
    let expected = asker.create(messages::create()).await?;
    for peer in Peer::ALL {
        let server = peers::serve(peer, built, &data)?;
        let created = Asker::of(&server).await?.create(messages::create()).await?;
        let failed = |error| of(peer, "CreateLead", &error);
        let read = asker
            .get(GetLeadRequest {
                id: created.id.clone(),
            })
            .await?;
        same(&read, &created).map_err(failed)?;
        same(&without_stamps(expected.clone()), &without_stamps(created)).map_err(failed)?;
    }
    Ok(())
}

/// A lead without what differs from one to the next.
fn without_stamps(mut lead: Lead) -> Lead {
    lead.id.clear();
    (lead.created_time, lead.last_updated_time) = (None, None);
    for pet in &mut lead.pets {
        pet.id.clear();
        (pet.created_time, pet.last_updated_time) = (None, None);
    }
    if let Some(address) = lead.address.as_mut() {
        address.id.clear();
    }
    lead
}

fn same<T: PartialEq + Debug>(ours: &T, theirs: &T) -> Outcome {
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("expected {ours:#?}\nbut got {theirs:#?}").into())
    }
}
