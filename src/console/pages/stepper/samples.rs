//! A schedule for tests.

use std::collections::BTreeMap;

use crate::console::stepped::{
    Cell, Highlight, ScheduleLoss, SourceText, StateBefore, SteppedClient, SteppedRun, SteppedStep,
    VERSION,
};

fn balance(value: &str, changed: bool) -> Vec<Cell> {
    vec![Cell {
        name: "balance".to_owned(),
        value: value.to_owned(),
        changed,
    }]
}

fn step(number: usize, client: &str, text: &str, row: Vec<Cell>) -> SteppedStep {
    SteppedStep {
        number: Some(number),
        client: client.to_owned(),
        action: "write".to_owned(),
        label: "write balance".to_owned(),
        text: text.to_owned(),
        result: String::new(),
        line: Some(102),
        sentence: format!("{client} does something."),
        waits: false,
        resumes: None,
        refusal: None,
        row,
        hands: BTreeMap::from([
            ("A".to_owned(), Some("balance 0".to_owned())),
            ("B".to_owned(), None),
        ]),
        changed_hands: Vec::new(),
        open: BTreeMap::from([("A".to_owned(), true), ("B".to_owned(), false)]),
        waiting: BTreeMap::new(),
    }
}

/// A reads, B writes, A writes.
pub(crate) fn lost_update() -> SteppedRun {
    let client = |letter: &str| SteppedClient {
        letter: letter.to_owned(),
        name: None,
    };
    SteppedRun {
        version: VERSION,
        kind: "schedule",
        strategy: "atomic_no_delay".to_owned(),
        title: "The simplest schedule that loses an update".to_owned(),
        engine: "MySQL 9.7.4, REPEATABLE READ".to_owned(),
        schedule: "A B A".to_owned(),
        verdict: "loses an update in 60 of all 112 schedules".to_owned(),
        safe: false,
        clients: vec![client("A"), client("B")],
        source: Some(SourceText {
            file: "src/exhibits/deposits/atomic.rs".to_owned(),
            first: 101,
            lines: vec![
                "pub async fn deposit() {".to_owned(),
                "    s.begin().await?;".to_owned(),
            ],
        }),
        setup_sql: "INSERT INTO accounts VALUES (1, 0);".to_owned(),
        inspect_sql: "SELECT balance FROM accounts;".to_owned(),
        replay: "racy explore atomic_no_delay --schedule 'A B A'".to_owned(),
        start: StateBefore {
            row: balance("0", false),
            hands: BTreeMap::new(),
        },
        steps: vec![
            step(1, "A", "SELECT balance FROM accounts", balance("0", false)),
            step(
                2,
                "B",
                "UPDATE accounts SET balance = 100",
                balance("100", true),
            ),
            step(
                3,
                "A",
                "UPDATE accounts SET balance = 100",
                balance("100", false),
            ),
        ],
        highlight: Some(Highlight {
            index: 2,
            words: "B's 100 is lost".to_owned(),
        }),
        loss: Some(ScheduleLoss {
            read: 0,
            overwritten: 1,
            overwrite: 2,
            sentence: "A read 0 before B wrote 100; A then wrote 100.".to_owned(),
        }),
    }
}
