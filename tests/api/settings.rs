//! SettingService, and the files that settings are written with.

use std::{fs, time::Duration};

use leash::{
    domain::{
        custom_field::{Association, FieldSource, FieldType, FieldValue},
        setting_file::{FieldEntry, LifeCycleEntry, NamedEntry, OptionEntry, SettingFile},
    },
    pb::{
        customer::Lead,
        setting::{
            ActionStatus, CustomField, LifeCycle, ListCustomFieldsRequest,
            ListCustomerReferralSourcesRequest, ListCustomerTagsRequest,
            ListLeadsActionStatusRequest, ListLeadsLifeCyclesRequest, ReferralSource,
            custom_field::AssociationType, list_custom_fields_request::Filter,
        },
    },
};
use serde_json::{Value, json};
use tonic::Code;

use crate::support::{
    StatusAssertions, TestApp,
    builders::{create, get, john, text, update},
    cli::leash,
    eventually,
    json::{example, from_json, masked, to_json},
    on_both_databases,
    settings::{company, field, happy_paws, named, options, stage},
};

const TAGS: &str = "moego.business.setting.v1.ListCustomerTagsResponse";
const SOURCES: &str = "moego.business.setting.v1.ListCustomerReferralSourcesResponse";
const STAGES: &str = "moego.business.setting.v1.ListLeadsLifeCyclesResponse";
const STATUSES: &str = "moego.business.setting.v1.ListLeadsActionStatusResponse";
const FIELDS: &str = "moego.business.setting.v1.ListCustomFieldsResponse";

fn cmp_001<R>(request: impl FnOnce(String) -> R) -> R {
    request("cmp_001".into())
}

async fn tags(app: &TestApp) -> Value {
    let request = cmp_001(|company_id| ListCustomerTagsRequest { company_id });
    let answer = app
        .settings()
        .list_customer_tags(request)
        .await
        .expect("the tags");
    to_json(TAGS, &answer.into_inner())
}

async fn sources(app: &TestApp) -> Vec<ReferralSource> {
    let request = cmp_001(|company_id| ListCustomerReferralSourcesRequest { company_id });
    let answer = app
        .settings()
        .list_customer_referral_sources(request)
        .await
        .expect("the sources");
    answer.into_inner().referral_sources
}

async fn stages(app: &TestApp) -> Vec<LifeCycle> {
    let request = cmp_001(|company_id| ListLeadsLifeCyclesRequest { company_id });
    let answer = app
        .settings()
        .list_leads_life_cycles(request)
        .await
        .expect("the stages");
    answer.into_inner().life_cycles
}

async fn statuses(app: &TestApp) -> Vec<ActionStatus> {
    let request = cmp_001(|company_id| ListLeadsActionStatusRequest { company_id });
    let answer = app
        .settings()
        .list_leads_action_status(request)
        .await
        .expect("the statuses");
    answer.into_inner().action_statuses
}

/// The fields of these association types; of all, without any filter, if there are none.
async fn fields(app: &TestApp, types: &[AssociationType]) -> Vec<CustomField> {
    let association_types = types.iter().map(|&r#type| r#type.into()).collect();
    let filter = (!types.is_empty()).then_some(Filter { association_types });
    let request = cmp_001(|company_id| ListCustomFieldsRequest { company_id, filter });
    let answer = app
        .settings()
        .list_custom_fields(request)
        .await
        .expect("the fields");
    answer.into_inner().custom_fields
}

/// All that the service says of the settings of `cmp_001`.
async fn everything(
    app: &TestApp,
) -> (
    Value,
    Vec<ReferralSource>,
    Vec<LifeCycle>,
    Vec<ActionStatus>,
    Vec<CustomField>,
) {
    (
        tags(app).await,
        sources(app).await,
        stages(app).await,
        statuses(app).await,
        fields(app, &[]).await,
    )
}

async fn apply(app: &TestApp, file: &SettingFile) {
    app.repository()
        .apply_settings(file, "tests")
        .await
        .expect("apply settings");
}

async fn export(app: &TestApp) -> SettingFile {
    let file = app
        .repository()
        .export_settings("cmp_001")
        .await
        .expect("export settings");
    file.expect("the company")
}

fn documented(file: &str) -> Value {
    serde_json::from_str(&example(file)).expect("JSON")
}

fn names(entries: &[ReferralSource]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

fn ids<T>(entries: &[T], id: fn(&T) -> &String) -> Vec<&str> {
    entries.iter().map(|entry| id(entry).as_str()).collect()
}

on_both_databases! {
    async fn tags_are_listed_as_documented(app: TestApp) {
        let request: ListCustomerTagsRequest = from_json(
            "moego.business.setting.v1.ListCustomerTagsRequest",
            &example("list_customer_tags.request.json"),
        );
        let answer = app.settings().list_customer_tags(request).await.expect("the tags");
        assert_eq!(to_json(TAGS, &answer.into_inner()), documented("list_customer_tags.response.json"));
    }

    async fn referral_sources_are_listed_as_documented(app: TestApp) {
        let request: ListCustomerReferralSourcesRequest = from_json(
            "moego.business.setting.v1.ListCustomerReferralSourcesRequest",
            &example("list_customer_referral_sources.request.json"),
        );
        let answer = app.settings().list_customer_referral_sources(request).await.expect("the sources");
        assert_eq!(to_json(SOURCES, &answer.into_inner()), documented("list_customer_referral_sources.response.json"));
    }

    async fn stages_and_statuses_are_listed_in_their_order(app: TestApp) {
        let request = cmp_001(|company_id| ListLeadsLifeCyclesRequest { company_id });
        let answer = app.settings().list_leads_life_cycles(request).await.expect("the stages");
        assert_eq!(to_json(STAGES, &answer.into_inner()), json!({ "lifeCycles": [
            { "id": "lc_001", "name": "Qualified" },
            { "id": "lc_002", "name": "New", "isDefault": true },
            { "id": "lc_003", "name": "Lost" },
        ]}));
        let request = cmp_001(|company_id| ListLeadsActionStatusRequest { company_id });
        let answer = app.settings().list_leads_action_status(request).await.expect("the statuses");
        assert_eq!(to_json(STATUSES, &answer.into_inner()), json!({ "actionStatuses": [
            { "id": "as_001", "name": "Contacted", "color": "#00FF00" },
            { "id": "as_002", "name": "Waiting", "color": "#FFA500" },
        ]}));
    }

    async fn a_custom_field_says_all_that_is_known_of_it(app: TestApp) {
        apply(&app, &SettingFile {
            custom_fields: vec![
                FieldEntry {
                    label: "Size of the dog".into(),
                    required: true,
                    default_value: Some(FieldValue::String("s".into())),
                    options: vec![
                        OptionEntry::Labelled { value: "s".into(), label: "Small".into() },
                        OptionEntry::Same("large".into()),
                    ],
                    source: FieldSource::System,
                    help_text: "How big?".into(),
                    ..field("field_size", Association::Lead, FieldType::Select)
                },
            ],
            ..happy_paws()
        }).await;
        let request = cmp_001(|company_id| ListCustomFieldsRequest { company_id, filter: None });
        let answer = app.settings().list_custom_fields(request).await.expect("the fields").into_inner();
        let field = &answer.custom_fields[0];
        assert!(instant(field.update_time) > instant(field.create_time), "{field:?}");
        let mut json = masked(to_json(FIELDS, &answer));
        for time in ["createTime", "updateTime"] {
            json["customFields"][0].as_object_mut().expect("a field").remove(time).expect(time);
        }
        assert_eq!(json, json!({ "customFields": [{
            "id": "cf_size",
            "companyId": "cmp_001",
            "associationType": "LEAD",
            "code": "field_size",
            "label": "Size of the dog",
            "type": "SELECT",
            "isRequired": true,
            "defaultValue": { "string": "s" },
            "options": [
                { "value": { "string": "s" }, "label": "Small", "sortOrder": 1 },
                { "value": { "string": "large" }, "label": "large", "sortOrder": 2 },
            ],
            "source": "SYSTEM",
            "displayOrder": 1,
            "helpText": "How big?",
        }]}));
    }

    async fn fields_are_filtered_by_what_they_belong_to(app: TestApp) {
        use AssociationType::{Customer, Lead, Unspecified};
        let all: Vec<_> = happy_paws().custom_fields.into_iter().map(|field| field.code).collect();
        let (leads, customers) = all.split_at(12);
        for (types, expected) in [
            (&[][..], &all[..]),
            (&[Lead], leads),
            (&[Customer], customers),
            (&[Customer, Lead], &all[..]),
        ] {
            let fields = fields(&app, types).await;
            assert_eq!(ids(&fields, |field| &field.code), expected, "{types:?}");
        }
        let empty = cmp_001(|company_id| ListCustomFieldsRequest { company_id, filter: Some(Filter::default()) });
        let answer = app.settings().list_custom_fields(empty).await.expect("the fields");
        assert_eq!(answer.into_inner().custom_fields.len(), all.len());
        for unknown in [Unspecified.into(), 9] {
            let filter = Some(Filter { association_types: vec![Lead.into(), unknown] });
            let request = cmp_001(|company_id| ListCustomFieldsRequest { company_id, filter });
            let status = app.settings().list_custom_fields(request).await.expect_err("no such type");
            assert_eq!(status.paths(), ["filter.association_types[1]"], "{unknown}");
        }
    }

    async fn lists_need_a_company(app: TestApp) {
        for company_id in ["", "cmp_001\0"] {
            let key = app.key(leash::domain::scope::Companies::All, &leash::domain::scope::Permission::ALL).await;
            let request = ListCustomerTagsRequest { company_id: company_id.into() };
            let status = app.settings_with(&key).list_customer_tags(request).await.expect_err(company_id);
            assert_eq!(status.code(), Code::InvalidArgument, "{company_id}");
            assert_eq!(status.paths(), ["company_id"]);
        }
    }

    async fn a_new_order_is_the_order_of_the_list(app: TestApp) {
        let mut file = happy_paws();
        file.referral_sources.reverse();
        file.referral_sources.insert(1, named("ref_000", "Walk-in"));
        apply(&app, &file).await;
        assert_eq!(names(&sources(&app).await), ["Social Media", "Walk-in", "Google Search"]);
    }

    async fn equal_places_are_listed_by_name(app: TestApp) {
        app.sql("UPDATE life_cycle SET display_order = 1 WHERE company_id = 'cmp_001'").await;
        eventually("sorted by name", Duration::from_secs(5), async || {
            ids(&stages(&app).await, |stage| &stage.name) == ["Lost", "New", "Qualified"]
        }).await;
    }

    async fn what_is_left_out_is_archived_and_old_leads_still_show_it(app: TestApp) {
        let mut given = john();
        given.life_cycle = Some(LifeCycle { id: "lc_003".into(), ..LifeCycle::default() });
        given.action_status = Some(ActionStatus { id: "as_002".into(), ..ActionStatus::default() });
        given.referral_source = Some(ReferralSource { id: "ref_002".into(), ..ReferralSource::default() });
        given.custom_fields = [("field_notes".into(), text("kept"))].into();
        let lead = app.leads().create_lead(create(given.clone())).await.expect("a lead").into_inner();

        let mut file = happy_paws();
        file.customer_tags.pop();
        file.referral_sources.pop();
        file.life_cycles.pop();
        file.action_statuses.pop();
        file.custom_fields.retain(|field| field.code != "field_notes");
        apply(&app, &file).await;
        assert_eq!(tags(&app).await["tags"].as_array().map(Vec::len), Some(1));
        assert_eq!(names(&sources(&app).await), ["Google Search"]);
        assert_eq!(ids(&stages(&app).await, |stage| &stage.id), ["lc_001", "lc_002"]);
        assert_eq!(ids(&statuses(&app).await, |status| &status.id), ["as_001"]);
        assert!(fields(&app, &[]).await.iter().all(|field| field.code != "field_notes"));

        let read = app.leads().get_lead(get(&lead.id)).await.expect("the lead").into_inner();
        assert_eq!(read, lead);
        assert_eq!(read.life_cycle.expect("a stage").name, "Lost");

        let status = app.leads().create_lead(create(given)).await.expect_err("all of it is archived");
        assert_eq!(status.paths(), [
            "lead.action_status.id",
            r#"lead.custom_fields["field_notes"]"#,
            "lead.life_cycle.id",
            "lead.referral_source.id",
        ]);

        // What the lead has may stay, even when it is said again.
        let change = Lead { id: String::new(), last_name: "Changed".into(), ..read_again(&lead) };
        let changed = app.leads().update_lead(update(&lead.id, change)).await.expect("the lead").into_inner();
        assert_eq!(changed.last_name, "Changed");
        assert_eq!((changed.life_cycle, changed.custom_fields), (lead.life_cycle, lead.custom_fields));

        apply(&app, &happy_paws()).await;
        assert_eq!(stages(&app).await.len(), 3, "it comes back under its id");
    }

    async fn a_new_name_shows_in_old_leads(app: TestApp) {
        let lead = app.leads().create_lead(create(john())).await.expect("a lead").into_inner();
        let mut file = happy_paws();
        file.life_cycles[1].name = "Brand new".into();
        apply(&app, &file).await;
        let lead = app.leads().get_lead(get(&lead.id)).await.expect("the lead").into_inner();
        assert_eq!(lead.life_cycle.expect("the default stage").name, "Brand new");
    }

    async fn what_is_applied_here_is_seen_here_at_once_whoever_reads_beside(app: TestApp) {
        let reading = (0..6).map(|_| {
            let mut settings = app.settings();
            tokio::spawn(async move {
                loop {
                    let request = cmp_001(|company_id| ListCustomerTagsRequest { company_id });
                    settings.list_customer_tags(request).await.expect("the tags");
                }
            })
        });
        let reading: Vec<_> = reading.collect();
        for round in 0..20 {
            let named = |suffix: &str| {
                let mut file = happy_paws();
                file.referral_sources[0].name = format!("Source {round}{suffix}");
                file
            };
            // What was read while a file was being applied must not outlast it.
            let files = [named("a"), named("b"), named("c")];
            let [a, b, c] = files.each_ref().map(|file| app.repository().apply_settings(file, "tests"));
            let (a, b, c) = tokio::join!(a, b, c);
            assert!(a.is_ok() && b.is_ok() && c.is_ok(), "{a:?} {b:?} {c:?}");
            let stored = export(&app).await.referral_sources.swap_remove(0).name;
            assert_eq!(sources(&app).await[0].name, stored);
        }
        reading.iter().for_each(tokio::task::JoinHandle::abort);
    }

    async fn applying_a_file_again_changes_nothing(app: TestApp) {
        let before = everything(&app).await;
        let applied = app.repository().apply_settings(&happy_paws(), "somebody else").await.expect("apply settings");
        assert_eq!((applied.created, applied.changed, applied.archived), (0, 0, 0));
        assert_eq!(everything(&app).await, before);
    }

    async fn only_what_changes_is_stamped(app: TestApp) {
        let before = fields(&app, &[]).await;
        let mut file = happy_paws();
        for tag in &mut file.customer_tags {
            (tag.last_updated_by, tag.last_updated_time) = (None, None);
        }
        file.customer_tags[1].name = "Newcomer".into();
        file.custom_fields[1].label = "Budget".into();
        apply(&app, &file).await;

        let tags = tags(&app).await;
        assert_eq!(tags["tags"][0]["lastUpdatedBy"], "staff_001");
        assert_eq!(tags["tags"][0]["lastUpdatedTime"], "2023-01-01T10:00:00Z");
        assert_eq!(tags["tags"][1]["lastUpdatedBy"], "tests");
        assert_ne!(tags["tags"][1]["lastUpdatedTime"], "2023-01-02T10:00:00Z");

        for (index, (before, after)) in before.iter().zip(fields(&app, &[]).await).enumerate() {
            assert_eq!(before.create_time, after.create_time);
            assert_eq!(instant(after.update_time) > instant(before.update_time), index == 1, "{}", after.code);
        }
    }

    async fn entries_without_an_id_are_known_by_their_name(app: TestApp) {
        let mut file = happy_paws();
        file.referral_sources = vec![
            NamedEntry { id: None, name: "Social Media".into() },
            NamedEntry { id: None, name: "Walk-in".into() },
        ];
        file.life_cycles.push(LifeCycleEntry { id: None, ..stage("", "Waiting", false) });
        apply(&app, &file).await;
        let first = sources(&app).await;
        assert_eq!(names(&first), ["Social Media", "Walk-in"]);
        assert_eq!(first[0].id, "ref_002");
        assert!(first[1].id.starts_with("ref_") && first[1].id.len() == 30, "{}", first[1].id);
        apply(&app, &file).await;
        assert_eq!(sources(&app).await, first);
        assert_eq!(stages(&app).await.len(), 4);
    }

    async fn an_exported_file_makes_the_same_settings(app: TestApp) {
        let before = everything(&app).await;
        let file = export(&app).await;
        assert_eq!(file, happy_paws());
        apply(&app, &file).await;
        assert_eq!(everything(&app).await, before);
        apply(&app, &company("cmp_001", "Happy Paws", None)).await;
        assert!(fields(&app, &[]).await.is_empty());
        apply(&app, &file).await;
        assert_eq!(export(&app).await, file);
        assert_eq!(app.repository().export_settings("cmp_999").await.expect("no error"), None);
    }

    async fn a_bad_file_lists_all_that_is_wrong_and_changes_nothing(app: TestApp) {
        let mut file = happy_paws();
        file.company.default_region = Some("Atlantis".into());
        file.customer_tags[1].id = Some("tag_001".into());
        file.referral_sources[0].name = " ".into();
        file.life_cycles[0].default = true;
        file.action_statuses[0].id = Some("lc_001".into());
        file.custom_fields[1].code = "field_lead_source_detail".into();
        file.custom_fields[2].options = options(&["Grooming", "Grooming"]);
        file.custom_fields[3].options = options(&["a"]);
        file.custom_fields[4].default_value = Some(FieldValue::Int64(1));
        let error = app.repository().apply_settings(&file, "tests").await.expect_err("a bad file");
        let leash::error::Error::Invalid(violations) = error else {
            panic!("{error}")
        };
        let paths: Vec<_> = violations.iter().map(|violation| violation.path.as_str()).collect();
        assert_eq!(paths, [
            "action_statuses[0].id",
            "company.default_region",
            "custom_fields[1].code",
            "custom_fields[2].options[1]",
            "custom_fields[3].options",
            "custom_fields[4].default_value",
            "customer_tags[1].id",
            "life_cycles",
            "referral_sources[0].name",
        ]);
        assert_eq!(export(&app).await, happy_paws());
    }

    async fn the_command_line_exports_what_it_applies(app: TestApp) {
        let directory = tempfile::tempdir().expect("make a directory");
        for (format, name) in [("yaml", "Bing"), ("json", "DuckDuckGo")] {
            let arguments = ["settings", "export", "--company", "cmp_001", "--format", format];
            let export = || leash(app.database_url(), &arguments);
            let path = directory.path().join(format!("settings.{format}"));
            let apply = |text: &str| {
                fs::write(&path, text).expect("write the file");
                leash(app.database_url(), &["settings", "apply", path.to_str().expect("UTF-8")])
            };
            let exported = export();
            assert!(exported.succeeded, "{exported:?}");
            let again = apply(&exported.output);
            assert!(again.succeeded, "{again:?}");
            assert!(again.output.contains("0 created, 0 changed, 0 archived"), "{again:?}");

            let before = sources(&app).await.swap_remove(0).name;
            let changed = exported.output.replace(&before, name);
            let applied = apply(&changed);
            assert!(applied.output.contains("0 created, 1 changed, 0 archived"), "{applied:?}");
            assert_eq!(export().output, changed);
            eventually("the server has seen it", Duration::from_secs(5), async || {
                names(&sources(&app).await) == [name, "Social Media"]
            }).await;
        }
        assert_eq!(export(&app).await.custom_fields, happy_paws().custom_fields);
        let unknown = leash(app.database_url(), &["settings", "export", "--company", "cmp_999"]);
        assert!(!unknown.succeeded && unknown.errors.contains("cmp_999"), "{unknown:?}");
    }

    async fn the_command_line_lists_all_that_is_wrong_with_a_file(app: TestApp) {
        let directory = tempfile::tempdir().expect("make a directory");
        let path = directory.path().join("settings.yaml");
        let apply = |text: &str| {
            fs::write(&path, text).expect("write the file");
            leash(app.database_url(), &["settings", "apply", path.to_str().expect("UTF-8")])
        };
        let run = apply("
company: {id: cmp_001, name: ' ', default_region: XXX}
life_cycles: [{name: A, default: true}, {name: A, default: true}]
custom_fields: [{code: '', label: L, association: LEAD, type: SELECT}]
");
        assert!(!run.succeeded, "{run:?}");
        for path in [
            "company.name", "company.default_region", "life_cycles", "life_cycles[1]", "custom_fields[0].code",
            "custom_fields[0].options",
        ] {
            assert!(run.errors.contains(path), "{path} in {run:?}");
        }
        for text in [
            "company: {id: cmp_001, name: N, colour: red}",
            "company: {id: cmp_001, name: N}\ncustom_fields: [{code: c, label: L, association: PET, type: TIME}]",
            "company: {id: cmp_001",
            "",
        ] {
            let run = apply(text);
            assert!(!run.succeeded && run.errors.contains("settings.yaml"), "{run:?}");
        }
        assert_eq!(export(&app).await, happy_paws());
        let missing = leash(app.database_url(), &["settings", "apply", "/nonexistent/file.yaml"]);
        assert!(!missing.succeeded && missing.errors.contains("/nonexistent/file.yaml"), "{missing:?}");
    }

    async fn another_process_is_noticed_within_seconds(app: TestApp) {
        assert_eq!(sources(&app).await.len(), 2);
        app.sql("UPDATE referral_source SET name = 'Renamed' WHERE id = 'ref_001'").await;
        eventually("the new name", Duration::from_secs(5), async || {
            names(&sources(&app).await) == ["Renamed", "Social Media"]
        }).await;
    }
}

fn instant(time: Option<prost_types::Timestamp>) -> (i64, i32) {
    let time = time.expect("a time");
    (time.seconds, time.nanos)
}

/// What GetLead said of a lead, as an UpdateLead may send it back.
fn read_again(lead: &Lead) -> Lead {
    Lead {
        created_time: None,
        last_updated_time: None,
        ..lead.clone()
    }
}
