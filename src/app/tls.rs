//! TLS by files that may change while the server runs.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::{Accept, TlsAcceptor};

use crate::config::TlsConfig;

/// How often the files are looked at. By their content: Kubernetes replaces a link to their directory, which no watch on a file
/// would tell of.
const PERIOD: Duration = Duration::from_secs(2);

/// What clients may choose from (RFC 7301); one that offers nothing may still speak either.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

const CERT: &str = "--tls-cert";
const KEY: &str = "--tls-key";
const CLIENT_CA: &str = "--tls-client-ca";

/// Why there is no TLS as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{given} needs {missing} beside it")]
    Incomplete {
        given: &'static str,
        missing: &'static str,
    },
    #[error("{flag}: {} cannot be read: {source}", file.display())]
    Unreadable {
        flag: &'static str,
        file: PathBuf,
        source: io::Error,
    },
    /// What the file holds is not repeated: it may be a key.
    #[error("{flag}: {} holds no {expected} in PEM", file.display())]
    Malformed {
        flag: &'static str,
        file: PathBuf,
        expected: &'static str,
    },
    #[error("{flag}: {} cannot be used: {source}", file.display())]
    Unusable {
        flag: &'static str,
        file: PathBuf,
        source: rustls::Error,
    },
    #[error(
        "{KEY}: {} is not the key of the certificate in {} ({CERT})",
        key.display(),
        cert.display()
    )]
    OtherKey { key: PathBuf, cert: PathBuf },
}

/// TLS of a listener.
pub struct Tls {
    files: Files,
    seen: Seen,
    current: watch::Sender<Arc<ServerConfig>>,
}

/// Accepts with the newest certificate there is.
pub struct Acceptor(watch::Receiver<Arc<ServerConfig>>);

#[derive(Clone)]
struct Files {
    cert: PathBuf,
    key: PathBuf,
    client_ca: Option<PathBuf>,
}

/// What the files held.
struct Contents {
    cert: Vec<u8>,
    key: Vec<u8>,
    client_ca: Option<Vec<u8>>,
}

/// What there was when the files were last looked at, so that nothing is taken, or told, twice.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Contents([u8; 32]),
    Unreadable(String),
}

impl Tls {
    /// `None` if no certificate is set.
    pub fn load(config: &TlsConfig) -> Result<Option<Self>, TlsError> {
        let Some(files) = Files::of(config)? else {
            return Ok(None);
        };
        let contents = files.read()?;
        Ok(Some(Self {
            current: watch::Sender::new(files.build(&contents)?),
            seen: Seen::Contents(contents.digest()),
            files,
        }))
    }

    pub fn acceptor(&self) -> Acceptor {
        Acceptor(self.current.subscribe())
    }

    /// Takes what changes, for ever. What cannot be used is told once, and the last that could be goes on.
    pub async fn follow(mut self) -> Infallible {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let files = self.files.clone();
            // It fails only if reading panics.
            if let Ok(read) = spawn_blocking(move || files.read()).await {
                self.take(read);
            }
        }
    }

    fn take(&mut self, read: Result<Contents, TlsError>) {
        let seen = match &read {
            Ok(contents) => Seen::Contents(contents.digest()),
            Err(error) => Seen::Unreadable(error.to_string()),
        };
        if seen == self.seen {
            return;
        }
        self.seen = seen;
        match read.and_then(|contents| self.files.build(&contents)) {
            Ok(config) => {
                self.current.send_replace(config);
                tracing::info!("new connections get the changed TLS certificate");
            }
            Err(error) => {
                tracing::error!(%error, "the TLS certificate stays as it was: {error}");
            }
        }
    }
}

impl Acceptor {
    pub fn accept(&self, stream: TcpStream) -> Accept<TcpStream> {
        let config = Arc::clone(&self.0.borrow());
        TlsAcceptor::from(config).accept(stream)
    }
}

impl Files {
    fn of(config: &TlsConfig) -> Result<Option<Self>, TlsError> {
        let missing = |given, missing| Err(TlsError::Incomplete { given, missing });
        match (&config.cert, &config.key) {
            (Some(cert), Some(key)) => Ok(Some(Self {
                cert: cert.clone(),
                key: key.clone(),
                client_ca: config.client_ca.clone(),
            })),
            (Some(_), None) => missing(CERT, KEY),
            (None, Some(_)) => missing(KEY, CERT),
            (None, None) if config.client_ca.is_some() => missing(CLIENT_CA, CERT),
            (None, None) => Ok(None),
        }
    }

    fn read(&self) -> Result<Contents, TlsError> {
        let client_ca = self.client_ca.as_deref();
        Ok(Contents {
            cert: read(CERT, &self.cert)?,
            key: read(KEY, &self.key)?,
            client_ca: client_ca.map(|file| read(CLIENT_CA, file)).transpose()?,
        })
    }

    fn build(&self, contents: &Contents) -> Result<Arc<ServerConfig>, TlsError> {
        let chain = certificates(CERT, &self.cert, &contents.cert)?;
        let key = PrivateKeyDer::from_pem_slice(&contents.key)
            .map_err(|_| malformed(KEY, &self.key, "private key"))?;
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|source| unusable(CERT, &self.cert, source))?;
        let config = match (&self.client_ca, &contents.client_ca) {
            (Some(file), Some(ca)) => {
                let roots = Arc::new(roots(file, ca)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider)
                    .build()
                    .map_err(|_| malformed(CLIENT_CA, file, "certificate"))?;
                config.with_client_cert_verifier(verifier)
            }
            _ => config.with_no_client_auth(),
        };
        let mut config = config
            .with_single_cert(chain, key)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => TlsError::OtherKey {
                    key: self.key.clone(),
                    cert: self.cert.clone(),
                },
                rustls::Error::InvalidCertificate(_) => unusable(CERT, &self.cert, error),
                _ => unusable(KEY, &self.key, error),
            })?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        Ok(Arc::new(config))
    }
}

impl Contents {
    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let none = Vec::new();
        for content in [
            &self.cert,
            &self.key,
            self.client_ca.as_ref().unwrap_or(&none),
        ] {
            digest.update(content.len().to_be_bytes());
            digest.update(content);
        }
        digest.finalize().into()
    }
}

fn read(flag: &'static str, file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|source| TlsError::Unreadable {
        flag,
        file: file.to_owned(),
        source,
    })
}

/// One or more.
fn certificates(
    flag: &'static str,
    file: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) | Err(_) => Err(malformed(flag, file, "certificate")),
    }
}

fn roots(file: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CLIENT_CA, file, pem)? {
        roots
            .add(certificate)
            .map_err(|source| unusable(CLIENT_CA, file, source))?;
    }
    Ok(roots)
}

fn malformed(flag: &'static str, file: &Path, expected: &'static str) -> TlsError {
    TlsError::Malformed {
        flag,
        file: file.to_owned(),
        expected,
    }
}

fn unusable(flag: &'static str, file: &Path, source: rustls::Error) -> TlsError {
    TlsError::Unusable {
        flag,
        file: file.to_owned(),
        source,
    }
}
