//! A reader of Prometheus' text format: one sample per line, with comments in between.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr as _;

/// One value of one series of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name. The parts of a histogram have different suffixes.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// A label's value. It is empty if there is no such label: to Prometheus that is the same.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// A line that is neither a sample nor a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MalformedLine {
    line: usize,
    why: &'static str,
}

impl fmt::Display for MalformedLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, why } = self;
        write!(f, "line {line} is not in Prometheus' text format: {why}")
    }
}

impl std::error::Error for MalformedLine {}

/// Reads all samples. The error is the first line that is malformed.
pub fn parse(text: &str) -> Result<Vec<Sample>, MalformedLine> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let samples = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    samples
        .map(|(number, line)| sample(line).map_err(|why| MalformedLine { line: number, why }))
        .collect()
}

fn sample(line: &str) -> Result<Sample, &'static str> {
    let (name, rest) = name(line)?;
    let (labels, rest) = match rest.trim_start().strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (BTreeMap::new(), rest),
    };
    // A timestamp may follow, which is not needed here.
    let value = rest.split_whitespace().next().ok_or("it has no value")?;
    Ok(Sample {
        name: name.to_owned(),
        labels,
        value: f64::from_str(value).map_err(|_| "its value is no number")?,
    })
}

fn name(text: &str) -> Result<(&str, &str), &'static str> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    match text.split_at(end.unwrap_or(text.len())) {
        ("", _) => Err("a name is missing"),
        (name, _) if name.starts_with(|c: char| c.is_ascii_digit()) => {
            Err("a name begins with a digit")
        }
        split => Ok(split),
    }
}

/// Reads labels up to the closing brace. Returns them with the text that follows.
fn labels(mut text: &str) -> Result<(BTreeMap<String, String>, &str), &'static str> {
    let mut labels = BTreeMap::new();
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (label, rest) = name(text)?;
        let rest = rest.trim_start().strip_prefix('=');
        let rest = rest.and_then(|rest| rest.trim_start().strip_prefix('"'));
        let (value, rest) = quoted(rest.ok_or("a label has no value in quotes")?)?;
        if labels.insert(label.to_owned(), value).is_some() {
            return Err("a label is there twice");
        }
        let rest = rest.trim_start();
        text = match rest.strip_prefix(',') {
            Some(rest) => rest,
            None if rest.starts_with('}') => rest,
            None => return Err("its labels have no end"),
        };
    }
}

/// Reads a label's value up to the closing quote. Returns it with the text that follows.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next() {
            Some('"') => return Ok((value, characters.as_str())),
            Some('\\') => value.push(match characters.next() {
                Some('n') => '\n',
                Some(escaped @ ('\\' | '"')) => escaped,
                _ => return Err("a backslash escapes nothing"),
            }),
            Some(character) => value.push(character),
            None => return Err("a label's value has no end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Sample {
        let samples = parse(line).unwrap();
        let [sample] = samples.as_slice() else {
            panic!("not one sample: {samples:?}");
        };
        sample.clone()
    }

    #[test]
    fn samples_are_read_between_comments() {
        let text = "# HELP a What it is.\n# TYPE a counter\na 1\n\n  b{x=\"1\"} 2.5\n# EOF\n";
        let samples = parse(text).unwrap();
        let found: Vec<_> = samples
            .iter()
            .map(|it| (it.name.as_str(), it.label("x"), it.value))
            .collect();
        assert_eq!(found, [("a", "", 1.0), ("b", "1", 2.5)]);
    }

    #[test]
    fn labels_are_read_as_they_were_before_they_were_escaped() {
        let sample = one(r#"a{code="a\"} 1\nb\\",empty="",le="+Inf",} 3 1700000000000"#);
        assert_eq!(sample.label("code"), "a\"} 1\nb\\");
        assert_eq!((sample.label("empty"), sample.label("le")), ("", "+Inf"));
        assert_eq!(sample.value, 3.0);
    }

    #[test]
    fn values_may_be_any_number() {
        assert_eq!(one("a -1e-3").value, -0.001);
        assert_eq!(one("a +Inf").value, f64::INFINITY);
        assert!(one("a NaN").value.is_nan());
        assert_eq!(one("a{ } 1").labels.len(), 0);
        assert_eq!(one("a { b = \"c\" , d=\"e\" } 1").labels.len(), 2);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (line, why) in [
            ("{x=\"1\"} 1", "a name is missing"),
            ("1a 1", "begins with a digit"),
            ("a", "has no value"),
            ("a{x=\"1\"}", "has no value"),
            ("a one", "is no number"),
            ("a{x=1} 1", "no value in quotes"),
            ("a{x} 1", "no value in quotes"),
            ("a{x=\"1} 1", "has no end"),
            ("a{x=\"1\" y=\"2\"} 1", "have no end"),
            ("a{x=\"1\",x=\"2\"} 1", "there twice"),
            ("a{x=\"\\d\"} 1", "escapes nothing"),
        ] {
            let error = parse(&format!("ok 1\n{line}")).unwrap_err().to_string();
            assert!(
                error.contains("line 2") && error.contains(why),
                "{line}: {error}"
            );
        }
    }
}
