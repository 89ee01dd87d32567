//! Which of a company's tags a request means.

use super::id::is_well_formed;
use super::setting::{CustomerTag, Entry, Reference, Settings, active, by_id};
use crate::error::Violations;

/// How many tags a request may give.
pub const TAGS_MAX: usize = 100;

/// Rules on the `tags` of a request that hold for every company.
pub fn check_tags(given: &[Reference], violations: &mut Violations) {
    if given.len() > TAGS_MAX {
        violations.add("tags", format!("must have at most {TAGS_MAX} entries"));
        return;
    }
    for (index, reference) in given.iter().enumerate() {
        if *reference == Reference::default() {
            let path = format!("tags[{index}].id");
            violations.add(path, "is required where there is no name");
        }
    }
}

/// The ids of the tags that the `tags` of a request refer to, each once, in their order.
///
/// A tag that was archived may stay where it is `present`, but not come anew.
pub fn chosen_tags(
    given: &[Reference],
    present: &[String],
    settings: &Settings,
    violations: &mut Violations,
) -> Vec<String> {
    check_tags(given, violations);
    let mut chosen = Vec::new();
    if settings.is_nobodys() {
        return chosen;
    }
    for (index, reference) in given.iter().enumerate().take(TAGS_MAX) {
        if *reference == Reference::default() {
            continue;
        }
        match chosen_tag(reference, present, settings) {
            Ok(id) if chosen.iter().any(|other| other == id) => {}
            Ok(id) => chosen.push(id.to_owned()),
            Err((field, description)) => {
                violations.add(format!("tags[{index}].{field}"), description);
            }
        }
    }
    chosen
}

/// The id of a tag, or which field of the reference is wrong and why.
fn chosen_tag<'a>(
    Reference { id, name }: &Reference,
    present: &[String],
    settings: &'a Settings,
) -> Result<&'a str, (&'static str, String)> {
    let kind = CustomerTag::KIND;
    if !id.is_empty() {
        return by_id(&settings.customer_tags, id)
            .filter(|tag| !tag.is_archived() || present.contains(id))
            .map(Entry::id)
            .ok_or_else(|| {
                let known_to_be_short = is_well_formed(id).then(|| format!("{id:?} "));
                let shown = known_to_be_short.unwrap_or_default();
                ("id", format!("{shown}is not a {kind} of this company"))
            });
    }
    let mut of_this_name = active(&settings.customer_tags).filter(|tag| tag.name == *name);
    match (of_this_name.next(), of_this_name.next()) {
        (Some(tag), None) => Ok(tag.id()),
        (Some(_), Some(_)) => {
            let description = format!("is the name of more than one {kind}: give the id");
            Err(("name", description))
        }
        (None, _) => {
            let description = format!("is not the name of a {kind} of this company");
            Err(("name", description))
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn tag(id: &str, name: &str, archived: bool) -> CustomerTag {
        CustomerTag {
            id: id.into(),
            name: name.into(),
            last_updated_by: String::new(),
            last_updated_time: DateTime::UNIX_EPOCH,
            archived,
        }
    }

    fn chosen(given: &[(&str, &str)], present: &[&str]) -> (Vec<String>, String) {
        let mut settings = Settings {
            customer_tags: vec![
                tag("tag_1", "VIP", false),
                tag("tag_2", "Twin", false),
                tag("tag_3", "Twin", false),
                tag("tag_4", "Old", true),
                tag("tag_5", "VIP", true),
            ],
            ..Settings::of_nobody()
        };
        settings.company.id = "cmp_1".into();
        let reference = |&(id, name): &(&str, &str)| Reference {
            id: id.into(),
            name: name.into(),
        };
        let given: Vec<_> = given.iter().map(reference).collect();
        let present: Vec<_> = present.iter().map(|&id| id.to_owned()).collect();
        let mut violations = Violations::default();
        let chosen = chosen_tags(&given, &present, &settings, &mut violations);
        (chosen, violations.to_string())
    }

    #[test]
    fn tags_are_found_by_id_or_by_a_name_that_one_active_tag_has() {
        let given = [("tag_2", "VIP"), ("", "VIP"), ("tag_1", ""), ("tag_3", "")];
        let expected = ["tag_2", "tag_1", "tag_3"].map(str::to_owned);
        assert_eq!(chosen(&given, &[]), (expected.into(), String::new()));
    }

    #[test]
    fn every_tag_that_is_not_found_is_said() {
        let given = [
            ("", ""),
            ("nul\0", ""),
            ("tag_9", "VIP"),
            ("", "Twin"),
            ("", "vip"),
            ("", "Old"),
        ];
        assert_eq!(
            chosen(&given, &[]).1,
            "tags[0].id: is required where there is no name; \
             tags[1].id: is not a customer tag of this company; \
             tags[2].id: \"tag_9\" is not a customer tag of this company; \
             tags[3].name: is the name of more than one customer tag: give the id; \
             tags[4].name: is not the name of a customer tag of this company; \
             tags[5].name: is not the name of a customer tag of this company"
        );
    }

    #[test]
    fn an_archived_tag_stays_where_it_is() {
        assert_eq!(chosen(&[("tag_4", "")], &["tag_4"]).0, ["tag_4"]);
        assert_eq!(chosen(&[("tag_4", "")], &["tag_5"]).0, [""; 0]);
    }
}
