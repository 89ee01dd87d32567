//! What a page costs deep in a long list, beside one in a short list.

use super::{Bench, databases::Pair, lineup::Contender, measure::Load, say};
use crate::{
    Outcome,
    contenders::program,
    generate::Work,
    messages::By,
    report::{Depth, Page},
    seed::Seeded,
};

/// The part of the long list that is before the page.
const DEEP: f64 = 0.9;
/// Into so many turns a round is divided: a neighbour comes and goes for more than what the two lists differ by.
const TURNS: u32 = 5;
/// In the short list: not the very first page, so that both have a token.
const SHALLOW: u64 = 10;

pub fn measure(bench: &Bench) -> Outcome<Depth> {
    let mut depth = Depth::default();
    for (name, database) in [
        (
            "leash-sqlite",
            (|pair| &pair.sqlite) as fn(&Pair) -> &Seeded,
        ),
        ("leash-postgres", |pair| &pair.postgres),
    ] {
        let (large, small) = (&bench.databases.large, &bench.databases.small);
        let in_large = Contender::of(program::serve(name, database(large), &[])?);
        let in_small = Contender::of(program::serve(name, database(small), &[])?);
        let deep = at(large.leads, DEEP);
        for by in By::ALL {
            let mut turns = Vec::new();
            for _ in 0..bench.rounds * TURNS as usize {
                let long = page(bench, by, large.leads, deep);
                let long = in_large.measure(bench, &long)?.checked()?;
                let short = page(bench, by, small.leads, SHALLOW);
                let short = in_small.measure(bench, &short)?.checked()?;
                turns.push((long.p50, short.p50));
            }
            let page = Page::new(name, &by.name(), &turns);
            say(&format!("  {page}"));
            depth.pages.push(page);
        }
        for part in [0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9] {
            let newer = at(large.leads, part);
            let sample = in_large.measure(bench, &page(bench, By::Nothing, large.leads, newer))?;
            depth
                .curve
                .push((name.to_owned(), newer, sample.checked()?.p50));
        }
    }
    Ok(depth)
}

fn page(bench: &Bench, by: By, leads: u64, depth: u64) -> Load {
    Load {
        by,
        leads,
        depth,
        ..bench.load(Work::List, 1).turn_of(TURNS)
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part of a number of leads, to the next lead"
)]
fn at(leads: u64, part: f64) -> u64 {
    (leads as f64 * part) as u64
}
