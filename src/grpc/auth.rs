//! The layer that turns a key into a scope. What does not pass it has no scope, and without a scope there is no access.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::Request;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::Utc;
use http::{Extensions, HeaderMap, HeaderName, header::AUTHORIZATION};

use super::admission;
use super::rate::{Failures, KeyRate, Peer};
use crate::config::LimitsConfig;
use crate::domain::api_key::{ApiKey, KeyDigest, NotLive, SECRET_PREFIX};
use crate::domain::id::is_well_formed;
use crate::domain::scope::{Permission, Scope};
use crate::error::{Error, Limit, Result};
use crate::repository::Repository;
use crate::telemetry::call;
use crate::telemetry::metrics::{self, AuthenticationFailure, Shed};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_ACTOR_ID: HeaderName = HeaderName::from_static("x-actor-id");

/// Base64 as clients write it, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What keys are compared with, and how often they may be shown.
pub struct Keys {
    repository: Repository,
    rate: KeyRate,
    failures: Failures,
}

impl Keys {
    pub fn new(repository: Repository, limits: &LimitsConfig) -> Self {
        Self {
            repository,
            rate: KeyRate::new(limits.key_rate_limit),
            failures: Failures::new(limits.auth_failure_limit),
        }
    }

    /// The layer that gives a request the scope of its key. Where none is needed there is none.
    pub async fn authenticate(&self, request: &mut Request) -> Result<()> {
        if is_open(request.uri().path()) {
            return Ok(());
        }
        let (headers, extensions) = (request.headers(), request.extensions());
        let scope = scope_of_headers(self, headers, extensions).await?;
        let caller = Caller {
            actor: actor(headers, &scope),
            scope,
        };
        request.extensions_mut().insert(caller);
        Ok(())
    }
}

/// Whether the service says nothing of anybody's data.
fn is_open(path: &str) -> bool {
    path.starts_with(admission::HEALTH)
        || admission::REFLECTION
            .iter()
            .any(|service| path.starts_with(service))
}

/// What the layer found out about a call, on its way to the handler.
#[derive(Clone)]
struct Caller {
    scope: Scope,
    /// Who is written down as the author, unless what was sent cannot be anybody's id.
    actor: Option<String>,
}

/// The caller's scope, if its key allows what the method needs. Only then is it of interest whether its actor is one.
pub fn scope_of<T>(request: &tonic::Request<T>, needs: Permission) -> Result<Scope> {
    let Caller { scope, actor } = request
        .extensions()
        .get::<Caller>()
        .ok_or(Error::Unauthenticated(NO_KEY))?;
    scope.require(needs)?;
    let actor = actor.clone().ok_or_else(|| {
        Error::invalid(
            X_ACTOR_ID.as_str(),
            "must be 1 to 64 visible ASCII characters",
        )
    })?;
    Ok(Scope {
        actor,
        ..scope.clone()
    })
}

const NO_KEY: &str = "an API key is required: send it as `authorization: Bearer KEY`";
const BAD_KEY: &str = "the API key is not valid";

/// Why a call's key opens nothing.
#[derive(Debug, Clone, Copy)]
enum Failure {
    Missing,
    Malformed,
    NotLive(NotLive),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Unauthenticated(match failure {
            Failure::Missing => NO_KEY,
            Failure::Malformed | Failure::NotLive(_) => BAD_KEY,
        })
    }
}

impl Failure {
    fn count(self) {
        metrics::authentication_failed(match self {
            Self::Missing => AuthenticationFailure::Missing,
            Self::Malformed => AuthenticationFailure::Malformed,
            Self::NotLive(NotLive::Unknown) => AuthenticationFailure::Unknown,
            Self::NotLive(NotLive::Expired) => AuthenticationFailure::Expired,
            Self::NotLive(NotLive::Revoked) => AuthenticationFailure::Revoked,
        });
    }
}

async fn scope_of_headers(
    keys: &Keys,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Scope> {
    let peer = Peer::of(extensions);
    let digest = digest_of(headers);
    if let Some(retry_after) = keys.failures.wait(peer, Instant::now())
        // Honest clients may stand behind the same proxy. Other keys cost the database nothing now.
        && !digest.is_ok_and(|digest| keys.repository.is_proven(digest))
    {
        metrics::authentication_failed(AuthenticationFailure::PeerLimited);
        metrics::shed(Shed::Authentication);
        let limit = Limit::AuthenticationFailures;
        return Err(Error::Exhausted { limit, retry_after });
    }
    let key = match recognise(keys, digest).await? {
        Ok(key) => key,
        Err(failure) => {
            failure.count();
            keys.failures.count(peer, Instant::now());
            return Err(failure.into());
        }
    };
    call::note_key(&key.id);
    keys.rate.count(&key.id).map_err(|retry_after| {
        metrics::shed(Shed::RateLimited);
        let limit = Limit::KeyRate;
        Error::Exhausted { limit, retry_after }
    })?;
    let scope = Scope {
        actor: key.id.clone(),
        key_id: key.id.clone(),
        permissions: key.permissions.clone(),
        companies: key.companies.clone(),
    };
    if let Some(company_id) = scope.only_company() {
        call::note_company(company_id);
    }
    Ok(scope)
}

async fn recognise(
    keys: &Keys,
    digest: Result<KeyDigest, Failure>,
) -> Result<Result<Arc<ApiKey>, Failure>> {
    Ok(match digest {
        Ok(digest) => {
            let found = keys.repository.authenticate(digest, Utc::now()).await?;
            found.map_err(Failure::NotLive)
        }
        Err(failure) => Err(failure),
    })
}

fn digest_of(headers: &HeaderMap) -> Result<KeyDigest, Failure> {
    let sent = sent_key(headers).ok_or(Failure::Missing)?;
    let secret = secret_in(sent).ok_or(Failure::Malformed)?;
    Ok(KeyDigest::of(&secret))
}

/// What stands behind the scheme in `authorization`, or else in `x-api-key`.
fn sent_key(headers: &HeaderMap) -> Option<&str> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let sent = match text(AUTHORIZATION) {
        Some(value) => match value.split_once(' ') {
            Some((scheme, key)) if is_known_scheme(scheme) => key.trim_start(),
            _ if is_known_scheme(value) => "",
            _ => value,
        },
        None => text(X_API_KEY)?,
    };
    (!sent.is_empty()).then_some(sent)
}

/// Schemes are case-insensitive (RFC 9110, section 11.1).
fn is_known_scheme(scheme: &str) -> bool {
    ["bearer", "basic"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
}

/// The secret, sent as it is or as base64 with or without the colon of an empty password.
fn secret_in(sent: &str) -> Option<String> {
    if sent.starts_with(SECRET_PREFIX) {
        return Some(sent.to_owned());
    }
    let decoded = String::from_utf8(BASE64.decode(sent).ok()?).ok()?;
    let secret = decoded.strip_suffix(':').unwrap_or(&decoded);
    secret.starts_with(SECRET_PREFIX).then(|| secret.to_owned())
}

/// The member of staff in whose name the caller writes; the key itself if none is sent.
fn actor(headers: &HeaderMap, scope: &Scope) -> Option<String> {
    match headers.get(X_ACTOR_ID) {
        None => Some(scope.actor.clone()),
        Some(sent) => sent
            .to_str()
            .ok()
            .filter(|actor| is_well_formed(actor))
            .map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_sending_a_key_is_understood() {
        let secret = "leash_secret";
        let plain = BASE64.encode(secret);
        let with_colon = BASE64.encode(format!("{secret}:"));
        for (name, value) in [
            ("authorization", format!("Bearer {secret}")),
            ("authorization", format!("bearer  {secret}")),
            ("authorization", format!("Basic {secret}")),
            ("authorization", format!("Basic {plain}")),
            (
                "authorization",
                format!("BASIC {}", plain.trim_end_matches('=')),
            ),
            ("authorization", format!("Basic {with_colon}")),
            ("authorization", secret.to_owned()),
            ("authorization", plain.clone()),
            ("x-api-key", secret.to_owned()),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().expect("a header value"));
            let found = sent_key(&headers).and_then(secret_in);
            assert_eq!(found.as_deref(), Some(secret), "{name}: {value}");
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "Basic",
            "Digest abc",
            "Basic bm9wZQ==",
            "====",
            "ÿ",
        ] {
            let mut headers = HeaderMap::new();
            let value = http::HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
            headers.insert("authorization", value);
            assert_eq!(sent_key(&headers).and_then(secret_in), None);
        }
    }
}
