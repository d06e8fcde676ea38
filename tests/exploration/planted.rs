//! Strategies that are planted among the others, and what the explorer finds of them.

use racy::engine::Isolation;
use racy::exhibits::deposits::{LOST_UPDATE, Receipt, Refusal, Strategy};
use racy::verdict::Verdict;

use super::{
    READ_AND_WRITE, finding, insert_transaction, planted, read_balance, report_of, schedule,
    verdict, write_balance,
};
use crate::support::TestEngine;
use crate::support::described::has_schema_named;
use crate::support::explored::{ALL, REDUCED};

on_engines!(
    every:
        steps_that_do_not_meet_interleave_in_every_way,
        a_planted_lost_update_is_found;
    servers:
        a_forgotten_lock_in_one_branch_is_caught;
);

/// Reads twice, and then deposits nothing after all.
static ONLY_LOOKS: Strategy = planted("only_looks", |s, d, _| {
    Box::pin(async move {
        for _ in 0..2 {
            read_balance(s, d).await?;
        }
        Err(Refusal::UnknownAccount)
    })
});

/// Locks the row, but where the account looks new it "saves" the locking read.
static FORGETS_THE_LOCK: Strategy = planted("forgets_the_lock", |s, d, _| {
    Box::pin(async move {
        s.begin_for_update().await?;
        let seen = read_balance(s, d).await?;
        let balance = match seen {
            0 => seen,
            _ => {
                let sql = "SELECT balance FROM accounts WHERE id = ? FOR UPDATE";
                let locked = s.read("lock and read balance", sql, &[d.account]).await?;
                locked.ok_or(Refusal::UnknownAccount)?
            }
        };
        insert_transaction(s, d).await?;
        write_balance(s, d, balance + d.amount).await?;
        s.commit().await?;
        Ok(Receipt::at_first_try(balance, balance + d.amount))
    })
});

async fn steps_that_do_not_meet_interleave_in_every_way(engine: TestEngine) {
    let lab = engine.lab().await;
    // Two clients of two steps: 4 over 2.
    let two = finding(&lab.database, &ONLY_LOOKS, ALL, 2).await;
    assert_eq!((two.tally.schedules, two.tally.waited), (6, 0));
    assert!(two.is_exhaustive());
    // Three clients: 6! / (2! 2! 2!). As none ever meets another, one schedule stands for all.
    let three = finding(&lab.database, &ONLY_LOOKS, ALL, 3).await;
    assert_eq!(three.tally.schedules, 90);
    let three = finding(&lab.database, &ONLY_LOOKS, REDUCED, 3).await;
    assert_eq!(three.tally.schedules, 1);
}

async fn a_planted_lost_update_is_found(engine: TestEngine) {
    let lab = engine.lab().await;
    let finding = finding(&lab.database, &READ_AND_WRITE, ALL, 2).await;
    // Safe are those in which one client's read and write come before the other's: the other's
    // insert can be in any of four places, whichever client is first.
    assert_eq!(finding.tally.count(Verdict::Safe), 8);
    assert_eq!(finding.tally.count(Verdict::Anomaly(&LOST_UPDATE)), 12);
    let simplest = finding.simplest(Verdict::is_anomaly).unwrap().1;
    assert_eq!(simplest.schedule.to_string(), "A A B B B A");
    let highlight = simplest.highlight.as_ref().unwrap();
    assert_eq!(
        highlight.words,
        "A overwrites B's 100 unseen: B's deposit is lost"
    );
    assert!(verdict(&finding).starts_with("loses an update in 12 of all 20 schedules"));
    let report = serde_json::to_value(report_of(&[finding])).unwrap();
    has_schema_named("Report", &report).unwrap();
}

async fn a_forgotten_lock_in_one_branch_is_caught(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::ReadCommitted).await;
    let found = finding(&lab.database, &FORGETS_THE_LOCK, ALL, 2).await;
    assert!(found.tally.count(Verdict::Anomaly(&LOST_UPDATE)) > 0);
    // The branch with the lock was taken too: it has a step more.
    let safe = &found.tally.examples[&Verdict::Safe];
    assert_eq!(safe.schedule.0.len(), 11);
    let simplest = found.simplest(Verdict::is_anomaly).unwrap().1;
    let schedule_found = &simplest.schedule;
    assert_eq!(schedule_found.0.len(), 10, "{schedule_found}");
    assert_eq!(schedule_found.switches(), 2, "{schedule_found}");
    // Nothing simpler loses: with fewer switches there is but one client after the other.
    for simpler in ["A A A A A B B B B B B", "B B B B B A A A A A A"] {
        let replayed = finding(&lab.database, &FORGETS_THE_LOCK, schedule(simpler), 2).await;
        assert_eq!(replayed.tally.count(Verdict::Safe), 1, "{simpler}");
    }
}
