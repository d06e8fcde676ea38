//! Instructions, and where they go.

use super::*;

const VOUCHER: &str = "
BEGIN;
SELECT used, max FROM voucher WHERE code = 'v'; \\gset
SELECT :used >= :max AS is_used_up; \\gset
\\if :is_used_up
  ROLLBACK;
  \\q
\\endif
UPDATE voucher SET used = used + 1 WHERE code = 'v';
COMMIT;
";

#[test]
fn a_script_becomes_a_list_with_jumps() {
    for flavour in EVERY {
        assert_eq!(
            listed(VOUCHER, flavour),
            [
                "BEGIN",
                "SELECT used, max FROM voucher WHERE code = 'v' -> *",
                "SELECT :used >= :max AS is_used_up -> *",
                "if :is_used_up else 6",
                "ROLLBACK",
                "quit",
                "UPDATE voucher SET used = used + 1 WHERE code = 'v'",
                "COMMIT",
            ]
        );
        let script = Script::parse(VOUCHER, flavour).unwrap();
        let lines: Vec<_> = script.instructions().iter().map(|it| it.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 7, 9, 10]);
    }
}

#[test]
fn branches_are_nested() {
    let text =
        "\\if :a\n1;\n\\if :b\n2;\n\\elif :c\n3;\n\\endif\n\\elif :d\n4;\n\\else\n5;\n\\endif";
    assert_eq!(
        listed(text, MySql),
        [
            "if :a else 8",
            "1",
            "if :b else 5",
            "2",
            "jump 7",
            "if :c else 7",
            "3",
            "jump 12",
            "if :d else 11",
            "4",
            "jump 12",
            "5",
        ]
    );
}

#[test]
fn an_empty_branch_goes_on() {
    let text = "\\if true\n\\else\n\\endif\nSELECT 1";
    assert_eq!(
        listed(text, Sqlite),
        ["if true else 2", "jump 2", "SELECT 1"]
    );
}

/// The first statement of each; whether its errors are handled.
const HANDLED: &[(&str, bool)] = &[
    ("a;\n\\if :ERROR\n\\q\n\\endif", true),
    ("a; \\gset\n\\if :{?SQLSTATE}\n\\q\n\\endif", true),
    ("a;\nSELECT :'FAULT' = 'deadlock' AS d; \\gset", true),
    ("a;\n\\set code :ERROR_CODE", true),
    ("a;\n\\if :ROW_COUNT\n\\q\n\\endif", false),
    ("a;\n\\unset ERROR", false),
    ("a;\nSELECT ':ERROR';", false),
    ("a;\nb;\n\\if :ERROR\n\\endif", false),
    ("a;", false),
    (
        "\\if true\na;\n\\else\nb;\n\\endif\n\\if :ERROR\n\\q\n\\endif",
        true,
    ),
    ("\\if true\na;\n\\elif :ERROR\nb;\n\\endif", false),
];

#[test]
fn an_error_is_handled_if_the_next_instruction_mentions_it() {
    for (text, expected) in HANDLED {
        let script = Script::parse(text, Postgres).unwrap();
        let first = script.instructions().iter().find_map(|it| match &it.kind {
            InstructionKind::Statement(statement) => Some(statement.handles_errors),
            _ => None,
        });
        assert_eq!(first, Some(*expected), "{text}");
    }
}

const MISTAKES: &[(&str, &str)] = &[
    (
        "a;\n\\endif",
        "line 2, column 1: \\endif has no \\if before it",
    ),
    (
        "a;\n \\else",
        "line 2, column 2: \\else has no \\if before it",
    ),
    (
        "a;\n\\elif true",
        "line 2, column 1: \\elif has no \\if before it",
    ),
    (
        "a;\n\\if true\n\\if true\n\\endif",
        "line 2, column 1: the \\if that begins here has no \\endif",
    ),
    (
        "a;\n\\if true\n\\else\n\\else\n\\endif",
        "line 4, column 1: \\else comes after the \\else of the \\if on line 2; \\else is the last \
         branch, and \\endif ends it",
    ),
    (
        "a;\n\\if true\n\\else\n\\elif true\n\\endif",
        "line 4, column 1: \\elif comes after the \\else of the \\if on line 2; \\else is the last \
         branch, and \\endif ends it",
    ),
    (
        "\\set x 1\n\\q",
        "line 1, column 1: there is no statement here; a script sends at least one, such as \
         `SELECT 1;`",
    ),
    (
        "",
        "line 1, column 1: there is no statement here; a script sends at least one, such as \
         `SELECT 1;`",
    ),
];

#[test]
fn branches_that_do_not_match_are_mistakes() {
    for (text, expected) in MISTAKES {
        for flavour in EVERY {
            assert_eq!(complaint(text, flavour), *expected, "{text}");
        }
    }
}
