//! The statements that leash sends, as scripts for pgbench: read from PostgreSQL's log, so that they are what is really sent.

mod log;
mod script;

use std::path::{Path, PathBuf};

use leash::{domain::page::tie_break, pb::customer::Lead};

use self::{
    log::Log,
    script::{Variable, script},
};
use super::{
    ask::Asker,
    databases::{Databases, database_name},
};
use crate::{
    Outcome,
    contenders::program,
    generate::Work,
    messages::{self, By},
    world,
};

/// A script for pgbench, and the values that it is given.
#[derive(Clone)]
pub struct Script {
    pub file: PathBuf,
    /// `name=value`
    pub values: Vec<String>,
}

pub struct Scripts {
    pub get: Script,
    pub list: Script,
    pub create: Script,
}

impl Scripts {
    pub fn of(&self, work: Work) -> &Script {
        match work {
            Work::Get => &self.get,
            Work::List => &self.list,
            Work::Create => &self.create,
        }
    }
}

/// Makes one call of each kind and turns what PostgreSQL has noted into scripts.
pub async fn calibrate(databases: &Databases, directory: &Path) -> Outcome<Scripts> {
    // A copy of the same schema in which every statement is noted.
    let data = databases.copy_postgres().await?;
    let name = database_name(&data.url);
    databases
        .execute(&format!(
            "ALTER DATABASE \"{name}\" SET log_statement = 'all'"
        ))
        .await?;
    let server = program::serve("leash", &data, &[])?;
    let asker = Asker::of(&server).await?;
    let mut log = Log::of(databases);
    let small = databases.small.leads;

    // The first call reads the settings and the key as well, the second nothing but what it is about.
    let asked = messages::get(small / 2);
    asker.get(asked.clone()).await?;
    log.skip()?;
    asker.get(asked.clone()).await?;
    let (first, last) = world::id_range(databases.large.leads);
    let id = Variable::new("lead", &asked.id, (first, last));
    let get = script(&log.statements()?, &[id], &directory.join("get.sql"))?;

    let page = messages::list(By::Nothing, 100, small, 0);
    log.skip()?;
    asker.list(page).await?;
    let list = script(&log.statements()?, &[], &directory.join("list.sql"))?;

    log.skip()?;
    let lead = asker.create(messages::create()).await?;
    let create = script(
        &log.statements()?,
        &created(&lead)?,
        &directory.join("create.sql"),
    )?;
    Ok(Scripts { get, list, create })
}

/// What differs from one new lead to the next, for the database's sake.
fn created(lead: &Lead) -> Outcome<Vec<Variable>> {
    let pet = lead.pets.first().ok_or("a lead without its pet")?;
    let any = (1, i64::MAX.unsigned_abs() - 1);
    Ok(vec![
        Variable::new("lead", &lead.id, any),
        Variable::new("pet", &pet.id, any),
        Variable::new("place", &tie_break(&lead.id).to_string(), any),
    ])
}
