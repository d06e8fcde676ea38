//! Properties of every text, also of one that is none of a script's.

use proptest::prelude::*;

use super::super::lexer::{Lexer, Naming};
use super::super::split::{Piece, Splitter};
use super::super::{statements, template};
use super::*;

/// Pieces that a reader of SQL may stumble over.
const NASTY: [&str; 64] = [
    "'",
    "\"",
    "`",
    "[",
    "]",
    "$$",
    "$a$",
    "$",
    "E'",
    "e'",
    "U&'",
    "\\",
    "\\'",
    "''",
    "--",
    "-- ",
    "#",
    "/*",
    "*/",
    "/*!",
    "/*M!",
    ";",
    ";;",
    "//",
    "\n",
    "\r\n",
    " ",
    "\t",
    ":",
    "::",
    ":=",
    ":n",
    ":'n'",
    ":\"n\"",
    ":{?n}",
    ":{?",
    ":n.m",
    "DELIMITER ",
    "\nDELIMITER //\n",
    "CREATE ",
    "TRIGGER ",
    "PROCEDURE ",
    "DEFINER=",
    "BEGIN ",
    "ATOMIC ",
    "CASE ",
    "END",
    " END ",
    "FOR ",
    "IF ",
    "\\gset ",
    "\\set x ",
    "\\if ",
    "\\if true\n",
    "\\elif false\n",
    "\\else\n",
    "\\endif\n",
    "\\q\n",
    "\\\\",
    "SELECT 1",
    "(",
    ")",
    "é",
    "\u{0}",
];

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter),
        prop::collection::vec(prop::sample::select(&NASTY[..]), 0..25)
            .prop_map(|pieces| pieces.concat()),
    ]
}

fn any_flavour() -> impl Strategy<Value = Flavour> {
    prop::sample::select(&EVERY[..])
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_text_is_read_or_refused_with_a_place(text in any_text(), flavour in any_flavour()) {
        let lines = text.matches('\n').count() + 1;
        for error in [
            Script::parse(&text, flavour).err(),
            statements(&text, flavour).err(),
            template(&text, flavour).err(),
        ]
        .into_iter()
        .flatten()
        {
            prop_assert!((1..=lines).contains(&error.line));
            prop_assert!(error.column >= 1);
            prop_assert!(!error.message.is_empty());
        }
    }

    #[test]
    fn a_template_is_filled_unless_a_variable_is_unset(text in any_text(), flavour in any_flavour()) {
        let Ok(script) = Script::parse(&text, flavour) else {
            return Ok(());
        };
        for instruction in script.instructions() {
            let template = match &instruction.kind {
                InstructionKind::Statement(statement) => &statement.sql,
                InstructionKind::Set { value, .. } => value,
                InstructionKind::Branch { condition, .. } => condition,
                InstructionKind::Unset { .. }
                | InstructionKind::Jump(_)
                | InstructionKind::Quit => continue,
            };
            let filled = template.fill(&Variables::default(), flavour);
            let value = template.value(&Variables::default());
            prop_assert_eq!(filled.is_err(), value.is_err());
            prop_assert!(filled.is_ok() || template.names().next().is_some());
        }
    }

    #[test]
    fn every_jump_leads_forward_and_into_the_script(text in any_text(), flavour in any_flavour()) {
        let Ok(script) = Script::parse(&text, flavour) else {
            return Ok(());
        };
        let instructions = script.instructions();
        for (index, instruction) in instructions.iter().enumerate() {
            if let InstructionKind::Jump(target)
            | InstructionKind::Branch { otherwise: target, .. } = &instruction.kind
            {
                prop_assert!((index + 1..=instructions.len()).contains(target));
            }
        }
    }

    #[test]
    fn the_pieces_of_a_text_are_the_text(text in any_text(), flavour in any_flavour()) {
        let mut lexer = Lexer::new(&text, flavour, Naming::Plain);
        let mut joined = String::new();
        while let Ok(Some(token)) = lexer.next() {
            prop_assert!(!token.range.is_empty());
            joined.push_str(&text[token.range]);
        }
        prop_assert!(text.starts_with(&joined));
        if lexer.next().is_ok() {
            prop_assert_eq!(joined, text);
        }
    }

    /// Between statements there is nothing but blanks and delimiters.
    #[test]
    fn statements_and_what_is_between_them_are_the_text(
        text in any_text(),
        flavour in any_flavour(),
    ) {
        let mut splitter = Splitter::of_sql(&text, flavour, Naming::Plain, "");
        let mut at = 0;
        while let Ok(Some(Piece::Statement(source))) = splitter.next() {
            prop_assert!(at <= source.range.start && source.range.start < source.range.end);
            let between = statements(&text[at..source.range.start], flavour);
            let changes_delimiter = text.to_ascii_lowercase().contains("delimiter");
            prop_assert!(changes_delimiter || between.is_ok_and(|it| it.is_empty()));
            at = source.range.end;
        }
    }

    #[test]
    fn joined_statements_are_split_again(
        sql in prop::collection::vec("[a-zé(]( ?[a-zé0-9(),.=<>+*]){0,9}", 1..6),
        flavour in any_flavour(),
    ) {
        let is_plain = |it: &String| !["create", "alter", "begin", "delimiter"]
            .iter()
            .any(|word| it.starts_with(word));
        prop_assume!(sql.iter().all(is_plain));
        let found = statements(&sql.join(";\n"), flavour).unwrap();
        let expected: Vec<_> = (1..).zip(sql).map(|(line, sql)| (line, 1, sql)).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_template_without_variables_stays_as_it_is(
        text in any_text(),
        flavour in any_flavour(),
    ) {
        if let Ok(template) = template(&text, flavour)
            && template.names().next().is_none()
        {
            prop_assert!(text.contains(template.text()));
            let filled = template.fill(&Variables::default(), flavour);
            prop_assert_eq!(filled.as_deref(), Ok(template.text()));
        }
    }

    /// A literal is one piece, whatever stands around it.
    #[test]
    fn a_literal_of_any_text_is_one_string(text in any_text(), flavour in any_flavour()) {
        // PostgreSQL has no text with a NUL, and SQLite's is put together.
        let text = text.replace('\0', "");
        let sql = format!("SELECT {} ; SELECT :n", flavour.quoted(&text));
        let Ok(found) = Script::parse(&sql, flavour) else {
            return Err(TestCaseError::fail(sql));
        };
        let InstructionKind::Statement(first) = &found.instructions()[0].kind else {
            return Err(TestCaseError::fail(sql));
        };
        prop_assert_eq!(found.instructions().len(), 2);
        prop_assert_eq!(first.sql.names().count(), 0);
    }
}
