//! Orders that are written at the same time, step by step.

use racy::engine::{Isolation, Settings};
use racy::exhibits::Specimen as _;
use racy::exhibits::deposits::Retry;
use racy::exhibits::orders::audit::AnomalyName;
use racy::exhibits::orders::{
    Failure, OrderId, Receipt, Refusal, STRATEGIES, books, insert_select_max,
};
use racy::step::Unobserved;
use racy::verdict::Outcome;

use super::{BOOK, audit, consume, found, lab_with_a_book, order_of, start_writer};
use crate::support::{Client, Lab, TestEngine};

on_engines!(
    every:
        two_who_read_before_either_writes_get_the_same_number,
        a_guessed_number_is_another_writers,
        half_an_order_is_shipped,
        with_the_lines_first_no_half_order_is_shipped,
        of_two_heads_with_one_number_one_is_shipped,
        a_claim_that_is_not_alone_is_withdrawn,
        in_the_bakery_the_second_waits_for_its_turn,
        a_writer_that_fails_leaves_the_bakery,
        what_must_be_safe_is_safe_in_a_crowd;
    servers:
        an_insert_that_reads_is_not_one_step_at_read_committed;
    postgres:
        a_snapshot_from_before_the_wait_shows_an_old_number;
);

fn number(result: Result<Receipt, Failure>) -> OrderId {
    result.unwrap().order.unwrap()
}

async fn two_who_read_before_either_writes_get_the_same_number(engine: TestEngine) {
    for name in ["max_id_head_first", "max_id_lines_first"] {
        let lab = lab_with_a_book(engine).await;
        let mut a = start_writer(&lab, name, 5);
        a.go_to("insert head").await;
        let b = start_writer(&lab, name, 6);
        assert_eq!(number(b.finish().await), OrderId::Number(1), "{name}");
        assert_eq!(number(a.finish().await), OrderId::Number(1), "{name}");

        let audit = audit(&lab).await;
        assert_eq!((audit.orders, audit.lines), (2, 4));
        assert_eq!(
            found(&audit, AnomalyName::DuplicateNumber),
            (
                1,
                Some("2 orders have number 1: those of customers 5 and 6")
            )
        );
        assert_eq!(
            found(&audit, AnomalyName::MixedOrder),
            (1, Some("order 1 has lines of 2 customers, such as 5 and 6"))
        );
        assert_eq!(found(&audit, AnomalyName::IncompleteOrder), (0, None));
        assert_eq!(found(&audit, AnomalyName::Gap), (0, None));
    }
}

async fn a_guessed_number_is_another_writers(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let mut a = start_writer(&lab, "insert_select_max", 5);
    a.go_to("read highest number").await;
    let b = start_writer(&lab, "insert_select_max", 6);
    assert_eq!(b.finish().await.unwrap().order, None);
    a.finish().await.unwrap();
    let audit = audit(&lab).await;
    assert_eq!(found(&audit, AnomalyName::DuplicateNumber), (0, None));
    assert_eq!(
        found(&audit, AnomalyName::MixedOrder),
        (1, Some("order 2 has lines of 2 customers, such as 5 and 6"))
    );
    assert_eq!(
        found(&audit, AnomalyName::IncompleteOrder),
        (1, Some("order 1 of customer 5 has 0 of its 2 lines"))
    );
}

/// The statement has read, and what it has written is not committed.
async fn an_insert_that_reads_is_not_one_step_at_read_committed(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::ReadCommitted).await;
    books::open(&lab.database, BOOK).await.unwrap();
    let mut session = lab.database.session(&Unobserved).await.unwrap();
    session.begin().await.unwrap();
    let head = &[5, 20_261_201, 2, BOOK];
    let inserted = session.run("insert head", insert_select_max::INSERT_HEAD, head);
    inserted.await.unwrap();
    let other = start_writer(&lab, "insert_select_max", 6);
    other.finish().await.unwrap();
    session.commit().await.unwrap();
    session.end().await;
    assert_eq!(found(&audit(&lab).await, AnomalyName::DuplicateNumber).0, 1);
}

/// Why `single_writer` asks for READ COMMITTED itself.
async fn a_snapshot_from_before_the_wait_shows_an_old_number(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::RepeatableRead).await;
    books::open(&lab.database, BOOK).await.unwrap();
    let mut a = lab.database.session(&Unobserved).await.unwrap();
    a.begin().await.unwrap();
    a.lock_by_name(BOOK).await.unwrap();

    let mut b = Client::start_with(&lab.database, |mut b| {
        Box::pin(async move {
            b.begin().await.unwrap();
            b.lock_by_name(BOOK).await.unwrap();
            let sql = "SELECT MAX(id) FROM order_head WHERE book = ?";
            let highest = b.read("read highest number", sql, &[BOOK]).await.unwrap();
            b.end().await;
            highest
        })
    })
    .await;
    b.go().await;
    b.go_and_wait_for_lock().await;
    let head = &[5, 20_261_201, 2, BOOK];
    let inserted = a.run("insert head", insert_select_max::INSERT_HEAD, head);
    inserted.await.unwrap();
    a.commit().await.unwrap();
    a.end().await;
    assert_eq!(b.finish().await, None);
}

async fn half_an_order_is_shipped(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let mut writer = start_writer(&lab, "max_id_head_first", 5);
    writer.go_to("insert line").await;
    writer.go().await;
    writer.go_to("insert line").await;
    let shipped = consume(&lab).await;
    writer.finish().await.unwrap();
    assert_eq!((shipped.len(), shipped[0].lines), (1, 1));
    let audited = audit(&lab).await;
    assert_eq!(
        found(&audited, AnomalyName::ShippedIncomplete),
        (
            1,
            Some("order 1 of customer 5 was shipped with 1 of 2 lines")
        )
    );
    assert_eq!(found(&audited, AnomalyName::IncompleteOrder), (0, None));
    assert_eq!(consume(&lab).await, []);
}

/// There is nothing to see until all is there.
async fn with_the_lines_first_no_half_order_is_shipped(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let mut writer = start_writer(&lab, "max_id_lines_first", 6);
    writer.go_to("insert head").await;
    assert_eq!(consume(&lab).await, []);
    writer.finish().await.unwrap();
    let shipped = consume(&lab).await;
    assert_eq!((shipped[0].customer_no, shipped[0].lines), (6, 2));
    assert_eq!(
        found(&audit(&lab).await, AnomalyName::ShippedIncomplete).0,
        0
    );
}

async fn of_two_heads_with_one_number_one_is_shipped(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let mut a = start_writer(&lab, "max_id_head_first", 5);
    a.go_to("insert head").await;
    let b = start_writer(&lab, "max_id_head_first", 6);
    b.finish().await.unwrap();
    a.finish().await.unwrap();
    let waiting = audit(&lab).await;
    assert_eq!(found(&waiting, AnomalyName::NeverShipped).0, 2);
    let shipped = consume(&lab).await;
    assert_eq!((shipped.len(), shipped[0].lines), (1, 4));
    let never_shipped = audit(&lab).await;
    assert_eq!(
        found(&never_shipped, AnomalyName::NeverShipped),
        (
            1,
            Some(
                "an order is marked and has no shipment of its own: it shares its number with \
                 another, or the consumer that marked it was interrupted"
            )
        )
    );
}

async fn a_claim_that_is_not_alone_is_withdrawn(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let [mut a, mut b] = [5, 6].map(|customer| start_writer(&lab, "token_claim", customer));
    for writer in [&mut a, &mut b] {
        writer.go_to("claim number").await;
    }
    for writer in [&mut a, &mut b] {
        writer.go_to("count heads").await;
    }
    // The consumer sees no claim.
    assert_eq!(consume(&lab).await, []);
    let refused = a.finish().await.unwrap_err();
    assert_eq!(refused.refusal, Refusal::GaveUp { attempts: 1 });
    assert_eq!(refused.outcome, Outcome::Refused);
    // Now B is alone.
    assert_eq!(number(b.finish().await), OrderId::Number(1));
    let audited = audit(&lab).await;
    assert_eq!((audited.orders, audited.lines), (1, 2));
    assert_eq!(audited.worst(), None);
    assert_eq!(consume(&lab).await.len(), 1);
}

async fn in_the_bakery_the_second_waits_for_its_turn(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let mut a = start_writer(&lab, "bakery", 5);
    a.go_to("read highest number").await;
    let mut b = start_writer(&lab, "bakery", 6);
    b.go_to("wait for turn").await;
    let b = tokio::spawn(b.finish());
    assert_eq!(number(a.finish().await), OrderId::Number(1));
    assert_eq!(number(b.await.unwrap()), OrderId::Number(2));
    assert_eq!(audit(&lab).await.worst(), None);
}

async fn a_writer_that_fails_leaves_the_bakery(engine: TestEngine) {
    let lab = engine
        .lab_with(Settings {
            lock_wait_timeout: Some(1),
            ..Settings::default()
        })
        .await;
    books::open(&lab.database, BOOK).await.unwrap();
    let mut a = start_writer(&lab, "bakery", 5);
    a.go_to("read highest number").await;
    let b = start_writer(&lab, "bakery", 6);
    let refused = b.finish().await.unwrap_err();
    let Refusal::Engine(fault) = refused.refusal else {
        panic!("{refused:?}");
    };
    assert_eq!(fault.kind.name(), "lock_timeout");
    a.finish().await.unwrap();
    // Nothing is in the way of the next writer.
    let next = start_writer(&lab, "bakery", 8);
    assert_eq!(number(next.finish().await), OrderId::Number(2));
}

async fn what_must_be_safe_is_safe_in_a_crowd(engine: TestEngine) {
    let lab = lab_with_a_book(engine).await;
    let engine = lab.database.engine();
    for strategy in STRATEGIES.iter().filter(|it| it.must_be_safe_on(engine)) {
        books::open(&lab.database, BOOK).await.unwrap();
        let mut crowd = Vec::new();
        for customer in 1..=6 {
            let database = lab.database.clone();
            crowd.push(tokio::spawn(async move {
                let pauses = Retry::Jitter.pauses();
                let order = order_of(customer);
                strategy
                    .perform(&database, &order, pauses, &Unobserved)
                    .await
            }));
        }
        consume(&lab).await;
        for writer in crowd {
            if let Err(refused) = writer.await.unwrap() {
                assert_eq!(refused.outcome, Outcome::Refused, "{}", strategy.name);
            }
        }
        consume(&lab).await;
        let audited = audit(&lab).await;
        assert_eq!(audited.worst(), None, "{}: {audited:?}", strategy.name);
        assert_eq!(
            found(&audited, AnomalyName::NeverShipped).0,
            0,
            "{audited:?}"
        );
        empty_the_book(&lab).await;
    }
}

async fn empty_the_book(lab: &Lab) {
    for table in [
        "order_head",
        "orderline",
        "order_items",
        "orders",
        "uuid_order_items",
        "uuid_orders",
        "shipments",
        "order_numbers",
    ] {
        let delete = format!("DELETE FROM {table}").leak();
        lab.database.execute(delete, &[]).await.unwrap();
    }
}
