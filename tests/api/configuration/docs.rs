//! What the documents say of settings, against the program.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{in_force, leash};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn documented() -> String {
    text(&repository("docs/configuration.md"))
}

#[test]
fn the_tables_are_those_of_the_program() {
    let documented = documented();
    let (_, behind) = documented.split_once("<!-- Made by ").expect("the mark");
    let (_, tables) = behind.split_once("-->\n").expect("the mark's end");
    let made = leash(&["config", "reference"]).run().fine();
    assert!(
        tables == made,
        "docs/configuration.md is older than the program: run `just configuration`"
    );
}

#[test]
fn the_example_is_a_file_that_works() {
    let documented = documented();
    let (_, behind) = documented.split_once("```toml\n").expect("an example");
    let (example, _) = behind.split_once("```").expect("its end");
    let output = leash(&["config"]).file(example).run().fine();
    for (name, value) in [
        ("listen", r#""0.0.0.0:50051""#),
        ("tls-key", r#""/etc/leash/tls/tls.key""#),
        ("database-max-connections", "32"),
        ("metrics-listen", r#""0.0.0.0:9090""#),
        ("log-format", r#""json""#),
    ] {
        let (shown, source) = in_force(&output, name);
        assert_eq!(shown, value, "{name}");
        assert!(source.contains("leash.toml, line "), "{name}: {source}");
    }
    // What the page says of the command's output.
    let start = leash(&["config", "--request-timeout", "5s"]).variable("LEASH_MAX_QUEUED", "0");
    fs::write(start.path("leash.toml"), example).expect("write the file");
    let output = start.variable("LEASH_CONFIG", "leash.toml").run().fine();
    let (_, behind) = documented
        .split_once("```\n# Limits\n")
        .expect("the output");
    let (shown, _) = behind.split_once("```").expect("its end");
    for line in shown.lines().filter(|line| *line != "...") {
        assert!(output.contains(line), "{line} in {output}");
    }
}

/// The settings' variables, read from the tables.
fn variables() -> BTreeSet<String> {
    let tables = leash(&["config", "reference"]).run().fine();
    let cells = tables.split('|').map(|cell| cell.trim().trim_matches('`'));
    let names = cells.filter(|cell| cell.starts_with("LEASH_"));
    names
        .map(str::to_owned)
        .chain(["LEASH_CONFIG".to_owned()])
        .collect()
}

/// The words of a text that are names of variables of ours.
fn mentioned(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let names = words.filter(|word| word.len() > "LEASH_".len() && word.starts_with("LEASH_"));
    names.map(str::to_owned).collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_variable_that_is_written_of_exists() {
    let variables = variables();
    assert!(
        variables.len() > 30 && variables.contains("LEASH_LISTEN"),
        "{variables:?}"
    );
    let mut files: Vec<_> = ["README.md", "docker-compose.yml", "Dockerfile", "justfile"]
        .map(repository)
        .into();
    for folder in ["docs", "deploy"] {
        files.extend(files_below(&repository(folder)));
    }
    let mut unknown = Vec::new();
    for file in files {
        // Pictures have no variables.
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        for name in mentioned(&text) {
            // What Compose puts in place itself, and what only the tests read.
            let is_others = text.contains(&format!("${{{name}")) || name.starts_with("LEASH_TEST_");
            if !variables.contains(&name) && !is_others {
                unknown.push(format!("{}: {name}", file.display()));
            }
        }
    }
    assert_eq!(unknown, [""; 0], "variables that no setting has");
}

#[test]
fn every_setting_has_its_table_row_and_its_variable_by_name() {
    let output = leash(&["config"]).run().fine();
    let names = output
        .lines()
        .filter_map(|line| match line.strip_prefix("# ") {
            Some(comment) => comment.strip_suffix(" is not set"),
            None => line.split_once(" = ").map(|(name, _)| name),
        });
    let documented = documented();
    for name in names {
        let variable = format!("LEASH_{}", name.to_uppercase().replace('-', "_"));
        let cells = format!("| `{variable}` | `{name}` |");
        assert!(documented.contains(&cells), "{cells}");
    }
}
