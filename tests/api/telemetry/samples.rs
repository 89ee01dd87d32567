//! Prometheus' text format, as far as leash writes it.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub struct Samples {
    /// The name of every metric that has a type.
    pub names: BTreeSet<String>,
    /// What was sampled: a name with its labels in order, such as `a{b="1",c="2"}`, and its value.
    values: BTreeMap<String, f64>,
}

impl Samples {
    pub fn parse(text: &str) -> Self {
        let mut names = BTreeSet::new();
        let mut values = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(declared) = line.strip_prefix("# TYPE ") {
                let (name, r#type) = declared.split_once(' ').expect(line);
                assert!(
                    ["counter", "gauge", "histogram"].contains(&r#type),
                    "{line}"
                );
                assert!(names.insert(name.to_owned()), "twice: {line}");
            } else if !line.starts_with('#') {
                let (series, value) = line.rsplit_once(' ').expect(line);
                let value = value.parse().expect(line);
                assert!(
                    values.insert(in_order(series), value).is_none(),
                    "twice: {line}"
                );
            }
        }
        Self { names, values }
    }

    /// The value of a series, which is zero where there is none.
    pub fn value(&self, series: &str) -> f64 {
        self.values.get(&in_order(series)).copied().unwrap_or(0.0)
    }

    pub fn has(&self, series: &str) -> bool {
        self.values.contains_key(&in_order(series))
    }

    /// Every series of a metric, by its labels.
    pub fn of(&self, name: &str) -> BTreeMap<String, f64> {
        let prefix = format!("{name}{{");
        self.values
            .iter()
            .filter_map(|(series, value)| {
                let labels = series.strip_prefix(&prefix)?;
                Some((labels.trim_end_matches('}').to_owned(), *value))
            })
            .collect()
    }
}

/// A series with its labels in order. No label that leash writes has a comma in it.
fn in_order(series: &str) -> String {
    let Some((name, labels)) = series.split_once('{') else {
        return series.to_owned();
    };
    let mut labels: Vec<_> = labels.trim_end_matches('}').split(',').collect();
    labels.sort_unstable();
    format!("{name}{{{}}}", labels.join(","))
}
