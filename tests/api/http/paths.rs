//! Which method a path and a verb lead to, and what the path and the query say.

use std::collections::BTreeSet;

use serde_json::json;

use super::client::{call, create_lead, get, new_lead, post, put};
use crate::support::{TestApp, json::POOL, on_both_databases};

on_both_databases! {
    // 10
    async fn the_id_in_the_path_wins(app: TestApp) {
        let (a, b) = (create_lead(&app).await, create_lead(&app).await);
        let body = json!({"id": b, "lead": {"firstName": "Jack"}});
        let updated = put(&format!("/v1/leads/{a}")).json(&body).send(&app).await.ok();
        assert_eq!((&updated["id"], &updated["firstName"]), (&json!(a), &json!("Jack")));
        let other = get(&format!("/v1/leads/{b}")).send(&app).await.ok();
        assert_eq!(other["firstName"], "John");
    }

    // 11
    async fn a_query_is_ignored_where_the_body_is_everything(app: TestApp) {
        let path = "/v1/leads:list?company_id=cmp_002&pagination.page_size=9&%ff";
        let body = json!({"companyId": "cmp_001", "pagination": {"pageSize": 5}});
        post(path).json(&body).send(&app).await.ok();
        let answer = post("/v1/leads?lead.first_name=John").send(&app).await;
        assert_eq!(answer.paths(), ["lead.first_name", "lead.phone"]);
    }

    // 12
    async fn an_unknown_query_parameter_is_ignored(app: TestApp) {
        let id = create_lead(&app).await;
        for query in ["x=1", "x", "", "&&", "x.y=1&x=2", "id=other", "%ff=%ff", "id[a]=b", "companyId=cmp_002"] {
            let lead = get(&format!("/v1/leads/{id}?{query}")).send(&app).await.ok();
            assert_eq!(lead["id"], json!(id), "{query}");
        }
    }

    // 13
    async fn a_verb_is_part_of_the_last_segment(app: TestApp) {
        let body = json!({"companyId": "cmp_001", "pagination": {"pageSize": 5}});
        for path in ["/v1/leads:list", "/v1/leads%3Alist", "/v1/customers:list"] {
            post(path).json(&body).send(&app).await.ok();
        }
        let id = create_lead(&app).await;
        post("/v1/leads:promote").json(&json!({"id": id})).send(&app).await.ok();
        // A colon in an id is nothing else.
        let answer = get("/v1/leads/a:list").send(&app).await;
        assert_eq!(answer.error(), (404, 5));
        assert_eq!(answer.reason(), "LEAD_NOT_FOUND");
    }

    // 14
    async fn an_unknown_path_is_not_found(app: TestApp) {
        for path in ["/", "/v1", "/v1/", "/v2/leads", "/v1/leads:nothing", "/v1/leads/a/b", "//v1/leads", "/v1/leads/a/", "/V1/leads", "/v1/leads%2Fa"] {
            for method in ["GET", "POST", "DELETE", "OPTIONS"] {
                let answer = call(method, path).send(&app).await;
                assert_eq!(answer.error(), (404, 5), "{method} {path}");
                assert_eq!(answer.reason(), "UNKNOWN_PATH");
            }
        }
        let answer = post("/moego.business.customer.v1.LeadService/GetLead").json(&json!({"id": "a"})).send(&app).await;
        assert_eq!(answer.error(), (404, 5));
    }

    // 15
    async fn another_verb_is_not_allowed(app: TestApp) {
        for (method, path, allow) in [
            ("GET", "/v1/leads", "OPTIONS, POST"),
            ("HEAD", "/v1/leads", "OPTIONS, POST"),
            ("GET", "/v1/leads:list", "OPTIONS, POST"),
            ("DELETE", "/v1/leads/a", "GET, HEAD, OPTIONS, PUT"),
            ("POST", "/v1/leads/", "GET, HEAD, OPTIONS, PUT"),
            ("PATCH", "/v1/customers/a/notes/b", "DELETE, OPTIONS, PUT"),
            ("BREW", "/v1/leads", "OPTIONS, POST"),
            ("POST", "/healthz", "GET, HEAD, OPTIONS"),
        ] {
            let answer = call(method, path).send(&app).await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {path}");
            if method != "HEAD" {
                assert_eq!(answer.error(), (405, 12));
                assert_eq!(answer.reason(), "METHOD_NOT_ALLOWED");
            }
        }
    }

    // 16
    async fn an_empty_id_is_required(app: TestApp) {
        get("/v1/leads/").send(&app).await.names("id");
        put("/v1/leads/").json(&new_lead()).send(&app).await.names("id");
        call("DELETE", "/v1/customers//notes/a").send(&app).await.names("customer_id");
        post("/v1/setting/companies//custom_fields").send(&app).await.names("company_id");
    }

    async fn segments_are_percent_encoded(app: TestApp) {
        let id = create_lead(&app).await;
        let encoded: String = id.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let lead = get(&format!("/v1/leads/{encoded}")).send(&app).await.ok();
        assert_eq!(lead["id"], json!(id));
        for path in ["/v1/leads/%ff", "/v1/leads/%", "/v1/leads/%zz", "/%c3%28"] {
            let answer = get(path).send(&app).await;
            assert_eq!(answer.error(), (400, 3), "{path}");
        }
        // One segment, whatever is in it.
        let answer = get("/v1/leads/a%2Fb").send(&app).await;
        assert_eq!(answer.error(), (404, 5));
        assert_eq!(answer.reason(), "LEAD_NOT_FOUND");
    }

    async fn options_says_what_a_path_takes(app: TestApp) {
        for (path, allow) in [
            ("/v1/leads", "OPTIONS, POST"),
            ("/v1/leads/a", "GET, HEAD, OPTIONS, PUT"),
            ("/readyz", "GET, HEAD, OPTIONS"),
        ] {
            let answer = call("OPTIONS", path).authorization("").send(&app).await;
            assert_eq!((answer.status, answer.header("allow")), (204, Some(allow)), "{path}");
            assert!(answer.body.is_empty());
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }

    async fn head_is_get_without_the_body(app: TestApp) {
        let path = format!("/v1/leads/{}", create_lead(&app).await);
        for path in [path.as_str(), "/v1/leads/nobody", "/healthz", "/version", "/nothing"] {
            for (head, get) in [
                (call("HEAD", path), get(path)),
                (call("HEAD", path).over_http2(), get(path).over_http2()),
            ] {
                let (head, get) = (head.send(&app).await, get.send(&app).await);
                assert_eq!(head.status, get.status, "{path}");
                assert!(head.body.is_empty());
                assert_eq!(head.header("content-type"), get.header("content-type"));
                let length = get.body.len().to_string();
                assert_eq!(head.header("content-length"), Some(length.as_str()), "{path}");
            }
        }
    }

    async fn every_rule_of_the_descriptors_is_served(app: TestApp) {
        let extension = POOL.get_extension_by_name("google.api.http").expect("the option");
        let mut served = BTreeSet::new();
        for method in POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
            let options = method.options();
            let rule = options.get_extension(&extension);
            let rule = rule.as_message().expect("a rule");
            for verb in ["get", "put", "post", "delete"] {
                let path = rule.get_field_by_name(verb).expect("a field").as_str().expect("a path").to_owned();
                if path.is_empty() {
                    continue;
                }
                let path: String = path.split('{').map(|part| part.split_once('}').map_or(part.to_owned(), |(_, rest)| format!("x{rest}"))).collect();
                let answer = call(&verb.to_uppercase(), &path).authorization("").send(&app).await;
                assert_eq!(answer.error(), (401, 16), "{verb} {path}");
                served.insert(method.full_name().to_owned());
            }
        }
        assert_eq!(served.len(), POOL.services().map(|service| service.methods().len()).sum::<usize>());
    }
}
