//! Path templates as `google.api.http` has them: `/v1/{name=shelves/*}/books/{id}:move`.

use std::borrow::Cow;

/// A path template, split at its slashes.
#[derive(Debug, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
    variables: Vec<Variable>,
    /// What stands behind the last colon, which is part of the last segment.
    verb: Option<String>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Literal(String),
    /// `*`
    One,
    /// `**`, always the last.
    Rest,
}

#[derive(Debug, PartialEq, Eq)]
struct Variable {
    /// The field's path in the request, in proto names.
    field: String,
    start: usize,
    /// Behind the last segment that it binds.
    end: usize,
}

/// A field of the request that the path binds.
#[derive(Debug, PartialEq, Eq)]
pub struct Binding<'t> {
    pub field: &'t str,
    pub value: String,
}

/// Which templates are tried before others: by the kind of each segment, literals first; those with a verb before those without.
pub type Precedence = (Vec<u8>, bool);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{template:?} is not a path template: {reason}")]
pub struct InvalidTemplate {
    template: String,
    reason: &'static str,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, InvalidTemplate> {
        Self::parts(text).map_err(|reason| InvalidTemplate {
            template: text.to_owned(),
            reason,
        })
    }

    fn parts(text: &str) -> Result<Self, &'static str> {
        let path = text.strip_prefix('/').ok_or("it does not start with /")?;
        let (path, verb) = match path.rsplit_once(':') {
            Some((path, verb)) if !verb.contains(['}', '/']) => (path, Some(verb)),
            _ => (path, None),
        };
        if verb.is_some_and(str::is_empty) {
            return Err("its verb is empty");
        }
        let mut template = Self {
            segments: Vec::new(),
            variables: Vec::new(),
            verb: verb.map(str::to_owned),
        };
        let mut rest = path;
        loop {
            rest = template.take_part(rest)?;
            match rest.strip_prefix('/') {
                Some(behind) => rest = behind,
                None if rest.is_empty() => break,
                None => return Err("something stands behind a closing brace"),
            }
        }
        let last = template.segments.len() - 1;
        if template.segments[..last].contains(&Segment::Rest) {
            return Err("** is not at its end");
        }
        Ok(template)
    }

    /// Takes a segment, or a variable with all of its segments, and returns what is left.
    fn take_part<'a>(&mut self, text: &'a str) -> Result<&'a str, &'static str> {
        let Some(inner) = text.strip_prefix('{') else {
            let end = text.find('/').unwrap_or(text.len());
            self.segments.push(segment(&text[..end])?);
            return Ok(&text[end..]);
        };
        let (variable, rest) = inner.split_once('}').ok_or("a brace is not closed")?;
        let (field, pattern) = variable.split_once('=').unwrap_or((variable, "*"));
        if field.split('.').any(|name| !is_identifier(name)) {
            return Err("a variable is not the path of a field");
        }
        let start = self.segments.len();
        for part in pattern.split('/') {
            self.segments.push(segment(part)?);
        }
        self.variables.push(Variable {
            field: field.to_owned(),
            start,
            end: self.segments.len(),
        });
        Ok(rest)
    }

    /// What the path binds, if it is one of this template's.
    pub fn bind<'t>(&'t self, path: &Path<'_>) -> Option<Vec<Binding<'t>>> {
        let is_open = self.segments.last() == Some(&Segment::Rest);
        let fixed = self.segments.len() - usize::from(is_open);
        let length = path.decoded.len();
        if length < fixed || (length > fixed && !is_open) {
            return None;
        }
        let last = path.decoded.last()?;
        let last = match &self.verb {
            Some(verb) => last.strip_suffix(verb.as_str())?.strip_suffix(':')?,
            None => last,
        };
        let given = Given { path, last };
        let fits = (0..).zip(&self.segments).all(|(position, own)| match own {
            Segment::Literal(literal) => literal == given.segment(position),
            Segment::One | Segment::Rest => true,
        });
        fits.then(|| {
            let bind = |variable: &'t Variable| Binding {
                field: &variable.field,
                value: self.value(variable, &given),
            };
            self.variables.iter().map(bind).collect()
        })
    }

    fn value(&self, variable: &Variable, given: &Given<'_>) -> String {
        let bound = &self.segments[variable.start..variable.end];
        if let [Segment::One | Segment::Literal(_)] = bound {
            return given.segment(variable.start).to_owned();
        }
        // An encoded slash stays encoded where a plain one separates.
        let end = match bound.last() {
            Some(Segment::Rest) => given.path.raw.len(),
            _ => variable.end,
        };
        let parts: Vec<String> = (variable.start..end)
            .map(|position| match given.path.raw[position] {
                raw if given.is_last(position) || !raw.contains('%') => {
                    given.segment(position).to_owned()
                }
                _ => given.segment(position).replace('/', "%2F"),
            })
            .collect();
        parts.join("/")
    }

    pub fn precedence(&self) -> Precedence {
        let kinds = self.segments.iter().map(|segment| match segment {
            Segment::Literal(_) => 0,
            Segment::One => 1,
            Segment::Rest => 2,
        });
        (kinds.collect(), self.verb.is_none())
    }

    /// The fields that the path binds.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(|variable| &*variable.field)
    }
}

fn segment(text: &str) -> Result<Segment, &'static str> {
    match text {
        "" => Err("a segment is empty"),
        "*" => Ok(Segment::One),
        "**" => Ok(Segment::Rest),
        _ if text.contains(['*', '{', '}', '=', ':']) => Err("a segment has a special character"),
        _ => Ok(Segment::Literal(text.to_owned())),
    }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

/// The path of a request, split at its slashes: as it came, and decoded.
pub struct Path<'p> {
    raw: Vec<&'p str>,
    decoded: Vec<Cow<'p, str>>,
}

/// What a template is compared with.
struct Given<'a> {
    path: &'a Path<'a>,
    /// Without the verb.
    last: &'a str,
}

impl Given<'_> {
    fn is_last(&self, position: usize) -> bool {
        position + 1 == self.path.decoded.len()
    }

    fn segment(&self, position: usize) -> &str {
        if self.is_last(position) {
            self.last
        } else {
            &self.path.decoded[position]
        }
    }
}

/// A percent sign without two hexadecimal digits, or bytes that are not UTF-8.
#[derive(Debug)]
pub struct InvalidPath;

impl<'p> Path<'p> {
    pub fn parse(path: &'p str) -> Result<Self, InvalidPath> {
        let raw: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        let decoded = raw
            .iter()
            .map(|segment| decode(segment))
            .collect::<Result<_, _>>()?;
        Ok(Self { raw, decoded })
    }
}

fn decode(segment: &str) -> Result<Cow<'_, str>, InvalidPath> {
    let is_sound = segment
        .split('%')
        .skip(1)
        .all(|behind| behind.len() >= 2 && behind.bytes().take(2).all(|c| c.is_ascii_hexdigit()));
    if !is_sound {
        return Err(InvalidPath);
    }
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8();
    decoded.map_err(|_| InvalidPath)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `path` binds in `template`: `None` where it does not fit.
    fn bind(template: &str, path: &str) -> Option<Vec<(String, String)>> {
        let template = Template::parse(template).expect("a template");
        let path = Path::parse(path).expect("a path");
        let bound = template.bind(&path)?;
        let pairs = bound
            .into_iter()
            .map(|bound| (bound.field.to_owned(), bound.value));
        Some(pairs.collect())
    }

    #[track_caller]
    fn binds(template: &str, path: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = (expected.iter())
            .map(|&(field, value)| (field.to_owned(), value.to_owned()))
            .collect();
        assert_eq!(bind(template, path), Some(expected), "{template} {path}");
    }

    #[test]
    fn a_variable_is_one_segment() {
        binds("/v1/leads", "/v1/leads", &[]);
        binds("/v1/leads/{id}", "/v1/leads/lcus_1", &[("id", "lcus_1")]);
        binds("/v1/leads/{id}", "/v1/leads/", &[("id", "")]);
        binds(
            "/v1/a/{a.b}/c/{d_1=*}",
            "/v1/a/x/c/y",
            &[("a.b", "x"), ("d_1", "y")],
        );
        assert_eq!(bind("/v1/leads/{id}", "/v1/leads"), None);
        assert_eq!(bind("/v1/leads/{id}", "/v1/leads/a/b"), None);
        assert_eq!(bind("/v1/leads/{id}", "/v2/leads/a"), None);
        assert_eq!(bind("/v1/leads", "/v1/leads/"), None);
    }

    #[test]
    fn a_variable_may_have_a_pattern() {
        binds(
            "/v1/{name=shelves/*}",
            "/v1/shelves/3",
            &[("name", "shelves/3")],
        );
        binds(
            "/v1/{name=shelves/*}/books",
            "/v1/shelves/3/books",
            &[("name", "shelves/3")],
        );
        binds(
            "/v1/{path=files/**}",
            "/v1/files/a/b",
            &[("path", "files/a/b")],
        );
        binds("/v1/{path=**}", "/v1/", &[("path", "")]);
        binds("/v1/**", "/v1/x/y", &[]);
        assert_eq!(bind("/v1/{name=shelves/*}", "/v1/rooms/3"), None);
    }

    #[test]
    fn a_verb_is_the_end_of_the_last_segment() {
        binds("/v1/leads:list", "/v1/leads:list", &[]);
        binds("/v1/leads:list", "/v1/leads%3Alist", &[]);
        binds(
            "/v1/leads/{id}:undo",
            "/v1/leads/a:b:undo",
            &[("id", "a:b")],
        );
        binds("/v1/leads/{id}", "/v1/leads/a:b", &[("id", "a:b")]);
        binds(
            "/v1/{name=files/**}:undo",
            "/v1/files/a/b:undo",
            &[("name", "files/a/b")],
        );
        assert_eq!(bind("/v1/leads:list", "/v1/leads"), None);
        assert_eq!(bind("/v1/leads:list", "/v1/leads:listen"), None);
        assert_eq!(bind("/v1/leads:list", "/v1/leads/:list"), None);
    }

    #[test]
    fn segments_are_decoded() {
        binds("/v1/leads/{id}", "/v1/leads/a%20b%2Fc", &[("id", "a b/c")]);
        binds("/v1/leads/{id}", "/v1/leads/%C3%A9%25", &[("id", "é%")]);
        binds(
            "/v1/{path=**}",
            "/v1/a%20b/c%2Fd/e",
            &[("path", "a b/c%2Fd/e")],
        );
        for path in ["/v1/%", "/v1/%2", "/v1/%zz", "/v1/%ff", "/v1/%é"] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for template in [
            "",
            "v1",
            "/",
            "//",
            "/v1/",
            "/v1//x",
            "/v1/{",
            "/v1/{}",
            "/v1/{id",
            "/v1/{id}x",
            "/v1/x{id}",
            "/v1/{a..b}",
            "/v1/{1}",
            "/v1/{id=}",
            "/v1/{id=a/}",
            "/v1/***",
            "/v1/**/x",
            "/v1:",
            "/v1/{a=**}/{b}",
        ] {
            assert!(Template::parse(template).is_err(), "{template}");
        }
    }

    #[test]
    fn the_more_definite_template_comes_first() {
        let in_order = [
            "/v1/a:b",
            "/v1/a",
            "/v1/a/b",
            "/v1/a/{x}:c",
            "/v1/a/{x}",
            "/v1/a/**",
            "/v1/{x}",
        ];
        let precedence = |text: &str| Template::parse(text).expect("a template").precedence();
        assert!(in_order.is_sorted_by_key(|text| precedence(text)));
    }
}
