//! Contenders side by side, and their turns.

use std::{collections::BTreeMap, fs, path::PathBuf, rc::Rc};

use leash::pb::customer::{Lead, ListLeadsResponse};
use prost::Message;

use super::{Bench, ask::Asker, measure::Load, say};
use crate::{
    Outcome,
    contenders::{
        self, Server,
        peers::{self, Peer},
        pgbench::Pgbench,
        program,
    },
    generate::{Protocol, Work},
    messages::{self, By},
    report::{Sample, Summary},
    seed::Seeded,
};

/// Into so many turns a round of each contender is divided, so that what a neighbour does falls on all of them.
pub const TURNS: u32 = 5;

/// Something that is measured, and under which name.
pub enum Contender {
    Server {
        name: String,
        server: Rc<Server>,
        protocol: Protocol,
        /// The processes whose time is the server's.
        pids: Vec<u32>,
    },
    Pgbench(Pgbench),
}

impl Contender {
    pub fn of(server: Server) -> Self {
        let (name, protocol) = (server.name.clone(), server.protocol);
        Self::also(&Rc::new(server), &name, protocol)
    }

    /// A server in another way, or under another name.
    pub fn also(server: &Rc<Server>, name: &str, protocol: Protocol) -> Self {
        Self::Server {
            name: name.to_owned(),
            pids: vec![server.process.id()],
            server: Rc::clone(server),
            protocol,
        }
    }

    /// A server that another one works for.
    pub fn with(server: Server, behind: &Server) -> Self {
        let mut contender = Self::of(server);
        if let Self::Server { pids, .. } = &mut contender {
            pids.push(behind.process.id());
        }
        contender
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Server { name, .. } => name,
            Self::Pgbench(_) => "pgbench",
        }
    }

    pub fn measure(&self, bench: &Bench, load: &Load) -> Outcome<Sample> {
        match self {
            Self::Server {
                server,
                protocol,
                pids,
                ..
            } => bench.measure(server, *protocol, pids, load),
            Self::Pgbench(pgbench) => {
                pgbench.measure(load.seconds, &bench.directory, || bench.databases.cpu())
            }
        }
    }
}

impl Bench {
    /// Measures each of them in turn, several times in each round.
    pub fn in_turns(
        &self,
        lineup: &[Contender],
        load: &Load,
    ) -> Outcome<BTreeMap<String, Summary>> {
        let mut samples: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
        let load = load.turn_of(TURNS);
        let turns = self.rounds * TURNS as usize;
        for turn in 1..=turns {
            for contender in lineup {
                let sample = contender.measure(self, &load)?;
                say(&format!(
                    "  {turn:2}/{turns} {:22} {sample}",
                    contender.name()
                ));
                samples
                    .entry(contender.name().to_owned())
                    .or_default()
                    .push(sample);
            }
        }
        Ok(samples
            .into_iter()
            .map(|(name, samples)| (name, Summary::of(samples)))
            .collect())
    }

    /// Everybody on the same leads: those of the large table, or for creates of a copy of the small one each.
    pub async fn everybody(&self, work: Work) -> Outcome<Vec<Contender>> {
        let answers = self.answers().await?;
        let mut lineup = vec![
            Contender::of(program::serve("leash-sqlite", &self.sqlite(work)?, &[])?),
            Contender::of(program::serve(
                "leash-postgres",
                &self.postgres(work).await?,
                &[],
            )?),
            Contender::of(contenders::echo(&answers)?),
            Contender::of(contenders::bare_sqlite(&answers, &self.sqlite(work)?)?),
            Contender::Pgbench(Pgbench {
                script: self.scripts.of(work).clone(),
                url: self.postgres(work).await?.url,
            }),
        ];
        for peer in Peer::ALL {
            let data = self.postgres(work).await?;
            lineup.push(Contender::of(peers::serve(peer, &self.peers, &data)?));
        }
        Ok(lineup)
    }

    pub fn sqlite(&self, work: Work) -> Outcome<Seeded> {
        match work {
            Work::Create => self.databases.copy_sqlite(),
            _ => Ok(self.databases.large.sqlite.clone()),
        }
    }

    pub async fn postgres(&self, work: Work) -> Outcome<Seeded> {
        match work {
            Work::Create => self.databases.copy_postgres().await,
            _ => Ok(self.databases.large.postgres.clone()),
        }
    }

    /// What the echo says: a lead with a pet and a page of 100, as leash answers.
    pub async fn answers(&self) -> Outcome<PathBuf> {
        let directory = self.directory.join("answers");
        let leads = self.databases.large.leads;
        let server = program::serve("leash", &self.databases.large.sqlite, &[])?;
        let asker = Asker::of(&server).await?;
        let page: ListLeadsResponse = asker
            .list(messages::list(By::Nothing, 100, leads, 0))
            .await?;
        let lead: &Lead = page
            .leads
            .iter()
            .find(|lead| lead.pets.len() == 1)
            .ok_or("no lead of the newest has one pet")?;
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("lead"), lead.encode_to_vec())?;
        fs::write(directory.join("page"), page.encode_to_vec())?;
        Ok(directory)
    }
}
