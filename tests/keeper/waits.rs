//! What a change waits for and what it tells others, with deposits that stand still in the middle.

use std::sync::Arc;

use racy::engine::{Database, FaultKind, Settings};
use racy::exhibits::deposits::{Memory, Receipt, Strategy};
use racy::keeper::{self, Actor, ChangeError, Edit};
use racy::step::Unobserved;

use super::ADA;
use crate::support::{Client, Lab, TestEngine};

on_engines!(
    every:
        a_change_waits_for_the_lock_in_its_own_process,
        who_has_read_before_a_change_is_overtaken_by_it,
        a_change_waits_no_longer_than_a_deposit_does;
    servers:
        a_change_waits_for_whatever_lock_the_deposit_has;
    postgres:
        a_change_waits_for_ever_nowhere;
);

const EDITS: [Edit; 2] = [Edit::Reset, Edit::DeleteTransactions];

/// How the deposit stands when it has all its locks, and where the change comes to wait.
const LOCKED: [(&str, &str, &str); 6] = [
    ("advisory_lock", "write balance", "lock by name"),
    (
        "row_locking_atomic_long_delay",
        "write balance",
        "lock account",
    ),
    ("batched", "write balance", "lock account"),
    ("atomic_update", "insert transaction", "lock account"),
    ("partitioned", "add to a slot", "lock account"),
    ("serializable_retry", "insert transaction", "lock account"),
];

fn strategy(name: &str) -> &'static Strategy {
    Strategy::named(name).unwrap()
}

/// The keeper of an instance with this memory, who edits account 1 step by step.
async fn editor(
    database: &Database,
    memory: &Arc<Memory>,
    edit: Edit,
) -> Client<Result<u64, ChangeError>> {
    let memory = Arc::clone(memory);
    Client::start_with(database, move |session| {
        Box::pin(async move {
            let memory = Some(&*memory);
            keeper::edit_in(session, Actor { memory, ..ADA }, 1, edit).await
        })
    })
    .await
}

/// Balance, transactions, and what was lost of account 1.
async fn books(lab: &Lab) -> (i128, i64, i128) {
    let account = lab.account().await;
    (account.balance, account.transactions, account.lost)
}

/// What an edit leaves of a deposit of 100 that came before it.
fn after_both(edit: Edit) -> (i128, i64, i128) {
    match edit {
        Edit::Reset => (0, 0, 0),
        Edit::DeleteTransaction(_) | Edit::DeleteTransactions => (100, 0, 0),
    }
}

async fn a_change_waits_for_whatever_lock_the_deposit_has(engine: TestEngine) {
    for ((name, parked, waits), edit) in LOCKED.into_iter().zip(EDITS.into_iter().cycle()) {
        let lab = engine.lab().await;
        let mut depositor = Client::start(&lab.database, strategy(name)).await;
        depositor.go_to(parked).await;
        let mut editor = editor(&lab.database, &Arc::default(), edit).await;
        editor.go_to(waits).await;
        editor.go_and_wait_for_lock().await;
        assert!(depositor.finish().await.is_ok(), "{name}");
        assert_eq!(editor.finish().await.unwrap(), 1, "{name}");
        assert_eq!(books(&lab).await, after_both(edit), "{name}, {edit:?}");
    }
}

async fn a_change_waits_for_the_lock_in_its_own_process(engine: TestEngine) {
    for edit in EDITS {
        let lab = engine.lab().await;
        let (memory, mutex) = (Arc::default(), strategy("mutex_in_process"));
        let mut depositor = Client::start_at(&memory, &lab.database, mutex).await;
        depositor.go_to("insert transaction").await;
        let editor = tokio::spawn(editor(&lab.database, &memory, edit).await.finish());
        depositor.go_to("unlock in process").await;
        assert_eq!(books(&lab).await, (100, 1, 0), "the change still waits");
        assert!(depositor.finish().await.is_ok());
        assert_eq!(editor.await.unwrap().unwrap(), 1);
        assert_eq!(books(&lab).await, after_both(edit));
    }
}

/// The change moves what was only appended into the balance that the deposit is about to write.
async fn who_has_read_before_a_change_is_overtaken_by_it(engine: TestEngine) {
    let lab = engine.lab().await;
    let appended = Client::start(&lab.database, strategy("append_only")).await;
    appended.finish().await.unwrap();
    let mut depositor = Client::start(&lab.database, strategy("optimistic_retry")).await;
    depositor.go_to("compare and swap").await;
    let deleted = keeper::delete_transactions(&lab.database, ADA, 1).await;
    assert_eq!(deleted.unwrap(), 1);
    let twice = Receipt {
        attempts: 2,
        ..Receipt::at_first_try(100, 200)
    };
    assert_eq!(depositor.finish().await.unwrap(), twice);
    assert_eq!(books(&lab).await, (200, 1, 0));
}

async fn a_change_waits_no_longer_than_a_deposit_does(engine: TestEngine) {
    let impatient = Settings {
        lock_wait_timeout: Some(1),
        ..Settings::default()
    };
    let lab = engine.lab_with(impatient).await;
    for (name, parked) in [
        ("mutex_in_process", "read balance"),
        ("advisory_lock", "read balance"),
        ("row_locking_atomic_long_delay", "write balance"),
    ] {
        let memory = Arc::default();
        let mut depositor = Client::start_at(&memory, &lab.database, strategy(name)).await;
        depositor.go_to(parked).await;
        let editor = editor(&lab.database, &memory, Edit::Reset).await;
        let refused = editor.finish().await.unwrap_err();
        let ChangeError::Fault(fault) = refused else {
            panic!("{name}: {refused}");
        };
        assert_eq!(fault.kind, FaultKind::LockTimeout, "{name}: {fault}");
        assert!(depositor.finish().await.is_ok(), "{name}");
    }
    assert_eq!(books(&lab).await, (300, 3, 0));
}

/// PostgreSQL would, unless it is told how long. What it was told before is left as it is.
async fn a_change_waits_for_ever_nowhere(engine: TestEngine) {
    for (lock_wait_timeout, expected) in [(None, "50s"), (Some(2), "2s")] {
        let settings = Settings {
            lock_wait_timeout,
            ..Settings::default()
        };
        let lab = engine.lab_with(settings).await;
        let mut session = lab.database.session(&Unobserved).await.unwrap();
        session.begin_alone(1).await.unwrap();
        let look = "SELECT current_setting('lock_timeout')";
        let told = session.records("look", look, &[]).await.unwrap();
        assert_eq!(told[0].text(0).unwrap(), expected);
        session.end().await;
    }
}
