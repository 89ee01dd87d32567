//! Fields that come in the query or the path: `?page_size=5&filter.email=a%40b.c`.

use std::collections::HashSet;

use url::form_urlencoded;

use super::json::{
    Field, Kind, MessageId, Mismatch, Schema, Shape, from_text, put_bytes, put_map_entry,
    put_scalar,
};

impl Schema {
    /// The fields that lead to the one that `path` names, in proto or in JSON: `filter.email`. Only the last of them may be
    /// repeated.
    pub fn fields_of_path(&self, message: MessageId, path: &str) -> Option<Vec<&Field>> {
        let mut inside = Some(message);
        let mut fields: Vec<&Field> = Vec::new();
        for name in path.split('.') {
            let field = self.get(inside?).field_named(name)?;
            inside = match (&field.kind, &field.shape) {
                (Kind::Message(id), Shape::One(_)) => Some(*id),
                _ => None,
            };
            fields.push(field);
        }
        Some(fields)
    }

    /// Appends the value of one field that the path of the request binds.
    pub fn put_bound(
        &self,
        out: &mut Vec<u8>,
        message: MessageId,
        path: &str,
        value: &str,
    ) -> Result<(), Mismatch> {
        let Some(fields) = self.fields_of_path(message, path) else {
            return Ok(());
        };
        self.put_text(out, &fields, value)
    }

    /// Appends what the query says. What the request does not have is ignored, and so is what `is_bound` says is given
    /// otherwise.
    pub fn put_query(
        &self,
        out: &mut Vec<u8>,
        message: MessageId,
        query: &str,
        is_bound: impl Fn(&str) -> bool,
    ) -> Result<(), Mismatch> {
        let mut seen = HashSet::new();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let (path, entry) = match key.strip_suffix(']').and_then(|key| key.split_once('[')) {
                Some((path, entry)) => (path, Some(entry)),
                None => (&*key, None),
            };
            let Some(fields) = self.fields_of_path(message, path) else {
                continue;
            };
            let Some(field) = fields.last() else {
                continue;
            };
            let name = proto_path(&fields);
            if is_bound(&name) {
                continue;
            }
            match (&field.shape, entry) {
                (Shape::One(_), None) => {
                    let rival = match field.oneof {
                        Some(oneof) => {
                            format!("{}#{oneof}", proto_path(&fields[..fields.len() - 1]))
                        }
                        None => name.clone(),
                    };
                    if !seen.insert(rival) {
                        return Err(mismatch(
                            name,
                            "is given more than once, or with another that excludes it",
                        ));
                    }
                    self.put_text(out, &fields, &value)?;
                }
                (Shape::List, None) => self.put_text(out, &fields, &value)?,
                (Shape::Map { key }, Some(entry)) => {
                    self.put_entry(out, &fields, key, entry, &value)?;
                }
                (Shape::Map { .. }, None) => {
                    return Err(mismatch(
                        name,
                        "is a map: give its entries one by one, as name[key]=value",
                    ));
                }
                // Not a field's name.
                (_, Some(_)) => {}
            }
        }
        Ok(())
    }

    fn put_text(&self, out: &mut Vec<u8>, fields: &[&Field], value: &str) -> Result<(), Mismatch> {
        let Some((field, parents)) = fields.split_last() else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        from_text(self, &mut bytes, field.number, field, value)
            .map_err(|problem| mismatch(proto_path(fields), &problem))?;
        put_inside(out, parents, bytes);
        Ok(())
    }

    fn put_entry(
        &self,
        out: &mut Vec<u8>,
        fields: &[&Field],
        key_kind: &Kind,
        key: &str,
        value: &str,
    ) -> Result<(), Mismatch> {
        let Some((field, parents)) = fields.split_last() else {
            return Ok(());
        };
        let wrong =
            |problem: String| mismatch(format!("{}[{key:?}]", proto_path(fields)), &problem);
        let (mut key_bytes, mut value_bytes, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        put_scalar(&mut key_bytes, 1, key_kind, key).map_err(wrong)?;
        from_text(self, &mut value_bytes, 2, field, value).map_err(wrong)?;
        put_map_entry(&mut bytes, field.number, &key_bytes, &value_bytes);
        put_inside(out, parents, bytes);
        Ok(())
    }
}

/// Wraps a field into the messages that it is in. Decoders merge the parts of a message.
fn put_inside(out: &mut Vec<u8>, parents: &[&Field], mut bytes: Vec<u8>) {
    for parent in parents.iter().rev() {
        let mut wrapped = Vec::new();
        put_bytes(&mut wrapped, parent.number, &bytes);
        bytes = wrapped;
    }
    out.append(&mut bytes);
}

fn proto_path(fields: &[&Field]) -> String {
    let names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
    names.join(".")
}

fn mismatch(path: String, description: &str) -> Mismatch {
    Mismatch {
        path: Some(path),
        description: description.to_owned(),
    }
}
