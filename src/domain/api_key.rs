//! API keys: how a secret is made, recognised and kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::Timestamp;
use super::scope::{Companies, Permission};
use crate::error::{Error, Result};

/// Every secret begins so: secret scanners find one that leaked, and one is told from its base64.
pub const SECRET_PREFIX: &str = "leash";

/// The secret half of a key. Its `Debug` hides it; only its SHA-256 is stored.
#[derive(Debug, Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// 256 bits from the operating system.
    pub fn generate() -> Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|cause| Error::internal(cause.to_string()))?;
        Ok(format!("{SECRET_PREFIX}_{}", URL_SAFE_NO_PAD.encode(bytes)).into())
    }

    /// For showing it once, at its making.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of(self.expose())
    }
}

impl From<String> for Secret {
    fn from(secret: String) -> Self {
        Self(secret.into())
    }
}

/// SHA-256 of a secret. The secrets are random, so that a slow hash would add nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest(pub [u8; 32]);

impl KeyDigest {
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }
}

/// What is known of a key, its secret aside.
#[derive(Debug, Clone)]
pub struct ApiKey {
    pub id: String,
    pub name: String,
    pub permissions: Vec<Permission>,
    pub companies: Companies,
    pub created_time: Timestamp,
    pub expires_time: Option<Timestamp>,
    pub revoked_time: Option<Timestamp>,
}

/// Why a secret opens nothing. Not for the caller, who learns nothing of a key that is not live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotLive {
    Unknown,
    Expired,
    Revoked,
}

impl ApiKey {
    pub fn check_live(&self, now: Timestamp) -> Result<(), NotLive> {
        if self.revoked_time.is_some() {
            return Err(NotLive::Revoked);
        }
        match self.expires_time {
            Some(expiry) if now >= expiry => Err(NotLive::Expired),
            Some(_) | None => Ok(()),
        }
    }
}

/// What a new key is to allow.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    pub name: String,
    pub permissions: Vec<Permission>,
    pub companies: Companies,
    pub expires_time: Option<Timestamp>,
}
