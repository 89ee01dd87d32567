use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::Period;

/// Where the server listens, and how it treats connections.
#[derive(Debug, Clone, Args)]
pub struct ServerConfig {
    /// Address and port to listen on; port 0 takes a free one.
    #[arg(long, env = "LEASH_LISTEN", default_value_t = Self::default().listen)]
    pub listen: SocketAddr,

    /// Listens without TLS on an address that other machines reach. For networks that encrypt by themselves, and for proxies
    /// that end TLS on the same machine.
    #[arg(long, env = "LEASH_INSECURE")]
    pub insecure: bool,

    /// Answers no reflection requests. Health stays open.
    #[arg(long, env = "LEASH_NO_REFLECTION")]
    pub no_reflection: bool,

    /// Connections at once; further ones wait to be accepted.
    #[arg(long, value_name = "COUNT", env = "LEASH_MAX_CONNECTIONS", default_value_t = Self::default().max_connections)]
    pub max_connections: u32,

    /// Calls at once on one HTTP/2 connection; a client holds further ones back.
    #[arg(long, value_name = "COUNT", env = "LEASH_MAX_STREAMS", default_value_t = Self::default().max_streams)]
    pub max_streams: u32,

    /// How long an HTTP/2 connection may be silent before it is asked whether it still lives; `0s` never asks.
    #[arg(long, value_name = "PERIOD", env = "LEASH_KEEPALIVE_INTERVAL", default_value_t = Self::default().keepalive_interval)]
    pub keepalive_interval: Period,

    /// How long a connection that was asked has to answer, before it is closed.
    #[arg(long, value_name = "PERIOD", env = "LEASH_KEEPALIVE_TIMEOUT", default_value_t = Self::default().keepalive_timeout)]
    pub keepalive_timeout: Period,

    /// How long a connection may live, give or take a tenth, before its client is asked to open a new one; so load balancers
    /// spread clients anew. `0s` lets it live for ever.
    #[arg(long, value_name = "PERIOD", env = "LEASH_CONNECTION_MAX_AGE", default_value_t = Self::default().connection_max_age)]
    pub connection_max_age: Period,

    /// How long the calls on a connection that is too old have to finish.
    #[arg(long, value_name = "PERIOD", env = "LEASH_CONNECTION_MAX_AGE_GRACE", default_value_t = Self::default().connection_max_age_grace)]
    pub connection_max_age_grace: Period,

    /// How long, after the signal to stop, calls are still taken while health says NOT_SERVING; for load balancers that look only
    /// now and then.
    #[arg(long, value_name = "PERIOD", env = "LEASH_DRAIN_DELAY", default_value_t = Self::default().drain_delay)]
    pub drain_delay: Period,

    /// How long running calls have to finish after that.
    #[arg(long, value_name = "PERIOD", env = "LEASH_GRACE_PERIOD", default_value_t = Self::default().grace_period)]
    pub grace_period: Period,
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
