//! PostgreSQL looks for a deadlock only after a client has waited for a while. The client that
//! closes the circle is the one that is refused all the same, in every run.

use std::time::Duration;

use racy::engine::{FaultKind, Settings};
use racy::exhibits::deposits::{Receipt, Refusal, Strategy};
use racy::explore;
use racy::verdict::Verdict;

use super::{finding, insert_transaction, planted, schedule, write_balance};
use crate::support::explored::{ALL, REDUCED};
use crate::support::{Lab, TestEngine};

on_engines!(
    postgres:
        the_client_that_closes_a_circle_is_refused,
        every_search_finds_the_same_refusals;
);

/// Shares the row's lock before it writes. Two clients that share it wait for each other.
static SHARES_FIRST: Strategy = planted("shares_first", |s, d, _| {
    Box::pin(async move {
        s.begin_for_update().await?;
        let sql = "SELECT balance FROM accounts WHERE id = ? FOR SHARE";
        let balance = s.read("share and read balance", sql, &[d.account]).await?;
        let balance = balance.ok_or(Refusal::UnknownAccount)?;
        write_balance(s, d, balance + d.amount).await?;
        insert_transaction(s, d).await?;
        s.commit().await?;
        Ok(Receipt::at_first_try(balance, balance + d.amount))
    })
});

const REFUSED: Verdict = Verdict::Refused(FaultKind::Deadlock);

/// A lab as the explorer opens it, with this deadlock timeout.
async fn lab_that_looks_after(engine: TestEngine, milliseconds: u64) -> Lab {
    let asked = Settings {
        deadlock_timeout: Some(Duration::from_millis(milliseconds)),
        ..Settings::default()
    };
    engine.lab_with(explore::settings(&asked)).await
}

async fn the_client_that_closes_a_circle_is_refused(engine: TestEngine) {
    // With the longer one, A looks after B has closed the circle, unless B is let go later.
    for milliseconds in [1, 300] {
        let lab = lab_that_looks_after(engine, milliseconds).await;
        // Both share the lock. A waits, B closes the circle, A goes on.
        let closed_by_b = schedule("A A B B A B A A");
        let found = finding(&lab.database, &SHARES_FIRST, closed_by_b, 2).await;
        assert_eq!(found.tally.count(REFUSED), 1, "{milliseconds} ms");
    }
}

async fn every_search_finds_the_same_refusals(engine: TestEngine) {
    let lab = lab_that_looks_after(engine, 1).await;
    for (schedules, clients, all, refused) in [(ALL, 2, 42, 12), (REDUCED, 3, 37, 28)] {
        for _ in 0..2 {
            let found = finding(&lab.database, &SHARES_FIRST, schedules.clone(), clients).await;
            let tally = &found.tally;
            assert_eq!((tally.schedules, tally.count(REFUSED)), (all, refused));
            assert!(found.is_exhaustive());
        }
    }
}
