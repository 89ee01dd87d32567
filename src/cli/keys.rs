use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::Outcome;
use crate::app;
use crate::config::DatabaseConfig;
use crate::domain::api_key::{ApiKey, NewApiKey};
use crate::domain::scope::{Companies, Permission};

#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Makes a key and prints its secret, this once.
    Create(Create),
    /// Lists every key, without the secrets: they are not kept.
    List {
        #[command(flatten)]
        database: DatabaseConfig,
    },
    /// Ends a key's life. Running servers see it within five seconds.
    Revoke {
        /// The key's id, as `leash keys list` shows it.
        id: String,
        #[command(flatten)]
        database: DatabaseConfig,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// What the key is for, to tell keys apart.
    #[arg(long)]
    name: String,

    /// A company that the key reaches; several with commas between, or the option several times.
    #[arg(
        long = "company",
        value_name = "ID",
        value_delimiter = ',',
        required_unless_present = "all_companies",
        conflicts_with = "all_companies"
    )]
    companies: Vec<String>,

    /// The key reaches every company, those to come included.
    #[arg(long)]
    all_companies: bool,

    /// leads:read, leads:write, customers:read, customers:write, settings:read, settings:write; several as with --company.
    #[arg(
        long = "permission",
        value_name = "PERMISSION",
        value_delimiter = ',',
        required = true
    )]
    permissions: Vec<Permission>,

    /// When the key stops working, as in 2027-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    expires: Option<DateTime<Utc>>,

    #[command(flatten)]
    database: DatabaseConfig,
}

impl Keys {
    pub async fn run(self) -> Outcome {
        match self.action {
            Action::Create(create) => create.run().await,
            Action::List { database } => {
                let repository = app::open(&database, false).await?;
                for key in repository.list_keys().await? {
                    println!("{}", describe(&key));
                }
                repository.close().await;
                Ok(())
            }
            Action::Revoke { id, database } => {
                let repository = app::open(&database, false).await?;
                let key = repository.revoke_key(&id).await?;
                println!("{}", describe(&key));
                repository.close().await;
                Ok(())
            }
        }
    }
}

impl Create {
    async fn run(self) -> Outcome {
        let repository = app::open(&self.database, false).await?;
        let (key, secret) = repository
            .create_key(NewApiKey {
                name: self.name,
                permissions: self.permissions,
                companies: if self.all_companies {
                    Companies::All
                } else {
                    Companies::Only(self.companies)
                },
                expires_time: self.expires,
            })
            .await?;
        repository.close().await;
        eprintln!("{}", describe(&key));
        eprintln!("The secret, which is not shown again:");
        println!("{}", secret.expose());
        Ok(())
    }
}

/// A key on one line.
fn describe(key: &ApiKey) -> String {
    let state = match (key.revoked_time, key.expires_time) {
        (Some(time), _) => format!("revoked {}", seconds(time)),
        (None, Some(time)) if time <= Utc::now() => format!("expired {}", seconds(time)),
        (None, Some(time)) => format!("live until {}", seconds(time)),
        (None, None) => "live".to_owned(),
    };
    let companies = match &key.companies {
        Companies::All => "all companies".to_owned(),
        Companies::Only(ids) => ids.join(","),
    };
    let permissions: Vec<_> = key
        .permissions
        .iter()
        .map(|permission| permission.name())
        .collect();
    let (id, name, permissions) = (&key.id, &key.name, permissions.join(","));
    format!("{id}  {name:?}  {companies}  {permissions}  {state}")
}

fn seconds(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
