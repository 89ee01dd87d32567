use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::Outcome;
use crate::app;
use crate::config::DatabaseConfig;
use crate::domain::setting_file::SettingFile;

/// Recorded in `last_updated_by` of tags that a file changes without naming anybody.
const ACTOR: &str = "leash";

#[derive(Debug, Args)]
pub struct Settings {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a company's settings what a file says. What the file leaves out is archived, never deleted.
    Apply {
        /// YAML, or JSON if its name ends in `.json`; `-` reads YAML or JSON from standard input.
        file: PathBuf,
        #[command(flatten)]
        database: DatabaseConfig,
    },
    /// Prints a company's settings as a file for `apply`.
    Export {
        /// The company's id.
        #[arg(long, value_name = "ID")]
        company: String,
        #[arg(long, default_value = "yaml")]
        format: Format,
        #[command(flatten)]
        database: DatabaseConfig,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

impl Settings {
    pub async fn run(self) -> Outcome {
        match self.action {
            Action::Apply { file, database } => {
                let settings = read(&file)?;
                let repository = app::open(&database, false).await?;
                let applied = repository.apply_settings(&settings, ACTOR).await?;
                repository.close().await;
                println!(
                    "{}: {} created, {} changed, {} archived",
                    settings.company.id, applied.created, applied.changed, applied.archived
                );
            }
            Action::Export {
                company,
                format,
                database,
            } => {
                let repository = app::open(&database, false).await?;
                let settings = repository
                    .export_settings(&company)
                    .await?
                    .ok_or_else(|| crate::error::Error::not_found("company", &company))?;
                repository.close().await;
                match format {
                    Format::Yaml => print!("{}", serde_saphyr::to_string(&settings)?),
                    Format::Json => println!("{}", serde_json::to_string_pretty(&settings)?),
                }
            }
        }
        Ok(())
    }
}

fn read(file: &Path) -> Result<SettingFile, Box<dyn std::error::Error + Send + Sync>> {
    let in_file = |error: &dyn std::error::Error| format!("{}: {error}", file.display());
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        text
    } else {
        std::fs::read_to_string(file).map_err(|error| in_file(&error))?
    };
    let is_json = file
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let settings = if is_json {
        serde_json::from_str(&text).map_err(|error| in_file(&error))?
    } else {
        serde_saphyr::from_str(&text).map_err(|error| in_file(&error))?
    };
    Ok(settings)
}
