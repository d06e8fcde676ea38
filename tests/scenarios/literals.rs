//! A value that an engine has returned, written into a script's next statement, is the same value
//! to that engine.

use racy::answer::{Answer, Datum, DatumKind};
use racy::engine::{Flavour, Session, UserStatement};
use racy::scenarios::script::{InstructionKind, Script, Variables};
use racy::step::Unobserved;

use crate::support::TestEngine;

on_engines!(
    every:
        a_text_comes_back_as_it_was,
        bytes_come_back_as_they_were,
        a_number_keeps_its_sign,
        a_name_may_hold_anything,
        what_a_column_holds_is_found_by_its_literal;
    innodb:
        a_zero_date_is_found_by_its_literal;
    postgres:
        what_is_no_finite_number_comes_back;
    sqlite:
        an_infinite_number_comes_back;
);

impl TestEngine {
    fn flavour(self) -> Flavour {
        match self {
            Self::MySql => Flavour::MySql,
            Self::MariaDb => Flavour::MariaDb,
            Self::Postgres => Flavour::Postgres,
            Self::Sqlite => Flavour::Sqlite,
        }
    }
}

/// Sends a statement as it is.
async fn send(session: &mut Session<'_>, sql: &str, flavour: Flavour) -> Answer {
    let statement = UserStatement::new(sql, flavour);
    let answer = session.verbatim("send", &statement).await;
    answer.unwrap_or_else(|fault| panic!("{sql}: {fault:?}"))
}

/// Sends a script's only statement, with this value for `:x`.
async fn send_with(session: &mut Session<'_>, text: &str, x: &Datum, flavour: Flavour) -> Answer {
    let mut variables = Variables::default();
    variables.set("x", x.clone());
    let script = Script::parse(text, flavour).unwrap();
    let [only] = script.instructions() else {
        panic!("{script:?}");
    };
    let InstructionKind::Statement(statement) = &only.kind else {
        panic!("{only:?}");
    };
    let sql = statement.sql.fill(&variables, flavour).unwrap();
    send(session, &sql, flavour).await
}

/// The value that the engine reads in `:x`.
async fn read_back(session: &mut Session<'_>, x: &Datum, flavour: Flavour) -> Datum {
    let answer = send_with(session, "SELECT :x AS x", x, flavour).await;
    answer.rows[0][0].clone()
}

const TEXTS: [&str; 22] = [
    "",
    "a",
    "NULL",
    "12",
    "it's",
    "'",
    "''",
    "\\",
    "\\'",
    "'\\",
    "\\\\''\\",
    "a\\nb\\0",
    "\"`[]{}",
    "%_?$1",
    "-- x",
    "/* x */ # y",
    "; SELECT 1;",
    ":x ::x :'x'",
    "$$ E'a'",
    "ä€😀\u{301}\u{feff}",
    "a\n\r\n\tb\u{1a}\u{8}",
    " a ",
];

async fn a_text_comes_back_as_it_was(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    let flavour = engine.flavour();
    let with_nul = (flavour != Flavour::Postgres).then_some("a\0'b");
    for text in TEXTS.into_iter().chain(with_nul) {
        let x = Datum::text(text);
        assert_eq!(read_back(&mut session, &x, flavour).await, x);
        let quoted = send_with(&mut session, "SELECT :'x' AS x", &x, flavour).await;
        assert_eq!(quoted.rows, [[x]]);
    }
    session.end().await;
}

async fn bytes_come_back_as_they_were(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    for digits in ["", "00", "275c00ff27", "c3"] {
        let x = Datum::Value {
            text: digits.to_owned(),
            kind: DatumKind::Bytes,
        };
        assert_eq!(read_back(&mut session, &x, engine.flavour()).await, x);
    }
    session.end().await;
}

async fn a_number_keeps_its_sign(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    for (x, expected) in [(-5, 11), (5, -9), (0, 1)] {
        let x = Datum::number(x);
        let sql = "SELECT 1-:x- :x AS x";
        let answer = send_with(&mut session, sql, &x, engine.flavour()).await;
        assert_eq!(answer.rows, [[Datum::number(expected)]]);
    }
    session.end().await;
}

async fn a_name_may_hold_anything(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    for name in ["a b", "it's", "`\"[", "select", "\\", "ä;--", ":x"] {
        let x = Datum::text(name);
        let sql = "SELECT 1 AS :\"x\"";
        let answer = send_with(&mut session, sql, &x, engine.flavour()).await;
        assert_eq!(answer.columns, [name]);
    }
    session.end().await;
}

/// The columns of a table, and one row.
fn columns(engine: TestEngine) -> &'static [(&'static str, &'static str)] {
    match engine {
        TestEngine::MySql | TestEngine::MariaDb => &[
            ("BIGINT UNSIGNED", "18446744073709551615"),
            ("DECIMAL(30, 5)", "-123456789012345678901234.56789"),
            ("DOUBLE", "-1.5e-200"),
            ("BOOLEAN", "TRUE"),
            ("DATE", "'2026-02-28'"),
            ("TIME(3)", "'-838:59:58.999'"),
            ("DATETIME(6)", "'2026-02-28 23:59:59.999999'"),
            ("TIMESTAMP(3) NULL", "'2026-02-28 23:59:59.123'"),
            ("YEAR", "2026"),
            ("ENUM('a''b', 'c')", "'a''b'"),
            ("SET('a', 'b')", "'a,b'"),
            ("VARBINARY(9)", "X'00275cff'"),
            ("BIT(10)", "b'1000000001'"),
            ("TEXT", "'it''s \\\\'"),
            ("CHAR(9)", "NULL"),
        ],
        TestEngine::Postgres => &[
            ("bigint", "-9223372036854775808"),
            ("numeric", "-123456789012345678901234.56789"),
            ("double precision", "-1.5e-200"),
            ("boolean", "false"),
            ("date", "'2026-02-28'"),
            ("date", "'infinity'"),
            ("time(3)", "'23:59:58.999'"),
            ("timestamp", "'2026-02-28 23:59:59.999999'"),
            ("timestamptz", "'2026-02-28 23:59:59.999999+05:30'"),
            ("interval", "'-1 year 2 days 03:04:05.6'"),
            ("uuid", "'6c8a0f6e-3f43-4c0c-9a37-6d3f1f4f2a11'"),
            ("jsonb", "'{\"it''s\": [1, null]}'"),
            ("integer[]", "'{1,NULL,-3}'"),
            ("int4range", "'[1,5)'"),
            ("bytea", r"'\x00275cff'"),
            ("char(5)", "'a'"),
            ("text", r"'it''s \'"),
        ],
        TestEngine::Sqlite => &[
            ("INTEGER", "-9223372036854775807"),
            ("REAL", "-1.5e-200"),
            ("BOOLEAN", "TRUE"),
            ("DATE", "'2026-02-28'"),
            ("BLOB", "X'00275cff'"),
            ("TEXT", r"'it''s \'"),
            ("TEXT", "'a' || char(0) || 'b'"),
        ],
    }
}

async fn what_a_column_holds_is_found_by_its_literal(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    let flavour = engine.flavour();
    for (number, (of_type, value)) in columns(engine).iter().enumerate() {
        let table = format!("held_{number}");
        let create = format!("CREATE TABLE {table} (x {of_type})");
        send(&mut session, &create, flavour).await;
        let insert = format!("INSERT INTO {table} VALUES ({value})");
        send(&mut session, &insert, flavour).await;
        let read = send(&mut session, &format!("SELECT x FROM {table}"), flavour).await;
        let x = &read.rows[0][0];
        let equal = match x {
            Datum::Null => "IS",
            Datum::Value { .. } => "=",
        };
        let count = format!("SELECT COUNT(*) FROM {table} WHERE x {equal} :x");
        let count = send_with(&mut session, &count, x, flavour).await;
        assert_eq!(count.rows, [[Datum::number(1)]], "{of_type}: {x:?}");
        let copy = format!("INSERT INTO {table} VALUES (:x)");
        send_with(&mut session, &copy, x, flavour).await;
        let both = send(&mut session, &format!("SELECT x FROM {table}"), flavour).await;
        assert_eq!(both.rows, [[x.clone()], [x.clone()]], "{of_type}");
    }
    session.end().await;
}

async fn a_zero_date_is_found_by_its_literal(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    let flavour = engine.flavour();
    send(
        &mut session,
        "CREATE TABLE zero (x DATE, y DATETIME)",
        flavour,
    )
    .await;
    let insert = "INSERT INTO zero VALUES ('0000-00-00', '2026-00-00 00:00:00')";
    send(&mut session, insert, flavour).await;
    let read = send(&mut session, "SELECT x, y FROM zero", flavour).await;
    for (column, x) in ["x", "y"].into_iter().zip(&read.rows[0]) {
        let count = format!("SELECT COUNT(*) FROM zero WHERE {column} = :x");
        let count = send_with(&mut session, &count, x, flavour).await;
        assert_eq!(count.rows, [[Datum::number(1)]], "{x:?}");
    }
    session.end().await;
}

async fn what_is_no_finite_number_comes_back(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    for text in ["NaN", "Infinity", "-Infinity", "1e+300", "-1e-07"] {
        let sql = format!("SELECT CAST('{text}' AS double precision) AS x");
        let read = send(&mut session, &sql, engine.flavour()).await;
        let x = &read.rows[0][0];
        let sql = format!("SELECT :x = CAST('{text}' AS double precision) AS x");
        let equal = send_with(&mut session, &sql, x, engine.flavour()).await;
        assert_eq!(equal.rows[0][0].to_string(), "t", "{x:?}");
    }
    session.end().await;
}

async fn an_infinite_number_comes_back(engine: TestEngine) {
    let lab = engine.lab().await;
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    for sql in ["SELECT 9e999 AS x", "SELECT -9e999 AS x"] {
        let read = send(&mut session, sql, engine.flavour()).await;
        let x = &read.rows[0][0];
        assert_eq!(read_back(&mut session, x, engine.flavour()).await, *x);
    }
    session.end().await;
}
