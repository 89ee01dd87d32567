//! What stands where a key should.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use prost::Message;
use tonic::Code;

use super::{Sender, some};
use crate::support::{
    TestApp,
    methods::{Ids, METHODS},
    on_both_databases,
};

const CASES: usize = 500;

fn headers(key: &str) -> impl Strategy<Value = (&'static str, Vec<u8>)> + use<> {
    let name = prop::sample::select(vec!["authorization", "authorization", "x-api-key"]);
    let scheme = prop::sample::select(vec![
        "",
        "Bearer ",
        "bearer  ",
        "BEARER",
        "Basic ",
        "basic\t",
        "Digest ",
        "Bearer Bearer ",
        " ",
        "leash_",
        "Basic leash",
    ]);
    let (changed, cut, spoiled) = (key.to_owned(), key.to_owned(), key.to_owned());
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(any::<u8>(), 0..100)
            .prop_map(|bytes| BASE64_STANDARD.encode(bytes).into_bytes()),
        prop::collection::vec(any::<u8>(), 0..100).prop_map(|bytes| BASE64_STANDARD
            .encode([b"leash_", &*bytes].concat())
            .into_bytes()),
        "leash_[!-~]{0,3000}".prop_map(String::into_bytes),
        (0..key.len(), any::<u8>()).prop_map(move |(position, byte)| {
            let mut bytes = changed.clone().into_bytes();
            bytes[position] = byte;
            bytes
        }),
        (0..key.len()).prop_map(move |length| cut.as_bytes()[..length].to_vec()),
        "[:=\u{0}\u{e9} ]{1,3}".prop_map(move |more| BASE64_STANDARD
            .encode(format!("{spoiled}{more}"))
            .into_bytes()),
    ];
    (name, scheme, value)
        .prop_map(|(name, scheme, value)| (name, [scheme.as_bytes(), &value].concat()))
}

on_both_databases! {
    async fn nothing_but_a_key_opens_anything(app: TestApp) {
        let sender = Sender::new(&app);
        let method = METHODS.iter().find(|method| method.path.ends_with("ListLeadsLifeCycles")).expect("the method");
        let message = method.message(&Ids { company: "cmp_001", lead: "", customer: "" }).encode_to_vec();
        let path = "/v1/setting/companies/cmp_001/leads/life_cycles";
        let mut tried = 0;
        for (name, value) in some(CASES, &headers(app.default_key())) {
            let is_whole_key = String::from_utf8_lossy(&value).contains(app.default_key());
            // One with the colon of an empty password is the key.
            let is_encoded_key = String::from_utf8_lossy(&value).contains(&BASE64_STANDARD.encode(format!("{}:", app.default_key())));
            let Ok(header) = HeaderValue::from_bytes(&value) else { continue };
            if is_whole_key || is_encoded_key {
                continue;
            }
            tried += 1;
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), header)]);
            let status = sender.grpc(method.path, headers.clone(), &message).await.expect_err("no key");
            assert_eq!(status.code(), Code::Unauthenticated, "{name}: {value:?}");
            let answer = sender.json(Method::POST, path, headers, Vec::new()).await;
            assert_eq!(answer.error(), (401, 16), "{name}: {value:?}");
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(!text.contains(app.default_key()), "{text}");
        }
        assert!(tried > CASES / 3, "{tried}");
        sender.grpc(method.path, sender.headers(), &message).await.expect("the key itself");
        assert_eq!(sender.json(Method::POST, path, sender.headers(), Vec::new()).await.status, 200);
    }
}
