//! Statements as a script of pgbench: every parameter stays one.

use std::{fs, path::Path};

use super::{Script, log::Statement};
use crate::Outcome;

/// A value that is another one in each transaction.
pub struct Variable {
    name: &'static str,
    /// What it was in the call that was looked at.
    value: String,
    range: (u64, u64),
}

impl Variable {
    pub fn new(name: &'static str, value: &str, range: (u64, u64)) -> Self {
        Self {
            name,
            value: value.to_owned(),
            range,
        }
    }
}

pub fn script(statements: &[Statement], variables: &[Variable], file: &Path) -> Outcome<Script> {
    let mut text = String::new();
    for Variable { name, range, .. } in variables {
        text.push_str(&format!("\\set {name} random({}, {})\n", range.0, range.1));
    }
    let mut values = Vec::new();
    for (number, statement) in statements.iter().enumerate() {
        let mut sql = statement.text.replace('\n', " ");
        // The last one first: `$1` is the beginning of `$10`.
        for (index, parameter) in statement.parameters.iter().enumerate().rev() {
            let fixed = format!("p{number}_{index}");
            let (place, value) = place_of(parameter.as_deref(), variables, &fixed)?;
            sql = sql.replace(&format!("${}", index + 1), &place);
            values.extend(value.map(|value| format!("{fixed}={value}")));
        }
        text.push_str(&sql);
        text.push_str(";\n");
    }
    for Variable { name, .. } in variables {
        if !text.contains(&format!(":{name}")) {
            return Err(format!("no parameter is the {name}, in:\n{text}").into());
        }
    }
    fs::write(file, text)?;
    Ok(Script {
        file: file.to_owned(),
        values,
    })
}

/// What stands for a parameter, and its value where that is always the same.
fn place_of(
    parameter: Option<&str>,
    variables: &[Variable],
    fixed: &str,
) -> Outcome<(String, Option<String>)> {
    let Some(value) = parameter else {
        return Ok(("NULL".to_owned(), None));
    };
    for Variable {
        name,
        value: varying,
        ..
    } in variables
    {
        if value == varying {
            return Ok((format!(":{name}"), None));
        }
        if value == format!("{{{varying}}}") {
            // pgbench knows numbers only; an array of one is made of it by the server.
            let kind = if varying.parse::<i64>().is_ok() && *name == "place" {
                "bigint"
            } else {
                "text"
            };
            return Ok((format!("('{{' || :{name} || '}}')::{kind}[]"), None));
        }
        if value.contains(varying.as_str()) {
            return Err(format!("a parameter holds the {name} among other things: {value}").into());
        }
    }
    if value.is_empty() {
        // pgbench takes no variable that is empty.
        return Ok(("''".to_owned(), None));
    }
    Ok((format!(":{fixed}"), Some(value.to_owned())))
}
