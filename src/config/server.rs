use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;

use super::value::{address, positive, whole};
use super::{Period, Problem};

/// Where the server listens, and how it treats connections.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Listener")]
pub struct ServerConfig {
    /// Address and port to listen on; port 0 takes a free one. An address that other machines reach needs TLS, or `--insecure`.
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        env = "LEASH_LISTEN",
        default_value_t = Self::default().listen,
        value_parser = address
    )]
    pub listen: SocketAddr,

    /// Listens without TLS on an address that other machines reach. For networks that encrypt by themselves, and for proxies
    /// that end TLS on the same machine.
    #[arg(long, env = "LEASH_INSECURE")]
    pub insecure: bool,

    /// Answers no reflection requests. Health stays open.
    #[arg(long, env = "LEASH_NO_REFLECTION")]
    pub no_reflection: bool,

    /// Connections at once; further ones wait to be accepted.
    #[arg(
        long,
        value_name = "COUNT",
        env = "LEASH_MAX_CONNECTIONS",
        default_value_t = Self::default().max_connections,
        value_parser = whole(1..=u32::MAX)
    )]
    pub max_connections: u32,

    /// Calls at once on one HTTP/2 connection; a client holds further ones back.
    #[arg(
        long,
        value_name = "COUNT",
        env = "LEASH_MAX_STREAMS",
        default_value_t = Self::default().max_streams,
        value_parser = whole(1..=u32::MAX)
    )]
    pub max_streams: u32,

    /// How long an HTTP/2 connection may be silent before it is asked whether it still lives; `0s` never asks.
    #[arg(long, value_name = "PERIOD", env = "LEASH_KEEPALIVE_INTERVAL", default_value_t = Self::default().keepalive_interval)]
    pub keepalive_interval: Period,

    /// How long a connection that was asked has to answer, before it is closed.
    #[arg(
        long,
        value_name = "PERIOD",
        env = "LEASH_KEEPALIVE_TIMEOUT",
        default_value_t = Self::default().keepalive_timeout,
        value_parser = positive
    )]
    pub keepalive_timeout: Period,

    /// How long a connection may live, give or take a tenth, before its client is asked to open a new one; so load balancers
    /// spread clients anew. `0s` lets it live for ever.
    #[arg(long, value_name = "PERIOD", env = "LEASH_CONNECTION_MAX_AGE", default_value_t = Self::default().connection_max_age)]
    pub connection_max_age: Period,

    /// How long the calls on a connection that is too old have to finish; `0s` cuts them off at once.
    #[arg(long, value_name = "PERIOD", env = "LEASH_CONNECTION_MAX_AGE_GRACE", default_value_t = Self::default().connection_max_age_grace)]
    pub connection_max_age_grace: Period,

    /// How long, after the signal to stop, calls are still taken while health says NOT_SERVING, for load balancers that look
    /// only now and then; `0s` takes none.
    #[arg(long, value_name = "PERIOD", env = "LEASH_DRAIN_DELAY", default_value_t = Self::default().drain_delay)]
    pub drain_delay: Period,

    /// How long running calls have to finish after that; `0s` cuts them off at once.
    #[arg(long, value_name = "PERIOD", env = "LEASH_GRACE_PERIOD", default_value_t = Self::default().grace_period)]
    pub grace_period: Period,
}

impl ServerConfig {
    /// Other machines must not be spoken to in the clear by mistake: keys would be readable on the way.
    pub(super) fn problems(&self, tls: &TlsConfig) -> Vec<Problem> {
        let is_encrypted = tls.cert.is_some() || tls.key.is_some();
        if self.insecure || is_encrypted || is_loopback(self.listen.ip()) {
            return Vec::new();
        }
        let reason = format!(
            "is {}, which other machines reach: give --tls-cert and --tls-key, or allow calls and keys in the clear with --insecure",
            self.listen
        );
        vec![Problem::new(
            "listen",
            &["insecure", "tls-cert", "tls-key"],
            reason,
        )]
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 50051).into(),
            insecure: false,
            no_reflection: false,
            max_connections: 10_000,
            max_streams: 1_000,
            keepalive_interval: Period::from_secs(30),
            keepalive_timeout: Period::from_secs(20),
            connection_max_age: Period::from_secs(30 * 60),
            connection_max_age_grace: Period::from_secs(30),
            drain_delay: Period::from_secs(0),
            grace_period: Period::from_secs(10),
        }
    }
}

/// TLS on the listener.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "TLS")]
pub struct TlsConfig {
    /// The server's certificate and those that lead to its CA, in PEM. Read again when it changes.
    #[arg(long = "tls-cert", value_name = "FILE", env = "LEASH_TLS_CERT")]
    pub cert: Option<PathBuf>,

    /// The certificate's private key, in PEM. Read again when it changes.
    #[arg(long = "tls-key", value_name = "FILE", env = "LEASH_TLS_KEY")]
    pub key: Option<PathBuf>,

    /// The CAs of clients, in PEM: only clients with a certificate of one of these may connect. Read again when it changes.
    #[arg(
        long = "tls-client-ca",
        value_name = "FILE",
        env = "LEASH_TLS_CLIENT_CA"
    )]
    pub client_ca: Option<PathBuf>,
}

impl TlsConfig {
    pub(super) fn problems(&self) -> Vec<Problem> {
        match (&self.cert, &self.key, &self.client_ca) {
            (Some(_), None, _) => vec![Problem::new("tls-cert", &["tls-key"], "needs --tls-key")],
            (None, Some(_), _) => vec![Problem::new("tls-key", &["tls-cert"], "needs --tls-cert")],
            (None, None, Some(_)) => vec![Problem::new(
                "tls-client-ca",
                &["tls-cert", "tls-key"],
                "needs --tls-cert and --tls-key",
            )],
            (Some(_), Some(_), _) | (None, None, None) => Vec::new(),
        }
    }
}
