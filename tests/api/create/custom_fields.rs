//! Values of a new lead's custom fields.

use super::*;

fn list(values: &[&str]) -> Value {
    let values = values.iter().map(|&value| value.into()).collect();
    Kind::StringList(StringList { values }).into_value()
}

fn relation(entity: i32, id: i64) -> Value {
    Kind::Relation(Relation { entity, id }).into_value()
}

fn time(hours: i32, minutes: i32, seconds: i32, nanos: i32) -> Value {
    let time = TimeOfDay {
        hours,
        minutes,
        seconds,
        nanos,
    };
    Kind::TimeOfDay(time).into_value()
}

fn moment(seconds: i64, nanos: i32) -> Value {
    Kind::TimestampTime(at(seconds, nanos)).into_value()
}

on_both_databases! {
    async fn values_that_fit_their_fields_come_back(app: TestApp) {
        for (code, value) in [
            ("field_lead_source_detail", text("Facebook")),
            ("field_lead_source_detail", text("")),
            ("field_lead_source_detail", text(&"ß".repeat(255))),
            ("field_notes", text("a\nb\tc \u{1f415}")),
            ("field_notes", text(&"ü".repeat(20_000))),
            ("field_count", Kind::Int64(0).into_value()),
            ("field_count", Kind::Int64(i64::MAX).into_value()),
            ("field_count", Kind::Int64(i64::MIN).into_value()),
            ("field_count", Kind::DoubleValue(0.0).into_value()),
            ("field_count", Kind::DoubleValue(0.1).into_value()),
            ("field_count", Kind::DoubleValue(3.0).into_value()),
            ("field_count", Kind::DoubleValue(f64::MAX).into_value()),
            ("field_count", Kind::DoubleValue(f64::MIN_POSITIVE).into_value()),
            ("field_day", moment(0, 0)),
            ("field_day", moment(-62_135_596_800, 0)),
            ("field_follow_up_date", moment(253_402_300_799, 999_999_999)),
            ("field_follow_up_date", moment(-1, 1)),
            ("field_vip", Kind::Bool(true).into_value()),
            ("field_vip", Kind::Bool(false).into_value()),
            ("field_size", text("large")),
            ("field_interested_services", list(&["Daycare", "Grooming"])),
            ("field_interested_services", list(&[])),
            ("field_owner", relation(1, 7)),
            ("field_owner", relation(2, i64::MAX)),
            ("field_estimated_budget", money("USD", 500, 0)),
            ("field_estimated_budget", money("JPY", -1, -999_999_999)),
            ("field_estimated_budget", money("EUR", 0, -1)),
            ("field_estimated_budget", money("EUR", i64::MAX, 999_999_999)),
            ("field_pickup", time(0, 0, 0, 0)),
            ("field_pickup", time(23, 59, 59, 999_999_999)),
        ] {
            let lead = created(&app, with_field(code, value.clone())).await;
            assert_eq!(lead.custom_fields, [(code.to_owned(), value)].into());
        }
    }

    async fn values_that_do_not_fit_their_fields_are_refused(app: TestApp) {
        let mut elsewhere = Vec::new();
        for (code, value) in [
            ("field_unknown", text("x")),
            ("", text("x")),
            ("field_customer_only", text("x")),
            // A label is not a code.
            ("Notes", text("x")),
            ("field_lead_source_detail", Kind::Int64(1).into_value()),
            ("field_lead_source_detail", text(&"x".repeat(256))),
            ("field_notes", list(&["x"])),
            ("field_notes", text(&"x".repeat(20_001))),
            ("field_count", text("1")),
            ("field_count", Kind::DoubleValue(f64::NAN).into_value()),
            ("field_count", Kind::DoubleValue(f64::NEG_INFINITY).into_value()),
            ("field_day", text("2024-02-15")),
            ("field_day", moment(253_402_300_800, 0)),
            ("field_day", moment(-62_135_596_801, 0)),
            ("field_follow_up_date", moment(0, 1_000_000_000)),
            ("field_follow_up_date", moment(0, -1)),
            ("field_follow_up_date", Kind::Int64(0).into_value()),
            ("field_vip", text("true")),
            ("field_vip", Kind::Int64(1).into_value()),
            ("field_size", text("medium")),
            ("field_size", text("")),
            ("field_size", list(&["small"])),
            ("field_interested_services", text("Grooming")),
            ("field_interested_services", list(&["Grooming", "Walking"])),
            ("field_owner", relation(0, 7)),
            ("field_owner", relation(3, 7)),
            ("field_owner", Kind::Int64(7).into_value()),
            ("field_estimated_budget", Kind::DoubleValue(500.0).into_value()),
            ("field_estimated_budget", money("", 1, 0)),
            ("field_estimated_budget", money("DOLLAR", 1, 0)),
            ("field_estimated_budget", money("usd", 1, 0)),
            ("field_estimated_budget", money("USD", 1, -1)),
            ("field_estimated_budget", money("USD", -1, 1)),
            ("field_estimated_budget", money("USD", 0, 1_000_000_000)),
            ("field_estimated_budget", money("USD", 0, i32::MIN)),
            ("field_pickup", time(24, 0, 0, 0)),
            ("field_pickup", time(-1, 0, 0, 0)),
            ("field_pickup", time(0, 60, 0, 0)),
            ("field_pickup", time(0, 0, 60, 0)),
            ("field_pickup", time(0, 0, 0, 1_000_000_000)),
            ("field_pickup", text("10:00")),
            ("field_section", text("x")),
        ] {
            let violations = refused(&app, create(with_field(code, value))).await.violations();
            if violations.len() != 1 || violations[0].0 != format!("lead.custom_fields[{code:?}]") {
                elsewhere.push((code, violations));
            }
        }
        assert_eq!(elsewhere, []);
    }

    async fn a_field_without_a_value_is_a_field_not_given(app: TestApp) {
        let lead = created(&app, with_field("field_notes", Value::default())).await;
        assert!(lead.custom_fields.is_empty());
        let status = refused(&app, create(with_field("field_unknown", Value::default()))).await;
        assert_eq!(status.paths(), [r#"lead.custom_fields["field_unknown"]"#]);
    }

    async fn required_fields_are_asked_for_and_defaults_fill_in(app: TestApp) {
        let mut leads = app.leads_with(&app.key_for(&["cmp_002"]).await);
        let lead = leads.create_lead(create(jane())).await.expect("a lead").into_inner();
        assert_eq!(lead.custom_fields, [
            ("field_required".to_owned(), text("given")),
            ("field_defaulted".to_owned(), Kind::Int64(7).into_value()),
        ].into());

        let given = Kind::DoubleValue(1.5).into_value();
        let mut lead = jane();
        lead.custom_fields.insert("field_defaulted".into(), given.clone());
        let lead = leads.create_lead(create(lead)).await.expect("a lead").into_inner();
        assert_eq!(lead.custom_fields["field_defaulted"], given);

        let cleared = [("field_required".to_owned(), Value::default())].into();
        for custom_fields in [[].into(), cleared] {
            let answer = leads.create_lead(create(Lead { custom_fields, ..jane() })).await;
            let status = answer.expect_err("a required field is missing");
            assert_eq!(status.code(), Code::InvalidArgument);
            assert_eq!(status.paths(), [r#"lead.custom_fields["field_required"]"#]);
        }
        assert_eq!(app.count("lead").await, 2);
    }
}
