//! A recording becomes a file, rule by rule.

mod clients;
mod listing;
mod racers;
mod sessions;
mod statements;
mod values;

use std::time::{Duration, Instant};

use super::{Each, Nothing, Recording, Written};
use crate::answer::{Answer, Datum};
use crate::engine::{
    ConnectionId, Excerpt, Flavour, Isolation, StatementKind, TableExcerpt, UserStatement,
};
use crate::proxy::{Heard, Sent, SessionState};

const FLAVOUR: Flavour = Flavour::MySql;
const PAUSE: Duration = Duration::from_millis(300);

/// What came, statement by statement. The clock is the test's own.
struct Traffic {
    heard: Vec<Heard>,
    now: Instant,
    each: Each,
    tables: Excerpt,
    flavour: Flavour,
    under_way: Vec<(ConnectionId, String)>,
}

impl Traffic {
    fn new() -> Self {
        Self {
            heard: Vec::new(),
            now: Instant::now(),
            each: Each::Pause(PAUSE),
            tables: Excerpt {
                tables: ["wallet", "item", "doc"].map(table).to_vec(),
                ..Excerpt::default()
            },
            flavour: FLAVOUR,
            under_way: Vec::new(),
        }
    }

    fn pause(&mut self) {
        self.now += PAUSE;
    }

    /// The session of this connection, as its last statement left it.
    fn state(&self, connection: i64) -> SessionState {
        let mut heard = self.heard.iter().rev();
        let last = heard.find(|it| it.connection == connection.into());
        last.map_or(
            SessionState {
                in_transaction: false,
                autocommit: true,
                number: 0,
            },
            |it| it.after,
        )
    }

    fn on_postgres() -> Self {
        Self {
            flavour: Flavour::Postgres,
            ..Self::new()
        }
    }

    /// A statement that has changed one row.
    fn sends(&mut self, connection: i64, text: &str) -> &mut Heard {
        let before = self.state(connection);
        let statement = UserStatement::new(text, self.flavour);
        let switched = statement.sets_autocommit(self.flavour);
        let in_transaction = match statement.kind {
            StatementKind::Begin(_) => true,
            StatementKind::Commit | StatementKind::Rollback => false,
            _ if switched == Some(true) => false,
            _ if switched.is_none() && !statement.kind.is_local() => {
                before.in_transaction || !before.autocommit
            }
            _ => before.in_transaction,
        };
        let came = self.now;
        self.now += Duration::from_millis(1);
        self.heard.push(Heard {
            connection: ConnectionId::from(connection),
            sent: Sent {
                text: text.to_owned(),
                arguments: Vec::new(),
                gap: None,
            },
            answer: Ok(Answer {
                row_count: 1,
                ..Answer::default()
            }),
            generated_key: None,
            came,
            answered: self.now,
            before,
            after: SessionState {
                in_transaction,
                autocommit: switched.unwrap_or(before.autocommit),
                ..before
            },
        });
        self.heard.last_mut().unwrap()
    }

    /// A statement that has returned these rows.
    fn reads(&mut self, connection: i64, text: &str, columns: &[&str], rows: &[&[&str]]) {
        let value = |it: &&str| match it.parse::<f64>() {
            Ok(_) => Datum::number(it),
            Err(_) => Datum::text(*it),
        };
        let rows: Vec<Vec<Datum>> = rows
            .iter()
            .map(|it| it.iter().map(value).collect())
            .collect();
        self.sends(connection, text).answer = Ok(Answer {
            columns: columns.iter().map(|it| (*it).to_owned()).collect(),
            row_count: rows.len() as u64,
            rows,
        });
    }

    /// Reads a balance, and writes another one.
    fn withdraws(&mut self, connection: i64, read: i64, written: i64) {
        self.sends(connection, "BEGIN");
        let read = read.to_string();
        let query = "SELECT balance FROM wallet WHERE id = 1";
        self.reads(connection, query, &["balance"], &[&[&read]]);
        let update = format!("UPDATE wallet SET balance = {written} WHERE id = 1");
        self.sends(connection, &update);
        self.sends(connection, "COMMIT");
        self.pause();
    }

    fn recording(&self) -> Recording<'_> {
        Recording {
            heard: &self.heard,
            each: self.each,
            clients: 2,
            engine: "MySQL 9, REPEATABLE READ".to_owned(),
            flavour: self.flavour,
            level: Isolation::RepeatableRead,
            database: "shop",
            tables: Ok(&self.tables),
            unseen: &[],
            under_way: &self.under_way,
        }
    }

    /// Why there is no file.
    fn refused(&self) -> Nothing {
        self.recording().write().unwrap_err()
    }

    fn written(&self) -> Written {
        let written = self.recording().write().unwrap();
        let mistake = written.mistake("file.toml");
        assert!(mistake.is_none(), "{mistake:?}\n{}", written.text);
        written
    }

    /// The scripts in the file, without comments and without what only forgets variables.
    fn scripts(&self) -> Vec<String> {
        let text = self.written().text;
        let parts = text.split("script = '''\n").skip(1);
        let script = |part: &str| {
            let lines = part.split("'''").next().unwrap().lines();
            let lines = lines.filter(|it| !it.starts_with("--") && !it.starts_with("\\unset"));
            lines.map(|it| format!("{it}\n")).collect()
        };
        parts.map(script).collect()
    }
}

fn table(name: &str) -> TableExcerpt {
    TableExcerpt {
        name: name.to_owned(),
        make: vec![format!("CREATE TABLE {name} (id INT PRIMARY KEY)")],
        fill: Some(format!("INSERT INTO {name} (id) VALUES (1)")),
        rows: 1,
        ..TableExcerpt::default()
    }
}
