//! The load generator, a process of its own: keeps calls under way for a fixed time, or begins them at a fixed rate, and prints
//! what came of it as one line of JSON.
//!
//! Each of its threads has its own runtime, connections and tally, so that nothing passes between threads while it measures.

mod caller;
mod closed;
mod connection;
mod http;
mod open;
mod report;
mod tally;

use std::{
    net::SocketAddr,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};

use self::{caller::Caller, tally::Tally};
use crate::{Outcome, machine, messages::By};

pub use report::Report;

/// What the generator prints when it begins to measure.
pub const BEGIN: &str = "begin";

/// Calls that are under way when the time is over may take as long as this.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Protocol {
    Grpc,
    /// JSON over HTTP/1.1: a connection for each call under way.
    Http1,
    /// JSON over HTTP/2.
    Http2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// GetLead of one lead after the other, drawn from all.
    Get,
    /// ListLeads, one page.
    List,
    /// CreateLead with one pet.
    Create,
}

#[derive(Clone, Debug, Args)]
pub struct Generate {
    #[arg(long)]
    pub address: SocketAddr,
    /// The API key that every call carries.
    #[arg(long)]
    pub key: String,
    #[arg(long, default_value = "grpc")]
    pub protocol: Protocol,
    #[arg(long, default_value = "get")]
    pub work: Work,
    /// Leads that were seeded.
    #[arg(long)]
    pub leads: u64,
    /// The condition that is listed by.
    #[arg(long, default_value = "nothing")]
    pub by: By,
    #[arg(long, default_value_t = 100)]
    pub page_size: i32,
    /// Newer leads before the page.
    #[arg(long, default_value_t = 0)]
    pub depth: u64,
    #[arg(long, default_value_t = 8)]
    pub connections: usize,
    /// Calls under way at any time.
    #[arg(long, default_value_t = 32)]
    pub in_flight: usize,
    /// Calls a second that are begun, whatever becomes of those before. Latency is then counted from when a call was due.
    #[arg(long)]
    pub rate: Option<f64>,
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
    /// Makes as many calls as are under way at a time, and no more, however long these take.
    #[arg(long)]
    pub once: bool,
    /// Takes any lead for an answer, and not only the one that was asked for: an echo knows one.
    #[arg(long)]
    pub any_lead: bool,
    /// Seconds before it measures.
    #[arg(long, default_value_t = 1.0)]
    pub warm_up: f64,
    #[arg(long, default_value_t = 5.0)]
    pub seconds: f64,
}

/// A thread's part of the work.
struct Share {
    options: Arc<Generate>,
    connections: usize,
    in_flight: usize,
    rate: Option<f64>,
    /// Keeps the threads from asking for the same leads in the same order.
    salt: u64,
}

impl Generate {
    pub fn run(self) -> Outcome {
        let threads = self.threads.min(self.in_flight).max(1);
        let options = Arc::new(self);
        // Threads meet when they are warm and once more when they begin; between the two the time is looked at.
        let barrier = Arc::new(Barrier::new(threads + 1));
        let running: Vec<_> = (0..threads)
            .map(|index| {
                let share = Share::of(&options, index, threads);
                let barrier = Arc::clone(&barrier);
                thread::spawn(move || share.run(&barrier))
            })
            .collect();
        barrier.wait();
        println!("{BEGIN}");
        let (begin, cpu) = (Instant::now(), machine::own_cpu()?);
        barrier.wait();
        let mut tally = Tally::default();
        for thread in running {
            tally.add(
                &thread
                    .join()
                    .map_err(|_| "a thread of the generator failed")??,
            );
        }
        let cpu = machine::own_cpu()? - cpu;
        let seconds = tally.last.map_or(0.0, |last| (last - begin).as_secs_f64());
        println!(
            "{}",
            serde_json::to_string(&Report::new(&tally, seconds, cpu))?
        );
        Ok(())
    }
}

impl Share {
    fn of(options: &Arc<Generate>, index: usize, threads: usize) -> Self {
        let part = |whole: usize| whole / threads + usize::from(index < whole % threads);
        Self {
            options: Arc::clone(options),
            connections: part(options.connections).max(1),
            in_flight: part(options.in_flight),
            rate: options
                .rate
                .map(|rate| rate / f64::from(u32::try_from(threads).unwrap_or(1))),
            salt: index as u64,
        }
    }

    fn run(&self, barrier: &Barrier) -> Outcome<Tally> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let prepared = runtime.block_on(self.prepare());
        // Also where this thread has failed: the others wait for it.
        barrier.wait();
        barrier.wait();
        let caller = prepared?;
        let options = &self.options;
        let time = Duration::from_secs_f64(options.seconds);
        runtime.block_on(async {
            let measured = async {
                match self.rate {
                    Some(rate) => open::run(&caller, rate, time).await,
                    None if options.once => closed::once(&caller, self.in_flight).await,
                    None => closed::run(&caller, self.in_flight, time).await,
                }
            };
            tokio::time::timeout(time + PATIENCE, measured)
                .await
                .map_err(|_| "some calls never ended".into())
        })
    }

    async fn prepare(&self) -> Outcome<Caller> {
        let caller =
            Caller::connect(&self.options, self.connections, self.in_flight, self.salt).await?;
        if self.options.warm_up > 0.0 {
            let time = Duration::from_secs_f64(self.options.warm_up);
            closed::run(&caller, self.in_flight, time).await;
        }
        Ok(caller)
    }
}
