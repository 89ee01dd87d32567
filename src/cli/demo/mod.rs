//! `leash demo`: a server to try things on, with the documents' company and leads and a key that is no secret.

mod seed;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Outcome, stop_signal};
use crate::app::App;
use crate::config::{AppConfig, DatabaseConfig, LimitsConfig, ServerConfig, without_secrets};
use crate::repository::{Repository, SchemaState};

const KEY: &str = "leash-demo-key";
const KEY_ID: &str = "key_demo";
const COMPANY: &str = "cmp_001";

#[derive(Args)]
pub struct Demo {
    /// Address and port to listen on, of this machine only: the key is known to everybody.
    #[arg(long, default_value = "127.0.0.1:50051", value_parser = loopback)]
    listen: SocketAddr,

    /// Where the data is. Read neither from the environment nor from a file, so that a demo never lands in a real database.
    #[arg(long, value_name = "URL", default_value = "sqlite://leash-demo.db")]
    database_url: String,

    /// Throws the SQLite file of an earlier demo away first.
    #[arg(long)]
    reset: bool,
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|error| format!("{error}"))?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("the demo listens on loopback addresses only, such as 127.0.0.1:50051: everybody knows its key".to_owned())
    }
}

impl Demo {
    pub fn database(&self) -> DatabaseConfig {
        DatabaseConfig::new(&self.database_url)
    }

    pub async fn run(self) -> Outcome {
        let database = self.database();
        if self.reset {
            reset(&database).await?;
        }
        refuse_other_data(&database).await?;
        let app = App::bind(AppConfig {
            server: ServerConfig {
                listen: self.listen,
                ..ServerConfig::default()
            },
            // Everybody knows its key: there is nothing to guess.
            limits: LimitsConfig {
                auth_failure_limit: 0,
                ..LimitsConfig::default()
            },
            database,
            migrate: true,
            ..AppConfig::default()
        })
        .await?;
        seed::seed(app.repository()).await?;
        println!(
            "{}",
            welcome(app.local_addr(), &without_secrets(&self.database_url))
        );
        app.run(stop_signal()?).await?;
        Ok(())
    }
}

/// Removes the files of an earlier demo.
async fn reset(database: &DatabaseConfig) -> Outcome {
    let Some(file) = sqlite_file(&database.url) else {
        return Err("--reset is for SQLite files; drop the database on the server yourself".into());
    };
    if !file.exists() {
        return Ok(());
    }
    refuse_other_data(database).await?;
    for suffix in ["", "-wal", "-shm"] {
        let mut name = file.clone().into_os_string();
        name.push(suffix);
        let part = Path::new(&name);
        if part.exists() {
            std::fs::remove_file(part)?;
        }
    }
    Ok(())
}

fn sqlite_file(url: &str) -> Option<PathBuf> {
    let file = url.strip_prefix("sqlite:")?;
    let file = file.strip_prefix("//").unwrap_or(file);
    let (file, _options) = file.split_once('?').unwrap_or((file, ""));
    Some(file.into())
}

/// A key that everybody knows must not open a database that holds anything but a demo.
async fn refuse_other_data(database: &DatabaseConfig) -> Outcome {
    let repository = Repository::connect(database).await?;
    let is_new = matches!(repository.schema_state().await?, SchemaState::Pending(_));
    let keys = if is_new {
        Vec::new()
    } else {
        repository.list_keys().await?
    };
    let is_demo = keys.iter().any(|key| key.id == KEY_ID);
    let is_used = !keys.is_empty() || (!is_new && repository.settings(COMPANY).await?.is_some());
    repository.close().await;
    if is_used && !is_demo {
        return Err(
            "this database holds data that is not a demo's; name another one with --database-url"
                .into(),
        );
    }
    Ok(())
}

fn welcome(address: SocketAddr, database_url: &str) -> String {
    let curl = format!("curl -s -H 'Authorization: Bearer {KEY}'");
    let call = format!("grpcurl -plaintext -H 'authorization: Bearer {KEY}'");
    let leads = "moego.business.customer.v1.LeadService";
    let new_lead = r#"{"lead": {"firstName": "Ada", "phone": "+1 212 555 0199", "pets": [{"name": "Rex", "type": "DOG", "breed": "Pug"}]}}"#;
    let first_page = r#"{"companyId": "cmp_001", "pagination": {"pageSize": 5}}"#;
    format!(
        "
leash demo is listening on {address}

  key       {KEY} (all permissions, company {COMPANY})
  data      {database_url}
  docs      http://{address}/docs (shows every method and tries it)

Calls to paste:

  {curl} http://{address}/v1/leads/lcus_001

  {curl} http://{address}/v1/leads -d '{new_lead}'

The same API over gRPC:

  {call} -d '{{\"id\": \"lcus_001\"}}' {address} {leads}/GetLead

  {call} -d '{new_lead}' {address} {leads}/CreateLead

  {call} -d '{first_page}' {address} {leads}/ListLeads

  {call} -d '{{\"id\": \"lcus_001\"}}' {address} {leads}/PromoteLead

  grpcurl -plaintext {address} list

Stop with Ctrl-C; the data stays, and --reset starts afresh.
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_a_url_is_found() {
        for (url, file) in [
            ("sqlite://leash-demo.db", Some("leash-demo.db")),
            ("sqlite:///tmp/demo.db?mode=rwc", Some("/tmp/demo.db")),
            ("sqlite:demo.db", Some("demo.db")),
            ("postgres://localhost/demo", None),
        ] {
            assert_eq!(sqlite_file(url), file.map(PathBuf::from), "{url}");
        }
    }

    #[test]
    fn only_this_machine_is_listened_on() {
        assert!(loopback("127.0.0.1:0").is_ok());
        assert!(loopback("[::1]:50051").is_ok());
        assert!(loopback("0.0.0.0:50051").is_err());
        assert!(loopback("192.168.0.1:50051").is_err());
    }
}
