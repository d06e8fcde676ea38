//! Random scenarios: the same seed makes the same one.

mod dice;
mod schema;
mod script;

use racy::engine::Isolation;

use crate::support::TestEngine;
use dice::Dice;
use schema::Schema;
use script::Script;

/// The numbers of steps of the clients: few enough that all schedules can be run.
const LENGTHS: [&[usize]; 7] = [
    &[3, 4],
    &[4, 4],
    &[4, 5],
    &[3, 6],
    &[5, 5],
    &[4, 6],
    &[3, 7],
];

/// The same for three clients.
const LENGTHS_OF_THREE: [&[usize]; 3] = [&[2, 2, 2], &[1, 2, 3], &[1, 2, 2]];

/// The first line of a scenario in which commits are steps of their own.
pub const SPLITS: &str = "# with --split-commits\n";

/// A random scenario of two clients, or of three.
pub fn generated(seed: u64, engine: TestEngine, clients: usize) -> String {
    // Numbers beside each other as seeds would draw alike at first.
    let mut dice = Dice::with_seed(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let schema = Schema::drawn(&mut dice, engine);
    let lengths = if clients > 2 {
        dice.one_of(&LENGTHS_OF_THREE)
    } else {
        dice.one_of(&LENGTHS)
    };
    let levels = engine.levels();
    let common = levels[seed as usize % levels.len()];
    let are_mixed = dice.percent(20);
    let level = |dice: &mut Dice| match are_mixed {
        true => dice.one_of(levels),
        false => common,
    };
    // Three clients have too many schedules with more steps than their own.
    let may_have_more = clients == 2;
    let splits = if dice.percent(12) && may_have_more {
        SPLITS
    } else {
        ""
    };
    let mut text = format!("{splits}{}", header(seed, engine, &schema));
    let more = match dice.percent(10) && may_have_more {
        true => "retry = { on = [\"deadlock\", \"serialization_failure\"], times = 2 }\n",
        false => "",
    };
    let can_be_alike = lengths.iter().all(|it| *it == lengths[0]);
    if can_be_alike && dice.percent(40) {
        let level = level(&mut dice);
        let script = Script::drawn(&mut dice, &schema, lengths[0]);
        let count = format!("count = {clients}\n{more}");
        text.push_str(&client(level, &count, &script));
        return text;
    }
    let scripts = loop {
        let lengths = lengths.iter();
        let scripts = lengths.map(|length| Script::drawn(&mut dice, &schema, *length));
        let scripts: Vec<_> = scripts.collect();
        if meet(&scripts) {
            break scripts;
        }
    };
    for script in scripts {
        let level = level(&mut dice);
        text.push_str(&client(level, more, &script));
    }
    if dice.percent(12) {
        let sum = |table: &str| format!("COALESCE((SELECT SUM(v) FROM {table}), 0)");
        let sql = format!("SELECT {} % 3 <> {} % 3", sum("par"), sum("oth"));
        text.push_str(&every_commit(&sql));
    }
    text
}

/// An invariant that is asked after every commit.
pub fn every_commit(sql: &str) -> String {
    format!("[[invariant]]\nname = \"watched\"\nsql = \"{sql}\"\nwhen = \"every-commit\"\n")
}

/// Whether enough statements name a table that another script changes, so that their order shows.
fn meet(scripts: &[String]) -> bool {
    const TABLES: [&str; 3] = ["par", "chi", "oth"];
    let changes = |script: &str, table: &str| {
        let change = ["UPDATE ", "INSERT INTO ", "DELETE FROM "].map(|it| format!("{it}{table}"));
        script
            .lines()
            .any(|line| change.iter().any(|it| line.starts_with(it)))
    };
    let is_changed_elsewhere = |at: usize, table: &str| {
        let mut others = scripts.iter().enumerate().filter(|(other, _)| *other != at);
        others.any(|(_, other)| changes(other, table))
    };
    let meeting = scripts.iter().enumerate().flat_map(|(at, script)| {
        script.lines().filter(move |line| {
            let mut named = TABLES.iter().filter(|table| line.contains(**table));
            named.any(|table| is_changed_elsewhere(at, table))
        })
    });
    meeting.count() >= 2 * scripts.len()
}

fn header(seed: u64, engine: TestEngine, schema: &Schema) -> String {
    let name = match engine {
        TestEngine::MySql => "mysql",
        TestEngine::MariaDb => "mariadb",
        TestEngine::Postgres => "postgres",
        TestEngine::Sqlite => "sqlite",
    };
    format!(
        "title = \"seed {seed}\"\nserial = false\nengines = [\"{name}\"]\n\
         [database]\nsetup = '''\n{}'''\n",
        schema.setup
    )
}

fn client(level: Isolation, more: &str, script: &str) -> String {
    let level = level.sql().to_lowercase().replace(' ', "-");
    format!("[[client]]\nisolation = \"{level}\"\n{more}script = '''\n{script}'''\n")
}
