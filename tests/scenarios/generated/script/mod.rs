//! The statements of one client of a random scenario.

mod transactions;

use super::dice::Dice;
use super::schema::{Schema, Table};
use crate::support::TestEngine;

/// One client's script, as far as it has been drawn.
pub struct Script<'g> {
    dice: &'g mut Dice,
    schema: &'g Schema,
    text: String,
    /// The table that it works with most.
    home: Table,
    /// The number of values that it has captured.
    captured: usize,
    /// The names of values that are numbers.
    numbers: Vec<String>,
    /// The number of steps that are left.
    left: usize,
}

impl<'g> Script<'g> {
    /// A script of about this number of steps, which changes something.
    pub fn drawn(dice: &'g mut Dice, schema: &'g Schema, steps: usize) -> String {
        let is_change = |line: &str| {
            let changes = ["UPDATE ", "INSERT ", "DELETE "];
            changes.iter().any(|it| line.starts_with(it))
        };
        loop {
            let text = Self::drawn_once(dice, schema, steps);
            let is_kept = !text.contains("ROLLBACK") || dice.percent(40);
            if is_kept && text.lines().any(is_change) {
                return text;
            }
        }
    }

    fn drawn_once(dice: &mut Dice, schema: &Schema, steps: usize) -> String {
        let home = dice.one_of(&schema.hot);
        let mut script = Script {
            dice,
            schema,
            text: String::new(),
            home,
            captured: 0,
            numbers: Vec::new(),
            left: steps,
        };
        while script.left > 0 {
            if script.left == 1 && script.dice.percent(60) {
                script.read();
            } else {
                script.block();
            }
        }
        script.text
    }

    /// Adds a statement that is a step.
    fn step(&mut self, sql: &str) {
        self.text.push_str(sql);
        self.text.push_str(";\n");
        self.left = self.left.saturating_sub(1);
    }

    /// Adds a statement that changes rows. Its number of rows, or its fault, is captured.
    fn change(&mut self, sql: &str) {
        self.step(sql);
        self.captured += 1;
        let number = self.captured;
        if self.dice.percent(20) {
            // Goes on after an error.
            let fault = format!("\\if :ERROR\n\\set f{number} :FAULT\n\\endif\n");
            self.text.push_str(&fault);
        } else {
            self.text.push_str(&format!("\\set n{number} :ROW_COUNT\n"));
        }
    }

    /// How a value changes: in another way each time, so that the order of two changes shows.
    fn changed(&mut self) -> &'static str {
        self.dice
            .one_of(&["v + 1", "v * 2", "v * 2 + 1", "v + 100"])
    }

    fn statement(&mut self) {
        match self.dice.below(100) {
            0..32 => self.read(),
            32..44 => self.locking_read(),
            44..74 => self.update(),
            74..80 => self.delete(),
            80..93 => self.insert(),
            _ => self.special(),
        }
    }

    /// Most statements are about the same two tables, so that the clients meet.
    fn table(&mut self) -> Table {
        match self.dice.below(10) {
            0..5 => self.home,
            5..9 => self.schema.hot[self.dice.below(2)],
            _ => self.dice.one_of(&self.schema.tables),
        }
    }

    /// Its name, or the name of a part of it.
    fn name(&mut self, table: Table) -> &'static str {
        if table.is_in_parts && self.dice.percent(40) {
            self.dice.one_of(&["oth_low", "oth_high"])
        } else {
            table.name
        }
    }

    /// Another table than this one.
    fn another(&mut self, table: Table) -> Table {
        let all = self.schema.hot.iter().chain(&self.schema.tables);
        let others: Vec<_> = all.copied().filter(|it| it.name != table.name).collect();
        self.dice.one_of(&others)
    }

    fn id(&mut self) -> i32 {
        self.dice.one_of(&[1, 1, 1, 1, 1, 1, 1, 1, 3, 2])
    }

    fn condition(&mut self) -> String {
        let id = self.id();
        match self.dice.below(12) {
            0..5 => format!(" WHERE id = {id}"),
            5 => format!(" WHERE v >= {}", self.dice.one_of(&[11, 20])),
            6 => format!(" WHERE k BETWEEN {} AND 40", self.dice.one_of(&[0, 20])),
            _ => String::new(),
        }
    }

    /// Adds a read of one value, and captures it.
    fn capture(&mut self, value: &str, rest: &str, is_number: bool) {
        self.captured += 1;
        let name = format!("x{}", self.captured);
        if is_number {
            self.numbers.push(name.clone());
        }
        let sql = format!("SELECT {value} AS {name} FROM {rest}; \\gset\n");
        self.text.push_str(&sql);
        self.left = self.left.saturating_sub(1);
    }

    /// All rows of a table as one value.
    fn all(&self) -> &'static str {
        if self.schema.is_postgres() {
            "STRING_AGG(CONCAT(id, ':', k, ':', v), ',' ORDER BY id, v)"
        } else {
            "GROUP_CONCAT(id, ':', COALESCE(k, 'none'), ':', v ORDER BY id, v)"
        }
    }

    fn read(&mut self) {
        let table = self.table();
        let name = self.name(table);
        let condition = self.condition();
        let all = self.all();
        match self.dice.below(12) {
            0..3 => {
                let id = self.id();
                self.capture("v", &format!("{name} WHERE id = {id}"), true);
            }
            3 => self.capture("SUM(v)", name, true),
            11 => self.capture("MAX(v)", name, true),
            // Answered without a look at the table.
            4 if self.dice.percent(30) => {
                self.capture("COUNT(*)", &format!("{name} WHERE 1 = 0"), true);
            }
            4 => self.capture("COUNT(*)", &format!("{name}{condition}"), true),
            5 => self.capture("COALESCE(SUM(v), 0)", &format!("{name}{condition}"), true),
            6 => self.capture(
                "COUNT(*)",
                "par JOIN chi ON chi.r = par.id WHERE par.v > 5",
                true,
            ),
            7 if self.dice.percent(40) => {
                let other = self.another(table).name;
                let both = format!("SELECT v FROM {name} UNION ALL SELECT v FROM {other}");
                self.capture("SUM(v)", &format!("({both}) AS both_of_them"), true);
            }
            7 => {
                let other = self.another(table).name;
                let from = format!("{name} WHERE id IN (SELECT id FROM {other} WHERE v > 15)");
                self.capture(all, &from, false);
            }
            8 | 9 if self.schema.view.is_some() => {
                self.capture(all, &format!("vue{condition}"), false);
            }
            _ => self.capture(all, &format!("{name}{condition}"), false),
        }
    }

    fn locking_read(&mut self) {
        let table = self.table();
        let name = self.name(table);
        let lock = match self.schema.engine {
            TestEngine::Postgres => {
                let locks = [
                    "FOR UPDATE",
                    "FOR NO KEY UPDATE",
                    "FOR SHARE",
                    "FOR KEY SHARE",
                ];
                self.dice.one_of(&locks)
            }
            TestEngine::MariaDb => self.dice.one_of(&["FOR UPDATE", "LOCK IN SHARE MODE"]),
            _ => self.dice.one_of(&["FOR UPDATE", "FOR SHARE"]),
        };
        let is_patient = self.dice.percent(90) || lock == "LOCK IN SHARE MODE";
        // The refusal of NOWAIT cannot be told from a wait that was not seen.
        let patience = if is_patient { "" } else { " SKIP LOCKED" };
        if self.dice.percent(70) {
            let id = self.id();
            let from = format!("{name} WHERE id = {id} {lock}{patience}");
            self.capture("v", &from, true);
        } else {
            let condition = self.condition();
            let all = self.all();
            let from = format!("(SELECT id, k, v FROM {name}{condition} {lock}{patience}) these");
            self.capture(all, &from, false);
        }
    }

    fn update(&mut self) {
        let table = self.table();
        let name = self.name(table);
        let condition = self.condition();
        let id = self.id();
        let changed = self.changed();
        let sql = match self.dice.below(16) {
            0..6 if !self.numbers.is_empty() => {
                let which = self.dice.below(self.numbers.len());
                let number = &self.numbers[which];
                format!("UPDATE {name} SET v = :{number} + 1 WHERE id = {id}")
            }
            6 => format!("UPDATE {name} SET k = k + 20{condition}"),
            7 => format!("UPDATE par SET id = {} WHERE id = {id}", self.id()),
            8 => format!(
                "UPDATE par SET k = {} WHERE id = {id}",
                self.dice.one_of(&[10, 20, 60])
            ),
            9 if table.refers.is_some() => {
                let to = self.dice.one_of(&table.refers.unwrap());
                format!("UPDATE {name} SET r = {to}{condition}")
            }
            10 | 11 => {
                let other = self.another(table).name;
                let value = format!("(SELECT SUM(v) FROM {other})");
                format!("UPDATE {name} SET v = COALESCE({value}, 0){condition}")
            }
            12 => self.update_of_two(table, name),
            13 if self.schema.view.is_some_and(|it| it.is_of_one) => {
                format!("UPDATE vue SET v = {changed} WHERE id = {id}")
            }
            _ => format!("UPDATE {name} SET v = {changed}{condition}"),
        };
        self.change(&sql);
    }

    /// An update that reads another table, or changes both.
    fn update_of_two(&mut self, table: Table, name: &str) -> String {
        let other = self.another(table).name;
        if self.schema.is_postgres() {
            return match self.dice.below(2) {
                0 => format!(
                    "UPDATE {name} SET v = {other}.v FROM {other} WHERE {other}.id = {name}.id"
                ),
                _ => format!(
                    "MERGE INTO {name} USING {other} ON {name}.id = {other}.id \
                     WHEN MATCHED AND {other}.v > 15 THEN UPDATE SET v = {other}.v + 1 \
                     WHEN NOT MATCHED THEN DO NOTHING"
                ),
            };
        }
        match self.dice.below(3) {
            0 => format!("UPDATE {name} JOIN {other} USING (id) SET {name}.v = {other}.v + 1"),
            1 => format!(
                "UPDATE {name} a JOIN {other} b ON b.id = a.id SET a.v = b.v, b.v = b.v + 1 \
                 WHERE a.id < 4"
            ),
            _ => format!("UPDATE {name} SET v = v + 1 ORDER BY id DESC LIMIT 1"),
        }
    }

    fn delete(&mut self) {
        let table = self.table();
        let name = self.name(table);
        let condition = self.condition();
        let sql = if self.dice.percent(12) {
            let other = self.another(table).name;
            match self.schema.is_postgres() {
                true => format!("DELETE FROM {name} USING {other} WHERE {other}.id = {name}.id"),
                false => format!("DELETE a FROM {name} a JOIN {other} b ON b.id = a.id"),
            }
        } else if self.dice.percent(15) {
            let other = self.another(table).name;
            format!("DELETE FROM {name} WHERE v IN (SELECT v FROM {other} WHERE v > 15)")
        } else {
            format!("DELETE FROM {name}{condition}")
        };
        self.change(&sql);
    }

    fn insert(&mut self) {
        let table = self.table();
        let (name, id) = (table.name, self.dice.one_of(&[2, 2, 4, 1]));
        let key = self.dice.one_of(&[10, 20, 20, 40]);
        let (column, refers) = match table.refers {
            Some(refers) => (", r", format!(", {}", self.dice.one_of(&refers))),
            None => ("", String::new()),
        };
        let plain = if table.is_numbered && self.dice.percent(70) {
            format!("INSERT INTO {name} (k, v{column}) VALUES ({key}, 1{refers})")
        } else {
            format!("INSERT INTO {name} (id, k, v{column}) VALUES ({id}, {key}, 1{refers})")
        };
        let sql = match self.dice.below(10) {
            0..6 => plain,
            6 if self.schema.is_postgres() => format!("{plain} ON CONFLICT DO NOTHING"),
            7 if self.schema.is_postgres() => {
                let set = self.dice.one_of(&["v = 9", "id = 9", "k = 90"]);
                format!("{plain} ON CONFLICT (id) DO UPDATE SET {set}")
            }
            6 => plain.replace("INSERT", self.dice.one_of(&["REPLACE", "INSERT IGNORE"])),
            7 => {
                let set = self.dice.one_of(&["v = 9", "id = 9", "k = 90"]);
                format!("{plain} ON DUPLICATE KEY UPDATE {set}")
            }
            _ => {
                let other = self.another(table).name;
                let condition = self.condition();
                format!(
                    "INSERT INTO {name} (id, k, v) \
                     SELECT id + 10, k + 100, v + 1 FROM {other}{condition}"
                )
            }
        };
        self.change(&sql);
    }

    fn special(&mut self) {
        let is_postgres = self.schema.is_postgres();
        match self.dice.below(6) {
            3 => {
                let table = self.table().name;
                let condition = format!("SELECT COUNT(*) > 2 AS has_many FROM {table}");
                self.text
                    .push_str(&format!("{condition}; \\gset\n\\if :has_many\n"));
                self.update();
                self.text.push_str("\\endif\n");
            }
            4 if self.dice.percent(30) => {
                let table = self.table().name;
                self.step(&format!("TRUNCATE TABLE {table}"));
            }
            5 if is_postgres => self.step("SELECT pg_advisory_xact_lock(7)"),
            0 if self.schema.has_sequence => {
                let next = if is_postgres {
                    "nextval('num')"
                } else {
                    "NEXTVAL(num)"
                };
                self.capture(next, "par WHERE id = 3", true);
            }
            1 if self.schema.has_function => self.capture("peek()", "par WHERE id = 3", true),
            2 if self.schema.has_deferred => {
                self.text.push_str("SET CONSTRAINTS ALL DEFERRED;\n");
                self.update();
            }
            _ if is_postgres => {
                let table = self.table().name;
                let id = self.id();
                let changed = format!("UPDATE {table} SET v = v + 1 WHERE id = {id} RETURNING v");
                self.captured += 1;
                let name = format!("x{}", self.captured);
                let sql =
                    format!("WITH it AS ({changed}) SELECT SUM(v) AS {name} FROM it; \\gset\n");
                self.text.push_str(&sql);
                self.left = self.left.saturating_sub(1);
            }
            _ => self.insert(),
        }
    }
}
