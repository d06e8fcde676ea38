//! Transactions and locks of a random script.

use super::{Dice, Script};
use crate::support::TestEngine;

impl Script<'_> {
    /// A statement in autocommit, or a transaction.
    pub(super) fn block(&mut self) {
        let is_transaction = self.left >= 3 && self.dice.percent(75);
        if !is_transaction {
            match self.dice.below(40) {
                0 => self.advisory_lock(),
                1 => self.lock_tables(),
                2 if self.left > 2 && !self.schema.is_postgres() => self.without_autocommit(),
                _ => self.statement(),
            }
            return;
        }
        let is_last = self.left < 6 || self.dice.percent(60);
        let inside = if is_last {
            self.left - 2
        } else {
            self.left / 2 - 1
        };
        let rest = self.left - inside - 2;
        self.begin();
        self.left = inside;
        while self.left > 0 {
            if self.left > 2 && self.dice.percent(10) {
                self.savepoint();
            } else {
                self.statement();
            }
        }
        self.left = 1;
        self.end();
        self.left = rest;
    }

    /// Ends a transaction, or goes on without an end.
    fn end(&mut self) {
        match self.dice.below(20) {
            0..16 => self.step("COMMIT"),
            16 => self.step("ROLLBACK"),
            17 => {
                self.step("COMMIT AND CHAIN");
                self.left += 1;
                self.statement();
            }
            // The next BEGIN commits on InnoDB, and the disconnect rolls back.
            18 => {}
            _ => self.step("ROLLBACK AND CHAIN"),
        }
    }

    fn begin(&mut self) {
        let level = |dice: &mut Dice, engine: TestEngine| dice.one_of(engine.levels()).sql();
        let engine = self.schema.engine;
        let special = self.dice.percent(22);
        let begin = match (special, self.schema.is_postgres()) {
            (false, _) => "BEGIN".to_owned(),
            (true, true) => {
                let level = level(self.dice, engine);
                match self.dice.below(6) {
                    0 if self.dice.percent(20) => {
                        format!("BEGIN ISOLATION LEVEL {level} READ ONLY")
                    }
                    1 => format!("BEGIN;\nSET TRANSACTION ISOLATION LEVEL {level}"),
                    2 => format!(
                        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level};\nBEGIN"
                    ),
                    _ => format!("BEGIN ISOLATION LEVEL {level}"),
                }
            }
            (true, false) => match self.dice.below(4) {
                0 => "START TRANSACTION WITH CONSISTENT SNAPSHOT".to_owned(),
                1 if self.dice.percent(20) => "START TRANSACTION READ ONLY".to_owned(),
                2 => {
                    let level = level(self.dice, engine);
                    format!("SET SESSION TRANSACTION ISOLATION LEVEL {level};\nBEGIN")
                }
                _ => {
                    let level = level(self.dice, engine);
                    format!("SET TRANSACTION ISOLATION LEVEL {level};\nBEGIN")
                }
            },
        };
        self.step(&begin);
        if self.dice.percent(12) {
            // Touches no table. PostgreSQL takes its snapshot for it.
            self.text.push_str("SELECT 1 AS one; \\gset\n");
        }
    }

    fn savepoint(&mut self) {
        self.step("SAVEPOINT s");
        self.statement();
        let end = self
            .dice
            .one_of(&["ROLLBACK TO SAVEPOINT s", "RELEASE SAVEPOINT s"]);
        self.step(end);
    }

    fn advisory_lock(&mut self) {
        let is_patient = self.dice.percent(60);
        let (take, release) = match (self.schema.engine, is_patient) {
            (TestEngine::Postgres, true) => ("pg_advisory_lock(7)", "pg_advisory_unlock(7)"),
            (TestEngine::Postgres, false) => ("pg_try_advisory_lock(7)", "pg_advisory_unlock(7)"),
            (_, true) => ("GET_LOCK('racy_drawn', 5)", "RELEASE_LOCK('racy_drawn')"),
            (_, false) => ("GET_LOCK('racy_drawn', 0)", "RELEASE_LOCK('racy_drawn')"),
        };
        self.step(&format!("SELECT {take}"));
        self.statement();
        self.step(&format!("SELECT {release}"));
    }

    fn lock_tables(&mut self) {
        let table = self.table().name;
        if self.schema.is_postgres() {
            let mode = self.dice.one_of(&["SHARE", "EXCLUSIVE", "ROW SHARE"]);
            self.step("BEGIN");
            self.step(&format!("LOCK TABLE {table} IN {mode} MODE"));
            self.statement();
            self.step("COMMIT");
        } else {
            let mode = self.dice.one_of(&["READ", "WRITE"]);
            self.step(&format!("LOCK TABLES {table} {mode}"));
            self.step(&format!("UPDATE {table} SET v = v + 1 WHERE id = 1"));
            self.step("UNLOCK TABLES");
        }
    }

    fn without_autocommit(&mut self) {
        self.step("SET autocommit = 0");
        self.left += 1;
        self.statement();
        self.statement();
        self.step("COMMIT");
        self.step("SET autocommit = 1");
    }
}
