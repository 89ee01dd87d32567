//! What the contract says about itself.

use std::collections::HashMap;

use prost_reflect::{
    DescriptorPool, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, FileDescriptor,
    MessageDescriptor, MethodDescriptor, ServiceDescriptor,
};

/// Names that comments mention as keys in the metadata of errors. They are the same in JSON.
const METADATA_KEYS: [&str; 1] = ["customer_id"];

/// The leading comments of every file, as CommonMark, with the names of fields as they are in JSON.
pub struct Comments {
    /// By the name of the file and the path in it.
    by_place: HashMap<(String, Vec<i32>), String>,
}

impl Comments {
    pub fn of(pool: &DescriptorPool) -> Self {
        let fields = field_names(pool);
        let mut by_place = HashMap::new();
        for file in pool.files() {
            let Some(source) = &file.file_descriptor_proto().source_code_info else {
                continue;
            };
            for location in &source.location {
                let comment = in_json_words(&paragraphs(location.leading_comments()), &fields);
                by_place.insert((file.name().to_owned(), location.path.clone()), comment);
            }
        }
        Self { by_place }
    }

    pub fn of_service(&self, service: &ServiceDescriptor) -> &str {
        self.at(&service.parent_file(), service.path())
    }

    pub fn of_method(&self, method: &MethodDescriptor) -> &str {
        self.at(&method.parent_file(), method.path())
    }

    pub fn of_message(&self, message: &MessageDescriptor) -> &str {
        self.at(&message.parent_file(), message.path())
    }

    pub fn of_field(&self, field: &FieldDescriptor) -> &str {
        self.at(&field.parent_file(), field.path())
    }

    pub fn of_enum(&self, r#enum: &EnumDescriptor) -> &str {
        self.at(&r#enum.parent_file(), r#enum.path())
    }

    pub fn of_value(&self, value: &EnumValueDescriptor) -> &str {
        self.at(&value.parent_file(), value.path())
    }

    /// Empty where nothing is said.
    fn at(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        self.by_place
            .get(&(file.name().to_owned(), path.to_vec()))
            .map_or("", String::as_str)
    }
}

/// The first sentence up to a colon, without its full stop.
pub fn summary(comment: &str) -> &str {
    let end = [". ", ".\n", ": "]
        .iter()
        .filter_map(|end| comment.find(end))
        .min();
    comment[..end.unwrap_or(comment.len())].trim_end_matches('.')
}

/// A comment with one line for each paragraph.
fn paragraphs(comment: &str) -> String {
    let mut text = String::new();
    for line in comment.lines().map(str::trim) {
        if line.is_empty() {
            text.push_str("\n\n");
        } else {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push(' ');
            }
            text.push_str(line);
        }
    }
    text.trim().to_owned()
}

/// The JSON names of all fields whose names are others in the contract.
fn field_names(pool: &DescriptorPool) -> HashMap<String, String> {
    pool.all_messages()
        .flat_map(|message| message.fields().collect::<Vec<_>>())
        .filter(|field| field.name() != field.json_name())
        .map(|field| (field.name().to_owned(), field.json_name().to_owned()))
        .filter(|(name, _)| !METADATA_KEYS.contains(&name.as_str()))
        .collect()
}

/// Replaces the names of fields that stand in backticks, also those within a path (`custom_fields.<code>`).
fn in_json_words(comment: &str, names: &HashMap<String, String>) -> String {
    comment
        .split('`')
        .enumerate()
        .map(|(position, part)| {
            if position % 2 == 0 {
                return part.to_owned();
            }
            let words: Vec<_> = part
                .split('.')
                .map(|word| names.get(word).map_or(word, String::as_str))
                .collect();
            words.join(".")
        })
        .collect::<Vec<_>>()
        .join("`")
}
