//! Certificates of one test, their files, and clients that trust them.

use std::{fs, io, net::SocketAddr, path::PathBuf, sync::Arc};

use http::Uri;
use hyper_util::rt::TokioIo;
use leash::config::TlsConfig;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};
use tonic::transport::Channel;
use tower::service_fn;

use super::peers::endpoint;

pub struct Ca(CertifiedIssuer<'static, KeyPair>);

/// A certificate of a CA, with its key.
pub struct Identity {
    pub cert: CertificateDer<'static>,
    pub cert_pem: String,
    pub key_pem: String,
}

impl Ca {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a CA"))
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// For `localhost`.
    pub fn server(&self) -> Identity {
        self.identity(ExtendedKeyUsagePurpose::ServerAuth)
    }

    pub fn client(&self) -> Identity {
        self.identity(ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn identity(&self, usage: ExtendedKeyUsagePurpose) -> Identity {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().expect("a key");
        let cert = params.signed_by(&key, &self.0).expect("a certificate");
        Identity {
            cert: cert.der().clone(),
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
        }
    }
}

/// The files that a server reads.
pub struct Files {
    directory: TempDir,
}

impl Files {
    pub fn of(identity: &Identity) -> Self {
        let files = Self {
            directory: tempfile::tempdir().expect("a directory"),
        };
        files.put(identity);
        files
    }

    pub fn put(&self, identity: &Identity) {
        self.write("tls.crt", &identity.cert_pem);
        self.write("tls.key", &identity.key_pem);
    }

    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect(name);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn config(&self) -> TlsConfig {
        TlsConfig {
            cert: Some(self.path("tls.crt")),
            key: Some(self.path("tls.key")),
            client_ca: None,
        }
    }

    pub fn config_with_client_ca(&self) -> TlsConfig {
        TlsConfig {
            client_ca: Some(self.path("ca.crt")),
            ..self.config()
        }
    }
}

/// A client: whom it trusts, who it says it is, and what it speaks.
#[derive(Clone)]
pub struct Client(Arc<ClientConfig>);

impl Client {
    pub fn new(trusted: &Ca, identity: Option<&Identity>, protocol: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.0.der().clone()).expect("a CA");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes());
                config
                    .with_client_auth_cert(vec![identity.cert.clone()], key.expect("a key"))
                    .expect("an identity")
            }
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        Self(Arc::new(config))
    }

    pub async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        TlsConnector::from(Arc::clone(&self.0))
            .connect(name, stream)
            .await
    }

    /// The certificate that a new connection is shown.
    pub async fn shown(&self, address: SocketAddr) -> io::Result<CertificateDer<'static>> {
        let stream = self.connect(address).await?;
        let certificates = stream.get_ref().1.peer_certificates();
        Ok(certificates.expect("a certificate")[0].clone())
    }

    pub fn channel(&self, address: SocketAddr) -> Channel {
        let client = self.clone();
        endpoint().connect_with_connector_lazy(service_fn(move |_: Uri| {
            let client = client.clone();
            async move { client.connect(address).await.map(TokioIo::new) }
        }))
    }
}
