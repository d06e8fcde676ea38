//! The prepared statements that are deallocated by a statement, and not by a message.

/// The names in the DEALLOCATE statements of this text, in order. That of ALL is left out.
pub(super) fn names(text: &str) -> Vec<String> {
    let statements = text.split(';').filter_map(|statement| {
        let rest = after_word(statement, "DEALLOCATE")?;
        let rest = after_word(rest, "PREPARE").unwrap_or(rest);
        let name = name(skipped(rest))?;
        (!name.1.eq_ignore_ascii_case("ALL")).then_some(name.0)
    });
    statements.collect()
}

/// What follows this word, if the text begins with it.
fn after_word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let text = skipped(text);
    let (begin, rest) = text.split_at_checked(word.len())?;
    let ends = !rest.starts_with(is_of_name);
    (begin.eq_ignore_ascii_case(word) && ends).then_some(rest)
}

/// The name at the beginning of a text, and how it is written.
fn name(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|it| !is_of_name(it)).unwrap_or(text.len());
        let written = text.get(..end).filter(|it| !it.is_empty())?;
        return Some((written.to_lowercase(), written));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            None => return Some((name, text)),
            // A doubled quote stands for one.
            Some(after) => {
                name.push('"');
                rest = after;
            }
        }
    }
}

/// The text without the spaces and comments that it begins with.
fn skipped(text: &str) -> &str {
    let mut text = text.trim_start();
    loop {
        let rest = if let Some(comment) = text.strip_prefix("--") {
            comment.split_once('\n')
        } else if let Some(comment) = text.strip_prefix("/*") {
            comment.split_once("*/")
        } else {
            return text;
        };
        text = rest.map_or("", |(_, rest)| rest.trim_start());
    }
}

fn is_of_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '$')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_found_as_postgresql_reads_them() {
        const CASES: [(&str, &[&str]); 9] = [
            ("DEALLOCATE a", &["a"]),
            ("deallocate PREPARE Ab1", &["ab1"]),
            ("DEALLOCATE \"A\"\"b\"", &["A\"b"]),
            ("-- x\n/* y */DEALLOCATE/**/s_1;deallocate t", &["s_1", "t"]),
            ("DEALLOCATE ALL", &[]),
            ("DEALLOCATE \"all\"", &["all"]),
            ("DEALLOCATE", &[]),
            ("DEALLOCATED a", &[]),
            ("SELECT 1", &[]),
        ];
        for (text, expected) in CASES {
            assert_eq!(names(text), expected, "{text}");
        }
    }
}
