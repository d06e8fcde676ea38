//! A session that is dropped anywhere leaves nothing behind: no open transaction, no connection that
//! would surprise the next client.

use racy::deposits::Strategy;
use racy::engine::Settings;

use crate::support::{Client, TestEngine, until};

on_engines!(
    every:
        a_session_dropped_at_any_step_leaves_a_clean_pool
    ;
    innodb:
);

async fn a_session_dropped_at_any_step_leaves_a_clean_pool(engine: TestEngine) {
    let lab = engine
        .lab_with(Settings {
            connections: 1,
            ..Settings::default()
        })
        .await;
    let atomic = Strategy::named("atomic_no_delay").unwrap();
    let steps = [
        "begin",
        "read balance",
        "insert transaction",
        "write balance",
        "commit",
    ];
    for label in steps {
        let mut client = Client::start(&lab.database, atomic).await;
        client.go_to(label).await;
        client.drop_here().await;
        until("nothing is left open", || async {
            !lab.has_open_transactions().await
        })
        .await;
        let account = lab.account().await;
        assert_eq!(
            (account.balance, account.transactions),
            (0, 0),
            "dropped before {label}"
        );
    }
    let client = Client::start(&lab.database, atomic).await;
    client.finish().await.unwrap();
    assert_eq!(lab.account().await.balance, 100);
}
