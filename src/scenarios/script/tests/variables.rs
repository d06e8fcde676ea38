//! Variables in SQL, and behind `\set` and `\if`.

use super::super::{Template, UnsetVariable, template, truth};
use super::*;

fn filled(sql: &str, flavour: Flavour) -> String {
    let template = template(sql, flavour).unwrap_or_else(|error| panic!("{sql}: {error}"));
    template
        .fill(&variables(), flavour)
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// On every engine.
const PLACES: &[(&str, &str)] = &[
    ("SELECT :n", "SELECT 5"),
    ("SELECT 1-:minus", "SELECT 1-(-5)"),
    ("SELECT :n+:n,:text", "SELECT 5+5,'it''s'"),
    ("SELECT :'n', :'text'", "SELECT '5', 'it''s'"),
    ("SELECT :yes, :'yes'", "SELECT TRUE, 't'"),
    ("SELECT :null, :'null'", "SELECT NULL, NULL"),
    (
        "SELECT :{?n}, :{?null}, :{?other}",
        "SELECT TRUE, TRUE, FALSE",
    ),
    ("SELECT :día_1", "SELECT 7"),
    (
        "SELECT :A.used, :'A.used', :{?A.used}, :{?A.x}",
        "SELECT 1, '1', TRUE, FALSE",
    ),
    ("SELECT :n.", "SELECT 5."),
    ("SELECT a LIMIT:n", "SELECT a LIMIT 5"),
    ("SELECT E:'text'", "SELECT E 'it''s'"),
    // What is no variable.
    (
        "SELECT a::n, :: n, :::n, x := 1, @x:=1",
        "SELECT a::n, :: n, :::n, x := 1, @x:=1",
    ),
    ("SELECT 1:2, 'a':5, : n, :", "SELECT 1:2, 'a':5, : n, :"),
    (
        "SELECT ':n', ':\"n\"' -- :n\n/* :n */, 1",
        "SELECT ':n', ':\"n\"' -- :n\n/* :n */, 1",
    ),
    ("SELECT :'not a name', :''", "SELECT :'not a name', :''"),
];

#[test]
fn a_variable_becomes_a_literal_where_it_is_one() {
    for (sql, expected) in PLACES {
        for flavour in EVERY {
            assert_eq!(filled(sql, flavour), *expected, "{flavour}: {sql}");
        }
    }
}

#[test]
fn a_name_is_quoted_as_the_engine_quotes_names() {
    let quoted = |flavour| filled("SELECT :\"text\"", flavour);
    assert_eq!(quoted(MySql), "SELECT `it's`");
    assert_eq!(quoted(MariaDb), "SELECT `it's`");
    assert_eq!(quoted(Postgres), "SELECT \"it's\"");
    assert_eq!(quoted(Sqlite), "SELECT \"it's\"");
}

#[test]
fn quotes_of_one_engine_hide_a_variable_there_alone() {
    for (sql, hidden_on, elsewhere) in [
        ("$$ :n $$", Postgres, "$$ 5 $$"),
        ("[a :n]", Sqlite, "[a 5]"),
        ("a # :n", MySql, "a # 5"),
    ] {
        for flavour in [MySql, Postgres, Sqlite] {
            let expected = if flavour == hidden_on { sql } else { elsewhere };
            assert_eq!(
                filled(sql, flavour),
                expected.trim_end_matches(" # :n"),
                "{flavour}"
            );
        }
    }
}

#[test]
fn a_script_has_names_without_dots() {
    let script = Script::parse("SELECT :n.used", Postgres).unwrap();
    let InstructionKind::Statement(statement) = &script.instructions()[0].kind else {
        panic!("{script:?}");
    };
    assert_eq!(statement.sql.names().collect::<Vec<_>>(), ["n"]);
    let filled = statement.sql.fill(&variables(), Postgres);
    assert_eq!(filled, Ok("SELECT 5.used".to_owned()));
}

fn unset(sql: &str) -> UnsetVariable {
    let template = template(sql, Postgres).unwrap();
    template.fill(&variables(), Postgres).unwrap_err()
}

#[test]
fn an_unset_variable_is_told_with_what_would_be_right() {
    let unknown = unset("SELECT\n:n, :m");
    assert_eq!((unknown.name.as_str(), unknown.lines_below), ("m", 1));
    assert_eq!(
        unknown.to_string(),
        "`:m` is not set: no `\\set` and no `\\gset` that returned a row came before; test it with \
         `\\if :{?m}` (where a colon belongs to SQL, a space goes behind it: `[1: m]`)"
    );
    assert_eq!(
        unset("SELECT :N").to_string(),
        "`:N` is not set: `:n` is, and upper and lower case differ"
    );
    assert_eq!(
        unset("SELECT :\"null\"").to_string(),
        "`:\"null\"` is NULL, and NULL is no name; test it in SQL before: `SELECT … IS NULL AS \
         is_null; \\gset`"
    );
}

#[test]
fn a_malformed_test_is_a_mistake() {
    for sql in ["SELECT :{?", "SELECT :{?1}", "SELECT :{?a b}"] {
        assert_eq!(
            template(sql, MySql).unwrap_err().to_string(),
            "line 1, column 8: `:{?` begins a test, which is written `:{?name}`"
        );
    }
}

/// The value of the `\set` in this line.
fn set(line: &str) -> Template {
    let script = Script::parse(&format!("{line}\nSELECT 1;"), Postgres);
    let script = script.unwrap_or_else(|error| panic!("{line}: {error}"));
    match &script.instructions()[0].kind {
        InstructionKind::Set { name, value } if name == "x" => value.clone(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn set_keeps_what_a_value_is() {
    let boolean = |text| value(text, DatumKind::Boolean);
    for (line, expected) in [
        ("\\set x", Datum::text("")),
        ("\\set x 12", Datum::number(12)),
        ("\\set x -1.50", Datum::number("-1.50")),
        ("\\set x 0.5", Datum::number("0.5")),
        ("\\set x 0", Datum::number(0)),
        ("\\set x '12'", Datum::text("12")),
        ("\\set x 007", Datum::text("007")),
        ("\\set x 1e5", Datum::text("1e5")),
        ("\\set x 1.", Datum::text("1.")),
        ("\\set x true", boolean("TRUE")),
        ("\\set x False", boolean("FALSE")),
        ("\\set x 'true'", Datum::text("true")),
        ("\\set x NULL", Datum::Null),
        ("\\set x 'NULL'", Datum::text("NULL")),
        ("\\set x abc", Datum::text("abc")),
        ("\\set x a 'b ' c", Datum::text("ab c")),
        ("\\set x 1 2", Datum::text("12")),
        (
            "\\set x 'it''s' '\\ta\\x41\\102\\\\\\''",
            Datum::text("it's\taAB\\'"),
        ),
        ("\\set x :n", Datum::number(5)),
        ("\\set x :yes", boolean("t")),
        ("\\set x :null", Datum::Null),
        ("\\set x a :null", Datum::Null),
        ("\\set x v-:n::n", Datum::text("v-5::n")),
        ("\\set x ':n'", Datum::text(":n")),
        ("\\set x :{?n}", boolean("TRUE")),
        ("\\set x 'a;'", Datum::text("a;")),
        ("\\set x a;b", Datum::text("a;b")),
        ("\\set x ' a' \\\\", Datum::text(" a")),
    ] {
        assert_eq!(set(line).value(&variables()), Ok(expected), "{line}");
    }
    let unset = set("\\set x :other").value(&variables()).unwrap_err();
    assert_eq!(unset.name, "other");
}

#[test]
fn a_condition_becomes_the_text_of_a_boolean() {
    for (condition, expected) in [
        (":yes", Some(true)),
        (":{?n}", Some(true)),
        (":{?other}", Some(false)),
        ("off", Some(false)),
        (":null", None),
        (":n", None),
    ] {
        let text = format!("\\if {condition}\nSELECT 1;\n\\endif");
        let script = Script::parse(&text, MySql).unwrap();
        let InstructionKind::Branch { condition, .. } = &script.instructions()[0].kind else {
            panic!("{script:?}");
        };
        let filled = condition.fill(&variables(), MySql).unwrap();
        assert_eq!(truth(&filled), expected, "{text}");
    }
}

#[test]
fn booleans_are_those_of_psql() {
    for text in ["true", "TRUE", "t", "tr", "yes", "y", "on", "oN", "1"] {
        assert_eq!(truth(text), Some(true), "{text}");
    }
    for text in ["false", "F", "no", "n", "off", "of", "0"] {
        assert_eq!(truth(text), Some(false), "{text}");
    }
    for text in ["", "o", "2", "truex", "nope", "NULL", " true", "-1"] {
        assert_eq!(truth(text), None, "{text}");
    }
}

#[test]
fn variables_are_set_and_forgotten() {
    let mut variables = Variables::default();
    variables.set("a", Datum::Null);
    variables.set("b", Datum::number(1));
    variables.set("b", Datum::number(2));
    assert_eq!(variables.get("a"), Some(&Datum::Null));
    assert_eq!(variables.get("b"), Some(&Datum::number(2)));
    assert_eq!(variables.iter().count(), 2);
    variables.unset("a");
    variables.unset("a");
    assert_eq!(variables.get("a"), None);
    variables.clear();
    assert_eq!(variables, Variables::default());
}
