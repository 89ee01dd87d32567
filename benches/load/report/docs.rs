//! The document: its table and its pictures are of the last run that was asked to write them.

use std::{fs, path::Path};

use super::{Results, plot, table};
use crate::Outcome;

const DOCUMENT: &str = "docs/performance.md";
const IMAGES: &str = "docs/images";
const BEGIN: &str = "<!-- begin of the harness's table -->";
const END: &str = "<!-- end of the harness's table -->";

pub fn write_docs(results: &Results, repository: &Path) -> Outcome {
    let file = repository.join(DOCUMENT);
    let text = fs::read_to_string(&file)?;
    let (before, rest) = text
        .split_once(BEGIN)
        .ok_or("the document has no place for the table")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("the place for the table has no end")?;
    let table = table::markdown(results);
    fs::write(&file, format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))?;
    let images = repository.join(IMAGES);
    for (name, picture) in plot::pictures(results) {
        fs::write(images.join(name), picture)?;
    }
    Ok(())
}
