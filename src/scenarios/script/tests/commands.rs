//! Meta-commands.

use super::*;

const TAKEN: &[(&str, &[&str])] = &[
    ("SELECT 1;\n\\gset", &["SELECT 1 -> *"]),
    ("SELECT 1; \\gset", &["SELECT 1 -> *"]),
    ("SELECT 1 \\gset", &["SELECT 1 -> *"]),
    (
        "SELECT 1\n\\gset p_\nSELECT 2",
        &["SELECT 1 -> p_*", "SELECT 2"],
    ),
    (
        "SELECT 1;\n\n -- x\n\\gset p_ -- y\nSELECT 2",
        &["SELECT 1 -> p_*", "SELECT 2"],
    ),
    (
        "SELECT 1 \\gset\r\nSELECT 2;\r\n",
        &["SELECT 1 -> *", "SELECT 2"],
    ),
    (
        "SELECT 1; \\gset \\\\ SELECT 2; \\gset x",
        &["SELECT 1 -> *", "SELECT 2 -> x*"],
    ),
    (
        "SELECT 1; \\gset \\if true \\q \\endif",
        &["SELECT 1 -> *", "if true else 3", "quit"],
    ),
    ("\\unset a\nSELECT '\\q';", &["unset a", "SELECT '\\q'"]),
    ("SELECT 1; \\quit", &["SELECT 1", "quit"]),
    ("\\set a 'x' :b\nSELECT 1", &["set a = 'x' :b", "SELECT 1"]),
    ("DELIMITER //\nSELECT 1// \\gset", &["SELECT 1 -> *"]),
];

#[test]
fn commands_stand_behind_statements_and_on_lines_of_their_own() {
    for (text, expected) in TAKEN {
        for flavour in [MariaDb, Postgres, Sqlite] {
            assert_eq!(listed(text, flavour), *expected, "{flavour}: {text}");
        }
    }
}

const NO_ROW_BEFORE: &str = "\\gset captures the row of the statement directly before it, and \
                             there is none: `SELECT …; \\gset`";

#[test]
fn a_capture_belongs_to_the_statement_directly_before_it() {
    for text in [
        "\\gset",
        "SELECT 1;\n\\gset\n\\gset",
        "SELECT 1;\n\\set a 1\n\\gset",
        "\\if true\nSELECT 1;\n\\endif\n\\gset",
    ] {
        let complaint = complaint(text, MySql);
        assert!(complaint.ends_with(NO_ROW_BEFORE), "{text}: {complaint}");
    }
}

const ALLOWED: &str = "the meta-commands are \\gset, \\set, \\unset, \\if, \\elif, \\else, \\endif \
                       and \\q";

/// Each script's complaint, without `ALLOWED` at its end.
const MISTAKES: &[(&str, &str)] = &[
    ("a;\n\\foo", "line 2, column 1: \\foo is not understood; "),
    (
        "a \\gexec",
        "line 1, column 3: \\gexec is not understood: it would make statements of an answer; \
         write them out; ",
    ),
    (
        "a; \\echo hi",
        "line 1, column 4: \\echo is not understood: nothing is printed while schedules are \
         explored: the report shows each statement, its answer and captured values; ",
    ),
    (
        "\\i x.sql",
        "line 1, column 1: \\i is not understood: write the statements into this script; ",
    ),
    ("a\\;b", "line 1, column 2: \\;b is not understood; "),
    (
        "a; \\gset;",
        "line 1, column 4: \\gset; is not understood: a meta-command ends with its line, without \
         a ;; write `\\gset`",
    ),
    (
        "a; \\if:x",
        "line 1, column 4: \\if:x is not understood: a space is missing: `\\if :x`; ",
    ),
    (
        "a; \\gset x;",
        "line 1, column 11: a meta-command ends with its line, without a ; (in quotes, ';' is a \
         value)",
    ),
    (
        "a; \\gset 1x",
        "line 1, column 10: 1x is no prefix for names: it begins with a letter and has letters, \
         digits and _, as in `\\gset new_`",
    ),
    (
        "a; \\gset x y",
        "line 1, column 12: y is too much: \\gset takes one prefix at most, as in `\\gset new_`",
    ),
    (
        "a\n  \\if true",
        "line 2, column 3: the statement that begins on line 1 has not ended before \\if: ; is \
         missing; a statement is whole, no meta-command stands in it",
    ),
    (
        "\\set",
        "line 1, column 1: \\set needs the name of a variable: `\\set name value`",
    ),
    (
        "\\set :x 1",
        "line 1, column 6: :x is no name of a variable: it begins with a letter and has letters, \
         digits and _, without a colon",
    ),
    (
        "\\set x = 1",
        "line 1, column 8: = would be part of the value; `\\set x value` is right",
    ),
    (
        "\\set AUTOCOMMIT off",
        "line 1, column 1: AUTOCOMMIT is a setting of psql's, without effect here: a statement \
         outside BEGIN and COMMIT is always committed at once",
    ),
    (
        "\\set x \"a\"",
        "line 1, column 8: a value stands in single quotes: 'value'; psql takes double quotes as \
         a part of it",
    ),
    (
        "\\set x `date`",
        "line 1, column 8: psql would run a program here, Racy does not; a value stands in single \
         quotes: 'value'",
    ),
    (
        "\\set x 'a\nb'",
        "line 1, column 8: the value that begins here has no end on its line: ' is missing; a \
         quote within is doubled: ''",
    ),
    (
        "\\set x 'a\\x80'",
        "line 1, column 10: the escape that begins here is none: \\n, \\t, \\r, \\b, \\f, \\', \
         \\\\, \\x41 and \\101 are, up to \\x7f and without \\0",
    ),
    (
        "\\set x :'y'",
        "line 1, column 8: quotes around a variable belong to SQL; a meta-command takes its \
         value: `:y`",
    ),
    (
        "\\set x 1 -- y",
        "line 1, column 10: a comment behind \\set would be part of the value; it belongs on a \
         line of its own (in quotes, '--' is a value)",
    ),
    (
        "\\unset x y",
        "line 1, column 10: y is too much: \\unset takes one name, as in `\\unset name`",
    ),
    (
        "\\if",
        "line 1, column 1: \\if needs a boolean: `\\if :name`, `\\if :{?name}` or `\\if true`",
    ),
    (
        "\\if :n > 0",
        "line 1, column 5: :n > 0 is no boolean: \\if computes nothing, SQL does: `SELECT :n > 0 \
         AS holds; \\gset`, then `\\if :holds`",
    ),
    (
        "\\if :n>0",
        "line 1, column 5: :n>0 is no boolean: \\if computes nothing, SQL does: `SELECT :n>0 AS \
         holds; \\gset`, then `\\if :holds`",
    ),
    (
        "\\elif found",
        "line 1, column 7: found is no boolean; the variable is written `:found`",
    ),
    (
        "a; \\if true \\else x",
        "line 1, column 19: x is too much: \\else stands alone on its line",
    ),
];

#[test]
fn a_mistake_in_a_command_says_what_would_be_right() {
    for (text, expected) in MISTAKES {
        for flavour in EVERY {
            let complaint = complaint(text, flavour);
            let shown = complaint.strip_suffix(ALLOWED).unwrap_or(&complaint);
            assert_eq!(shown, *expected, "{text}");
        }
    }
}

/// What people may bring from psql, pgbench and elsewhere.
const FOREIGN: [&str; 20] = [
    "g", "gx", "gexec", "watch", "copy", "i", "ir", "echo", "qecho", "warn", "c", "connect", "!",
    "timing", "pset", "x", "sleep", "d", ".", "elseif",
];

#[test]
fn each_foreign_command_is_told_what_to_do_instead() {
    for name in FOREIGN {
        let complaint = complaint(&format!("SELECT 1;\n\\{name}"), Postgres);
        let start = format!("line 2, column 1: \\{name} is not understood: ");
        assert!(complaint.starts_with(&start), "{complaint}");
        assert!(complaint.ends_with(ALLOWED), "{complaint}");
    }
}
