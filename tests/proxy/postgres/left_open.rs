//! What is rolled back between two runs, and what is not.

use crate::support::postgres_wire::{
    FLUSH, RawClient, bind, cancel, execute, kinds, parse, query, run, sync, values,
};
use crate::support::proxied::Proxied;
use crate::support::{TestEngine, until};

on_engines!(
    postgres:
        an_open_block_is_rolled_back,
        a_failed_block_is_rolled_back,
        a_statement_without_a_name_outlives_the_rollback,
        what_no_sync_has_committed_is_left_alone,
        what_is_under_way_is_left_alone;
);

const UPDATE: &str = "UPDATE accounts SET balance = 5 WHERE id = 1";

async fn an_open_block_is_rolled_back(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.postgres_client().await;
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 0);
    client.execute("BEGIN").await;
    client.execute(UPDATE).await;
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 1);
    proxied.lab.until_nothing_is_open().await;
    assert_eq!(proxied.lab.account().await.balance, 0);
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 0);
    // The client is told nothing of it, except that no block is open.
    assert_eq!(client.ask(&query("SELECT 1")).await.last().unwrap().1, b"I");
    proxied.must_have_nothing_to_say();
}

async fn a_failed_block_is_rolled_back(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.postgres_client().await;
    client.execute("BEGIN").await;
    let refused = client.ask(&query("SELECT * FROM no_such_table")).await;
    assert_eq!(kinds(&refused), "EZ");
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 1);
    client.execute("SELECT 1").await;
    proxied.must_have_nothing_to_say();
}

/// A text would end the statement that has no name, so the lab's ROLLBACK is none.
async fn a_statement_without_a_name_outlives_the_rollback(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.postgres_client().await;
    client.execute("BEGIN").await;
    let prepared = [parse("", "SELECT $1 || '!'"), sync()].concat();
    assert_eq!(kinds(&client.ask(&prepared).await), "1Z");
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 1);
    let executed = [bind("", "", &["still here"]), execute("", 0), sync()].concat();
    let answer = client.ask(&executed).await;
    assert_eq!(values(&answer), ["still here!"], "{answer:?}");
    assert_eq!(answer.last().unwrap().1, b"I");
}

/// The client is amid a pipeline, and would take an answer for its own.
async fn what_no_sync_has_committed_is_left_alone(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.postgres_client().await;
    client.send(&[&run(UPDATE, &[])[..], &FLUSH].concat()).await;
    assert_eq!(kinds(&client.until_kind(b'C').await), "12C");
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 1);
    assert!(proxied.lab.has_open_transactions().await);
    assert_eq!(kinds(&client.ask(&sync()).await), "Z");
    assert_eq!(proxied.lab.account().await.balance, 5);
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 0);
}

async fn what_is_under_way_is_left_alone(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = proxied.postgres_client().await;
    client.execute("BEGIN").await;
    client.send(&query("SELECT pg_sleep(1000)")).await;
    until("the statement is under way", || async {
        super::ends::running(&proxied.lab, client.process)
            .await
            .contains("pg_sleep")
    })
    .await;
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 0);
    let mut other = RawClient::connect(proxied.proxy.address()).await;
    other.send(&cancel(client.process, &client.key)).await;
    assert_eq!(kinds(&client.until_ready().await), "TEZ");
    assert_eq!(proxied.proxy.roll_back_what_is_open().await, 1);
}
