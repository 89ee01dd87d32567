//! What is read from a body, and what is written into one.

use serde_json::{Value, json};

use super::client::{create_lead, get, new_lead, post, put};
use crate::support::{
    TestApp,
    builders::{at, buddy, create, john, money, text},
    json::{LEAD, dynamic, example, masked},
    on_both_databases,
};

on_both_databases! {
    // 1
    async fn an_answer_has_every_field_in_lower_camel_case(app: TestApp) {
        let lead = post("/v1/leads").json(&new_lead()).send(&app).await.ok();
        let expected = json!({
            "id": "lcus_*", "firstName": "John", "lastName": "Doe", "avatar": "", "phone": "+12125551234", "email": "",
            "address": null, "pets": [], "preferredBusinessId": "", "allocateStaffId": "",
            "lifeCycle": {"id": "lc_002", "name": "New", "isDefault": true}, "actionStatus": null, "referralSource": null,
            "createdTime": "*", "lastUpdatedTime": "*", "companyId": "cmp_001",
            "complianceConfig": {
                "serviceRelatedChannels": [], "marketingCampaignsChannels": [], "brandedAppEnabled": false,
                "isAgreedMarketingPolicy": false, "isConsented": false,
            },
            "customFields": {},
        });
        assert_eq!(masked(lead), expected);
    }

    // 1
    async fn absent_optional_fields_and_oneofs_are_left_out(app: TestApp) {
        let id = create_lead(&app).await;
        let promoted = post("/v1/leads:promote").json(&json!({"id": id})).send(&app).await.ok();
        let customer = promoted["customer"].as_object().expect("a customer");
        assert!(!customer.contains_key("customFields"), "{customer:?}");
        assert_eq!(customer["lastAppointmentDate"], Value::Null);

        let fields = post("/v1/setting/companies/cmp_001/custom_fields").send(&app).await.ok();
        let field = &fields["customFields"][0];
        assert_eq!(field["defaultValue"], Value::Null);
        let option = fields["customFields"].as_array().expect("a list").iter().find_map(|field| field["options"].get(0));
        assert_eq!(option.expect("an option")["value"].as_object().expect("a value").len(), 1);
    }

    // 1, 3, 4
    async fn an_answer_is_the_json_of_the_message(app: TestApp) {
        let mut lead = john();
        lead.pets = vec![buddy()];
        lead.custom_fields = [
            ("field_estimated_budget".into(), money("USD", 500, 10_000_000)),
            ("field_follow_up_date".into(), leash::pb::setting::custom_field::Value {
                value: Some(leash::pb::setting::custom_field::value::Value::TimestampTime(at(1_708_000_000, 500_000))),
            }),
            ("field_notes".into(), text("\u{1F436} \"quoted\" \\ <b> \u{2028} é")),
        ].into();
        let lead = app.leads().create_lead(create(lead)).await.expect("a lead").into_inner();
        let answer = get(&format!("/v1/leads/{}", lead.id)).send(&app).await.ok();
        let theirs = serde_json::to_value(dynamic(LEAD, &lead)).expect("JSON");
        for (key, value) in theirs.as_object().expect("an object") {
            let ours = &answer[key];
            match key.as_str() {
                // Those have defaults inside, which prost-reflect leaves out here.
                "pets" | "lifeCycle" | "complianceConfig" => {}
                "customFields" => {
                    assert_eq!(ours["field_estimated_budget"], json!({"money": {"currencyCode": "USD", "units": "500", "nanos": 10_000_000}}));
                    assert_eq!(ours["field_follow_up_date"], value["field_follow_up_date"]);
                    assert_eq!(ours["field_notes"], value["field_notes"]);
                }
                _ => assert_eq!(ours, value, "{key}"),
            }
        }
        assert_eq!(answer["pets"][0]["type"], "DOG");
    }

    // 2
    async fn names_are_taken_in_both_spellings(app: TestApp) {
        for body in [
            json!({"company_id": "cmp_001", "pagination": {"page_size": 5}}),
            json!({"companyId": "cmp_001", "pagination": {"pageSize": 5}}),
        ] {
            let page = post("/v1/leads:list").json(&body).send(&app).await.ok();
            assert_eq!(page, json!({"nextPageToken": "", "leads": []}));
        }
    }

    // 3
    async fn an_int64_is_taken_as_a_number_and_as_a_string_and_written_as_a_string(app: TestApp) {
        for count in [json!(9_007_199_254_740_993_i64), json!("9007199254740993")] {
            let mut body = new_lead();
            body["lead"]["customFields"] = json!({"field_count": {"int64": count}});
            let lead = post("/v1/leads").json(&body).send(&app).await.ok();
            assert_eq!(lead["customFields"]["field_count"], json!({"int64": "9007199254740993"}));
        }
    }

    // 4
    async fn an_enum_is_taken_by_name_and_by_number_and_written_by_name(app: TestApp) {
        for r#type in [json!("CAT"), json!(3)] {
            let mut body = new_lead();
            body["lead"]["pets"] = json!([{"name": "Tom", "type": r#type, "breed": "Persian"}]);
            let lead = post("/v1/leads").json(&body).send(&app).await.ok();
            assert_eq!(lead["pets"][0]["type"], "CAT");
        }
    }

    // 5
    async fn an_unknown_enum_name_is_refused_with_its_field(app: TestApp) {
        let mut body = new_lead();
        body["lead"]["pets"] = json!([
            {"name": "Tom", "type": "CAT", "breed": "Persian"},
            {"name": "Smaug", "type": "DRAGON", "breed": "Fire-drake"},
        ]);
        post("/v1/leads").json(&body).send(&app).await.names("lead.pets[1].type");
        assert_eq!(app.count("lead").await, 0);
    }

    // 6
    async fn an_unknown_key_is_ignored_unless_the_client_is_strict(app: TestApp) {
        let mut body = new_lead();
        body["nobody"] = json!({"knows": ["this"]});
        body["lead"]["nickName"] = json!("Johnny");
        let lenient = post("/v1/leads").json(&body);
        lenient.clone().send(&app).await.ok();
        lenient.clone().header("prefer", "handling=lenient").send(&app).await.ok();
        for prefer in ["handling=strict", "respond-async, Handling=Strict; x=y"] {
            let answer = lenient.clone().header("prefer", prefer).send(&app).await;
            assert_eq!(answer.error(), (400, 3));
            let named = answer.paths().remove(0);
            assert!(["nobody", "lead.nickName"].contains(&named.as_str()), "{named}");
        }
        post("/v1/leads").json(&new_lead()).header("prefer", "handling=strict").send(&app).await.ok();
    }

    // 7
    async fn a_body_that_is_cut_off_or_no_json_is_refused(app: TestApp) {
        let whole = new_lead().to_string();
        for body in [&whole[..whole.len() - 1], &whole[..20], "{", "nonsense", "\"text", "{}{}", "[", "\u{0}"] {
            let answer = post("/v1/leads").body(body.to_owned()).send(&app).await;
            assert_eq!(answer.error(), (400, 3), "{body}");
            assert_eq!(answer.reason(), "MALFORMED_MESSAGE");
        }
        for body in [&b"\xff\xfe"[..], b"{\"lead\":{\"firstName\":\"\xff\"}}"] {
            let answer = post("/v1/leads").body(body).send(&app).await;
            assert_eq!(answer.error(), (400, 3));
        }
        assert_eq!(app.count("lead").await, 0);
    }

    // 8
    async fn a_value_of_the_wrong_type_is_refused_with_its_field(app: TestApp) {
        for (lead, path) in [
            (json!({"firstName": 5}), "lead.first_name"),
            (json!("John"), "lead"),
            (json!({"pets": {"name": "Rex"}}), "lead.pets"),
            (json!({"pets": [{"name": "Rex"}, "Tom"]}), "lead.pets[1]"),
            (json!({"pets": [{"weight": {"value": -1}}]}), "lead.pets[0].weight.value"),
            (json!({"address": {"coordinate": {"latitude": "north"}}}), "lead.address.coordinate.latitude"),
            (json!({"createdTime": "yesterday"}), "lead.created_time"),
            (json!({"customFields": {"field_vip": {"bool": "yes"}}}), "lead.custom_fields[\"field_vip\"].bool"),
            (json!({"customFields": {"field_vip": {"bool": true, "string": "x"}}}), "lead.custom_fields[\"field_vip\"].string"),
        ] {
            post("/v1/leads").json(&json!({"lead": lead})).send(&app).await.names(path);
        }
        for body in ["5", "[]", "null", "\"text\""] {
            let answer = post("/v1/leads").body(body).send(&app).await;
            assert_eq!(answer.error(), (400, 3), "{body}");
        }
    }

    // 9
    async fn no_body_is_an_empty_one(app: TestApp) {
        for body in ["", "{}", " \n"] {
            let answer = post("/v1/leads").body(body).send(&app).await;
            assert_eq!(answer.error(), (400, 3));
            assert_eq!(answer.paths(), ["lead.first_name", "lead.phone"]);
        }
        let tags = post("/v1/setting/companies/cmp_001/customer/tags:list").send(&app).await.ok();
        assert_eq!(tags["tags"].as_array().expect("a list").len(), 2);
    }

    // 17
    async fn any_content_type_is_read_as_json(app: TestApp) {
        for content_type in ["application/json", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "x"] {
            let call = post("/v1/leads").json(&new_lead()).header("content-type", content_type);
            for accept in ["text/html", "application/grpc", "*/*"] {
                call.clone().header("accept", accept).send(&app).await.ok();
            }
        }
        post("/v1/leads").json(&new_lead()).send(&app).await.ok();
    }

    async fn null_is_as_if_it_were_not_there(app: TestApp) {
        let mut body = new_lead();
        body["lead"]["email"] = Value::Null;
        body["lead"]["pets"] = Value::Null;
        body["lead"]["address"] = Value::Null;
        body["complianceConfig"] = Value::Null;
        post("/v1/leads").json(&body).send(&app).await.ok();
    }

    async fn the_documents_examples_work(app: TestApp) {
        let mut body: Value = serde_json::from_str(&example("create_lead.request.json")).expect("JSON");
        body["lead"]["companyId"] = json!("cmp_001");
        let lead = post("/v1/leads").json(&body).send(&app).await.ok();
        assert_eq!(lead["address"]["postalCode"], "10001");
        assert_eq!(lead["customFields"], json!({
            "field_lead_source_detail": {"string": "Facebook Ad Campaign"},
            "field_estimated_budget": {"money": {"currencyCode": "USD", "units": "500", "nanos": 0}},
            "field_interested_services": {"stringList": {"values": ["Grooming", "Boarding", "Training"]}},
            "field_follow_up_date": {"timestampTime": "2024-02-15T10:00:00Z"},
        }));

        let mut body: Value = serde_json::from_str(&example("update_lead.request.json")).expect("JSON");
        let path = format!("/v1/leads/{}", lead["id"].as_str().expect("an id"));
        body.as_object_mut().expect("an object").remove("id");
        let updated = put(&path).json(&body).send(&app).await.ok();
        assert_eq!(updated["actionStatus"]["name"], "Contacted");
        assert_eq!(updated["complianceConfig"]["serviceRelatedChannels"], json!(["COMPLIANCE_CHANNEL_SMS"]));
        assert_eq!(updated["customFields"], lead["customFields"]);
    }

    async fn a_mask_may_name_a_custom_field_by_its_code(app: TestApp) {
        let mut body = new_lead();
        body["lead"]["customFields"] = json!({"field_notes": {"string": "a"}, "field_count": {"int64": 1}});
        let lead = post("/v1/leads").json(&body).send(&app).await.ok();
        let path = format!("/v1/leads/{}", lead["id"].as_str().expect("an id"));
        let update = json!({"lead": {"firstName": "Jack"}, "updateMask": "firstName,customFields.field_notes"});
        let updated = put(&path).json(&update).send(&app).await.ok();
        assert_eq!(updated["firstName"], "Jack");
        assert_eq!(updated["lastName"], "Doe");
        assert_eq!(updated["customFields"], json!({"field_count": {"int64": "1"}}));
    }
}
