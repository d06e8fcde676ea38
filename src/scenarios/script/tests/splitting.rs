//! Where statements end.

use super::super::{statements, template};
use super::*;

type Case = (&'static [Flavour], &'static str, &'static [&'static str]);

const STATEMENTS: &[Case] = &[
    (&EVERY, "", &[]),
    (&EVERY, " ;; -- nothing\n /* at all */ ;", &[]),
    (&EVERY, "a; b ;c", &["a", "b", "c"]),
    (&EVERY, "BEGIN; COMMIT;", &["BEGIN", "COMMIT"]),
    (
        &EVERY,
        "-- c ; d\na -- e ;\n, b; /* f; */ g",
        &["a -- e ;\n, b", "g"],
    ),
    (&EVERY, "SELECT ';' AS x; b", &["SELECT ';' AS x", "b"]),
    (&EVERY, "SELECT 'it''s;' ; b", &["SELECT 'it''s;'", "b"]),
    (
        &EVERY,
        "SELECT \"a;\"\";\" ; b",
        &["SELECT \"a;\"\";\"", "b"],
    ),
    (&EVERY, "SELECT 'é😀;'; ü;", &["SELECT 'é😀;'", "ü"]),
    (&EVERY, "a 'x\n;y'; b", &["a 'x\n;y'", "b"]),
    // A backslash escapes in MySQL's strings alone.
    (&INNODB, r"a 'it\'s; b'; c", &[r"a 'it\'s; b'", "c"]),
    (&INNODB, r#"a "it\"s; b"; c"#, &[r#"a "it\"s; b""#, "c"]),
    (&INNODB, r"a 'x\\'; c", &[r"a 'x\\'", "c"]),
    (&[Postgres, Sqlite], r"a 'x\'; c", &[r"a 'x\'", "c"]),
    (&[Postgres], r"a E'it\'s; b'; c", &[r"a E'it\'s; b'", "c"]),
    (
        &[Postgres],
        "a e'x'\n '\\';' ; c",
        &["a e'x'\n '\\';'", "c"],
    ),
    (&[Postgres], r"a type'x\'; c", &[r"a type'x\'", "c"]),
    (&[Postgres], r"a U&'d\0061;\'; c", &[r"a U&'d\0061;\'", "c"]),
    // Names in quotes.
    (
        &[MySql, MariaDb, Sqlite],
        "a `x;``\\` ; c",
        &["a `x;``\\`", "c"],
    ),
    (&[Sqlite], "a [x;'] ; c", &["a [x;']", "c"]),
    (&[Postgres], "a x[1:2]; c", &["a x[1:2]", "c"]),
    // Dollar quotes are PostgreSQL's.
    (&[Postgres], "a $$x;'$$; c", &["a $$x;'$$", "c"]),
    (
        &[Postgres],
        "a $q1$x;$$;$q$;$q1$; c",
        &["a $q1$x;$$;$q$;$q1$", "c"],
    ),
    (&[Postgres], "a $1; b x$q$; c", &["a $1", "b x$q$", "c"]),
    (&[MySql, MariaDb, Sqlite], "a $$; c", &["a $$", "c"]),
    // Comments.
    (&INNODB, "a --b; c", &["a --b", "c"]),
    (&INNODB, "a # b; c\n; --\n d; -- e", &["a", "d"]),
    (
        &[Postgres, Sqlite],
        "a --b; c\n, d; e",
        &["a --b; c\n, d", "e"],
    ),
    (&[Postgres, Sqlite], "a # b; c", &["a # b", "c"]),
    (&[Postgres], "a /* /* ; */ ; */; c", &["a", "c"]),
    (
        &[MySql, MariaDb, Sqlite],
        "a /* /* ; */ b; c",
        &["a /* /* ; */ b", "c"],
    ),
    (&[Postgres], "a -- x;\r; c", &["a", "c"]),
    (&EVERY, "a /* ' \" */; c", &["a", "c"]),
    // MySQL's comments that are carried out.
    (
        &INNODB,
        "/*!40101 SET x = ';*/' */; c",
        &["/*!40101 SET x = ';*/' */", "c"],
    ),
    (
        &[MariaDb],
        "/*M!100 SET x */; c",
        &["/*M!100 SET x */", "c"],
    ),
    (&[Postgres, Sqlite], "/*! SET x; */; c", &["c"]),
    // The last statement's end, and lines as Windows writes them.
    (&EVERY, "a;\r\nb\r\n", &["a", "b"]),
];

#[test]
fn statements_end_where_the_engine_sees_it() {
    for (flavours, text, expected) in STATEMENTS {
        for flavour in *flavours {
            let found = statements(text, *flavour).unwrap_or_else(|it| panic!("{text}: {it}"));
            let found: Vec<_> = found.into_iter().map(|(_, _, sql)| sql).collect();
            assert_eq!(found, *expected, "{flavour}: {text}");
        }
    }
}

const WITH_DELIMITERS: &[(&str, &[&str])] = &[
    (
        "DELIMITER //\na; b//\nc//\ndelimiter ;\nd; e",
        &["a; b", "c", "d", "e"],
    ),
    ("  DELIMITER $$ \r\na; b END$$ c\n$$", &["a; b END", "c"]),
    ("DELIMITER ;;\na; b;; c", &["a; b", "c"]),
    (
        "DELIMITER go\na category;\n go b_go GO go",
        &["a category;", "b_go GO"],
    ),
    ("DELIMITER /\na /* / */ / b", &["a", "b"]),
    ("DELIMITER |\na '|' | b", &["a '|'", "b"]),
];

#[test]
fn the_delimiter_can_be_changed_on_every_engine() {
    for (text, expected) in WITH_DELIMITERS {
        for flavour in EVERY {
            let found = statements(text, flavour).unwrap_or_else(|it| panic!("{text}: {it}"));
            let found: Vec<_> = found.into_iter().map(|(_, _, sql)| sql).collect();
            assert_eq!(found, *expected, "{flavour}: {text}");
        }
    }
    let copy = "COPY t FROM '/t.csv' WITH (FORMAT csv,\nDELIMITER ',')";
    assert_eq!(
        statements(copy, Postgres).unwrap(),
        [(1, 1, copy.to_owned())]
    );
}

/// Each is one statement, as it stands.
const BODIES: &[(&[Flavour], &str)] = &[
    (
        &[MySql, MariaDb, Sqlite],
        "CREATE TRIGGER t AFTER INSERT ON x FOR EACH ROW BEGIN a; b; END",
    ),
    (
        &[Sqlite],
        "CREATE TEMP TRIGGER IF NOT EXISTS t AFTER UPDATE OF a ON x WHEN \
                 (CASE new.a WHEN 1 THEN 0 END) BEGIN SELECT CASE WHEN new.begin THEN 1 END; END",
    ),
    (
        &INNODB,
        "create definer=`root`@`%` procedure p() begin a; end",
    ),
    (
        &INNODB,
        "CREATE DEFINER = event@localhost EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN a; END",
    ),
    (
        &INNODB,
        "CREATE DEFINER = CURRENT_USER() FUNCTION f(a INT) RETURNS INT BEGIN RETURN a; END",
    ),
    (
        &INNODB,
        "CREATE /*!50017 DEFINER=`a`@`b`*/ TRIGGER t BEFORE INSERT ON x FOR EACH ROW \
               BEGIN a; END",
    ),
    (
        &INNODB,
        "CREATE PROCEDURE p() BEGIN IF a THEN b; ELSEIF c THEN d; END IF; e; END",
    ),
    (
        &INNODB,
        "CREATE PROCEDURE p() BEGIN l: LOOP a; LEAVE l; END LOOP l; \
               WHILE a DO b; END WHILE; REPEAT c; UNTIL d END REPEAT; e; END",
    ),
    (
        &INNODB,
        "CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN b; ELSE BEGIN c; END; END CASE; \
               SELECT CASE WHEN a THEN CASE WHEN b THEN c END END INTO d FROM e; END",
    ),
    (
        &INNODB,
        "CREATE PROCEDURE p() outer: BEGIN inner: BEGIN a; END inner; b; END outer",
    ),
    (
        &INNODB,
        "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN a; END; \
               DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END; b; END",
    ),
    (
        &INNODB,
        "CREATE PROCEDURE p() BEGIN SELECT t.begin, begin, t.end, end FROM t; b; END",
    ),
    (&INNODB, "CREATE PROCEDURE p() BEGIN BEGIN END; END"),
    (
        &INNODB,
        "CREATE PROCEDURE p() BEGIN a; SELECT CASE b WHEN 1 THEN 2 END; END",
    ),
    (&INNODB, "ALTER EVENT e DO BEGIN a; b; END"),
    (
        &[MariaDb],
        "CREATE OR REPLACE PROCEDURE p() BEGIN FOR i IN 1..3 DO a; END FOR; \
                  SELECT 1 ORDER BY CASE WHEN b THEN 1 END FOR UPDATE; c; END",
    ),
    (&[MariaDb], "BEGIN NOT ATOMIC a; b; END"),
    (
        &[Postgres],
        "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC a; SELECT 1; END",
    ),
    (
        &[Postgres],
        "CREATE PROCEDURE p() LANGUAGE SQL BEGIN ATOMIC \
                   SELECT CASE WHEN a THEN b END loop; c; END",
    ),
    (
        &[Postgres],
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN a; END $$",
    ),
    (
        &[Postgres],
        "CREATE RULE r AS ON INSERT TO t DO ALSO (a; b)",
    ),
];

#[test]
fn a_body_ends_with_its_end() {
    for (flavours, text) in BODIES {
        for flavour in *flavours {
            let both = format!("{text};\nSELECT 2;");
            let found = statements(&both, *flavour).unwrap_or_else(|it| panic!("{text}: {it}"));
            let expected = [(1, 1, (*text).to_owned()), (2, 1, "SELECT 2".to_owned())];
            assert_eq!(found, expected, "{flavour}: {text}");
        }
    }
}

/// Statements without a body end at their `;`.
const NO_BODIES: &[(&[Flavour], &str)] = &[
    (&EVERY, "BEGIN"),
    (&EVERY, "CREATE TABLE begin (id INT)"),
    (&EVERY, "SELECT CASE WHEN a THEN b FROM t"),
    (
        &INNODB,
        "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET NEW.a = CASE b WHEN 1 THEN 2 END",
    ),
    (&INNODB, "CREATE PROCEDURE begin() SELECT 1"),
    (&INNODB, "CREATE FUNCTION f(begin INT) RETURNS INT RETURN 1"),
    (
        &INNODB,
        "CREATE DEFINER = a@b SQL SECURITY INVOKER VIEW begin AS SELECT 1",
    ),
    (
        &[Postgres],
        "CREATE TRIGGER begin AFTER INSERT ON t EXECUTE FUNCTION f()",
    ),
    (&[Postgres], "CREATE FUNCTION f() RETURNS int RETURN 1"),
    (&[Sqlite], "BEGIN IMMEDIATE"),
];

#[test]
fn what_has_no_body_ends_at_its_semicolon() {
    for (flavours, text) in NO_BODIES {
        for flavour in *flavours {
            let both = format!("{text}; SELECT 2");
            let found = statements(&both, *flavour).unwrap_or_else(|it| panic!("{text}: {it}"));
            assert_eq!(found.len(), 2, "{flavour}: {text}");
        }
    }
}

#[test]
fn each_statement_has_its_place() {
    let text = "\n-- x\nSELECT 1;\n/* a\n b */ SELECT\n2;";
    for flavour in EVERY {
        let found = statements(text, flavour).unwrap().into_iter();
        let places: Vec<_> = found.map(|(line, column, _)| (line, column)).collect();
        assert_eq!(places, [(3, 1), (5, 7)]);
    }
}

const MISTAKES: &[(&[Flavour], &str, &str)] = &[
    (
        &[Postgres],
        "a;\n\nb;\nSELECT 'it\\'s', 'b';",
        "line 4, column 19: the string that begins here has no end; on PostgreSQL a backslash \
         does not escape a quote, double it: ''",
    ),
    (
        &[MySql],
        "SELECT 'C:\\';",
        "line 1, column 8: the string that begins here has no end; on MySQL a backslash escapes \
         the quote behind it, double the backslash if the quote is to close: \\\\'",
    ),
    (
        &EVERY,
        "SELECT 'it's';",
        "line 1, column 13: the string that begins here has no end; it follows a letter: if the \
         string before it holds a quote, double that: ''",
    ),
    (
        &EVERY,
        "SELECT 'a",
        "line 1, column 8: the string that begins here has no end: ' is missing; a quote within \
         is doubled: ''",
    ),
    (
        &[Sqlite],
        "SELECT \"a",
        "line 1, column 8: the name that begins here has no end: \" is missing; a quote within is \
         doubled: \"\"",
    ),
    (
        &[Sqlite],
        "SELECT [a",
        "line 1, column 8: the name that begins here has no end: ] is missing; on SQLite [ quotes",
    ),
    (
        &[Postgres],
        "SELECT $x$a$$;",
        "line 1, column 8: the text that begins here has no end: a second $x$ is missing",
    ),
    (
        &[Postgres],
        "a /* /* */ b",
        "line 1, column 3: the comment that begins here has no end: */ is missing; on PostgreSQL \
         each /* needs a */ of its own",
    ),
    (
        &INNODB,
        "a /*! b",
        "line 1, column 3: the comment that begins here has no end: */ is missing",
    ),
    (
        &INNODB,
        "CREATE PROCEDURE p()\nBEGIN a; b;",
        "line 2, column 1: the BEGIN that begins here has no END, so the statement has none; if \
         the END is there, put DELIMITER // on a line before the statement, // behind it, and \
         DELIMITER ; on a line after it",
    ),
    (
        &INNODB,
        "SELECT 1\nDELIMITER //",
        "line 2, column 1: the statement that begins on line 1 has not ended before DELIMITER: ; \
         is missing",
    ),
    (
        &EVERY,
        "a; DELIMITER //",
        "line 1, column 4: DELIMITER belongs at the beginning of a line",
    ),
    (
        &EVERY,
        "DELIMITER\na;",
        "line 1, column 1: DELIMITER needs what ends a statement from here on: `DELIMITER //`",
    ),
    (
        &EVERY,
        "DELIMITER --\na;",
        "line 1, column 1: -- would be a quote, a comment or a meta-command; `DELIMITER //` is \
         right",
    ),
    (
        &EVERY,
        "DELIMITER // a",
        "line 1, column 1: DELIMITER takes one word, and a is another; it belongs on a line of \
         its own",
    ),
    (
        &EVERY,
        "SELECT 1;\n\\gset",
        "line 2, column 1: \\gset is a meta-command, and only clients' scripts have them; plain \
         SQL is right here",
    ),
    (
        &EVERY,
        "SELECT :n;",
        "line 1, column 8: :n is a variable, and only clients' scripts have variables; write its \
         value (a space goes behind a colon that belongs to SQL)",
    ),
];

#[test]
fn a_mistake_is_told_with_its_place_and_what_would_be_right() {
    for (flavours, text, expected) in MISTAKES {
        for flavour in *flavours {
            let error = statements(text, *flavour).expect_err(text);
            assert_eq!(error.to_string(), *expected, "{flavour}: {text}");
        }
    }
}

#[test]
fn set_up_has_colons_that_are_no_variables() {
    for text in [
        "SELECT a::text",
        "SELECT a[b:c]",
        "l:BEGIN",
        "x := 1",
        "'a :b'",
    ] {
        for flavour in [MySql, MariaDb, Postgres] {
            assert_eq!(
                statements(text, flavour).unwrap(),
                [(1, 1, text.to_owned())]
            );
        }
    }
}

#[test]
fn an_invariant_is_one_statement() {
    for flavour in EVERY {
        assert_eq!(
            template(" SELECT 1; -- x", flavour).unwrap().text(),
            "SELECT 1"
        );
        let two = template("SELECT 1;\nSELECT 2", flavour).unwrap_err();
        let none = template("-- x", flavour).unwrap_err();
        assert_eq!(
            two.to_string(),
            "line 2, column 1: a second statement begins here; one statement is right"
        );
        assert_eq!(
            none.to_string(),
            "line 1, column 1: there is no statement here; one is right, such as `SELECT used <= \
             max FROM …`"
        );
    }
}

#[test]
fn a_long_set_up_is_split_at_once() {
    let row = "INSERT INTO t VALUES (1, 'a long row; with a semicolon and more text in it');\n";
    let found = statements(&row.repeat(20_000), MySql).unwrap();
    assert_eq!(found.last().map(|(line, _, _)| *line), Some(20_000));
}
