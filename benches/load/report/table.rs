//! A run as Markdown.

use std::fmt::Write as _;

use super::{Conditions, Results, Sample};

pub fn markdown(results: &Results) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(results, &mut text);
    text
}

fn write(results: &Results, text: &mut String) -> std::fmt::Result {
    conditions(&results.conditions, text)?;
    writeln!(
        text,
        "\n| target | wanted | measured | held |\n|---|---|---:|---|"
    )?;
    for target in &results.targets {
        let held = if target.held { "yes" } else { "**no**" };
        writeln!(
            text,
            "| {} | {} | {} | {held} |",
            target.name,
            target.target,
            rounded(target.measured)
        )?;
    }
    for (experiment, contenders) in &results.work {
        writeln!(text, "\n{}:\n", title(experiment))?;
        header(text)?;
        for (name, summary) in contenders {
            row(name, &summary.median, text)?;
        }
    }
    if !results.steady.is_empty() {
        writeln!(
            text,
            "\nGetLead at 70 % of the highest throughput, calls at a fixed rate:\n"
        )?;
        header(text)?;
        for (name, summary) in &results.steady {
            row(name, &summary.median, text)?;
        }
    }
    Ok(())
}

fn conditions(conditions: &Conditions, text: &mut String) -> std::fmt::Result {
    let Conditions {
        rounds,
        turns,
        seconds,
        leads,
        cores,
        processor,
        kernel,
        load_average,
        profile,
        rustc,
        postgres,
        go,
        node,
        python,
        pool,
        connections,
    } = conditions;
    writeln!(
        text,
        "Medians of {rounds} rounds of {seconds} s, each in {turns} turns, {leads} leads. {cores} cores ({processor}), shared by \
         client, server and database; Linux {kernel}; load average before the run {load_average}. {pool} connections to PostgreSQL for each \
         contender, {connections} to the server. Profile `{profile}`; {rustc}; {postgres}; {go}; Node {node}; {python}."
    )
}

fn header(text: &mut String) -> std::fmt::Result {
    writeln!(
        text,
        "| contender | calls/s | p50 µs | p99 µs | p99.9 µs | server CPU µs/call | database | client |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|"
    )
}

fn row(name: &str, sample: &Sample, text: &mut String) -> std::fmt::Result {
    let Sample {
        throughput,
        p50,
        p99,
        p999,
        errors,
        server,
        database,
        client,
        seconds: _,
    } = sample;
    let failed = if *errors > 0.0 {
        format!(" ({errors} failed)")
    } else {
        String::new()
    };
    writeln!(
        text,
        "| {name}{failed} | {throughput:.0} | {p50:.0} | {p99:.0} | {p999:.0} | {server:.0} | {database:.0} | {client:.0} |"
    )
}

/// An experiment in words.
fn title(experiment: &str) -> &str {
    match experiment {
        "get-32" => "GetLead, 32 in flight",
        "get-128" => "GetLead, 128 in flight",
        "create-32" => {
            "CreateLead with one pet, 32 in flight, PostgreSQL with `synchronous_commit=off`"
        }
        "durable-32" => {
            "CreateLead with one pet, 32 in flight, PostgreSQL with `synchronous_commit=on`"
        }
        "list-8" => "ListLeads, a page of 100, 8 in flight",
        "json-get-32" => "GetLead as JSON, 32 in flight",
        "json-list-8" => "ListLeads as JSON, a page of 100, 8 in flight",
        other => other,
    }
}

fn rounded(measured: f64) -> String {
    if measured.abs() >= 100.0 {
        format!("{measured:.0}")
    } else {
        format!("{measured:.2}")
    }
}
