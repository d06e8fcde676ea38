//! What the application of the tests serves.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::StreamExt as _;
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;

use super::checkout::check_out;
use super::login;
use super::pipelines;
use super::pool::Connection;
use super::shop::{Answer, Caller, Failure, Shop, done};

type Shared = State<Arc<Shop>>;

pub fn router(shop: Arc<Shop>) -> Router {
    let routes = Router::new()
        .route("/", get(|| async { "a shop" }))
        .route("/balance", get(balance))
        .route("/text", get(|| async { "no JSON" }))
        .route("/autocommit", post(autocommit))
        .route("/checkout", post(checkout))
        .route("/transaction", post(transaction))
        .route("/for-update", post(for_update))
        .route("/guarded", post(guarded))
        .route("/mutex", post(mutex))
        .route("/one-at-a-time", post(one_at_a_time))
        .route("/after", post(after))
        .route("/both-at-once", post(both_at_once))
        .route("/move", post(moving))
        .route("/compare", post(compare))
        .route("/order", post(order))
        .route("/purse", post(purse))
        .route("/forget", post(forget))
        .route("/long", post(long))
        .route("/seat", post(seat))
        .route("/seat-in-a-transaction", post(seat_in_a_transaction))
        .route("/savepoint", post(savepoint))
        .route("/nothing", post(|| async { "nothing" }));
    let routes = login::routes(routes);
    pipelines::routes(routes).with_state(shop)
}

const READ: &str = "SELECT balance FROM account WHERE id = 1";
const LOCK: &str = "SELECT balance FROM account WHERE id = 1 FOR UPDATE";
const LOG: &str = "INSERT INTO deposit (amount) VALUES (?)";
const WRITE: &str = "UPDATE account SET balance = ? WHERE id = 1";

async fn balance(State(shop): Shared) -> Answer {
    let mut on = shop.pool.acquire().await?;
    let balance = on.read(READ.to_owned(), &[]).await?;
    Ok(Json(json!({ "account": { "balance": balance } })))
}

/// Each statement on whichever connection is free.
async fn autocommit(State(shop): Shared, caller: Caller) -> Answer {
    let balance = caller.read(&shop.pool, READ, &[]).await?;
    caller.write(&shop.pool, LOG, &[10]).await?;
    caller.write(&shop.pool, WRITE, &[balance + 10]).await?;
    done()
}

async fn checkout(State(shop): Shared, caller: Caller) -> Answer {
    check_out(&shop.pool, caller.number(), true).await?;
    done()
}

async fn transaction(State(shop): Shared, caller: Caller) -> Answer {
    deposit_in_a_transaction(&shop, caller, READ).await
}

async fn for_update(State(shop): Shared, caller: Caller) -> Answer {
    deposit_in_a_transaction(&shop, caller, LOCK).await
}

async fn deposit_in_a_transaction(shop: &Shop, caller: Caller, read: &str) -> Answer {
    let mut on = shop.pool.acquire().await?;
    caller.say(&mut on, "BEGIN").await?;
    let deposited = deposit(&mut on, caller, read).await;
    end(&mut on, caller, deposited).await
}

async fn deposit(on: &mut Connection, caller: Caller, read: &str) -> sqlx::Result<()> {
    let balance = caller.read(&mut *on, read, &[]).await?;
    caller.write(&mut *on, LOG, &[10]).await?;
    caller.write(on, WRITE, &[balance + 10]).await?;
    Ok(())
}

/// Commits, or rolls back if the database has refused something.
async fn end(on: &mut Connection, caller: Caller, worked: sqlx::Result<()>) -> Answer {
    match worked {
        Ok(()) => {
            caller.say(on, "COMMIT").await?;
            done()
        }
        Err(error) => {
            caller.say(on, "ROLLBACK").await?;
            Err(error.into())
        }
    }
}

/// The check is in the statement that writes.
async fn guarded(State(shop): Shared, caller: Caller) -> Answer {
    let guarded = "UPDATE voucher SET used = used + 1 WHERE id = ? AND used < 1";
    match caller.write(&shop.pool, guarded, &[1]).await? {
        1 => done(),
        _ => Err(Failure::Status(StatusCode::CONFLICT)),
    }
}

/// A statement before the lock, and the race behind it.
async fn mutex(State(shop): Shared, caller: Caller) -> Answer {
    caller.write(&shop.pool, LOG, &[10]).await?;
    let _alone = shop.lock.lock().await;
    let balance = caller.read(&shop.pool, READ, &[]).await?;
    caller.write(&shop.pool, WRITE, &[balance + 10]).await?;
    done()
}

async fn one_at_a_time(State(shop): Shared, caller: Caller) -> Answer {
    let _alone = shop.lock.lock().await;
    let balance = caller.read(&shop.pool, READ, &[]).await?;
    caller.write(&shop.pool, WRITE, &[balance + 10]).await?;
    done()
}

/// The last statement comes when the answer has been handed over.
async fn after(State(shop): Shared, caller: Caller) -> Result<Response, Failure> {
    let balance = caller.read(&shop.pool, READ, &[]).await?;
    caller.write(&shop.pool, WRITE, &[balance + 10]).await?;
    let (answered, is_answered) = oneshot::channel();
    tokio::spawn(async move {
        is_answered.await.unwrap();
        caller.write(&shop.pool, LOG, &[10]).await.unwrap();
    });
    let words = stream::iter([Ok::<_, Infallible>("done")]);
    let end = stream::once(async move {
        answered.send(()).unwrap();
        Ok("")
    });
    Ok(Response::new(Body::from_stream(words.chain(end))))
}

/// Two statements on two connections at the same time, then a third.
async fn both_at_once(State(shop): Shared, caller: Caller) -> Answer {
    let vouchers = caller.read(&shop.pool, "SELECT used FROM voucher WHERE id = 1", &[]);
    let balance = caller.read(&shop.pool, READ, &[]);
    let (vouchers, balance) = tokio::join!(vouchers, balance);
    caller
        .write(&shop.pool, WRITE, &[balance? + vouchers? + 10])
        .await?;
    done()
}

/// From which account to which.
#[derive(Debug, Deserialize)]
struct Move {
    from: i64,
    to: i64,
}

async fn moving(State(shop): Shared, caller: Caller, Query(it): Query<Move>) -> Answer {
    let mut on = shop.pool.acquire().await?;
    caller.say(&mut on, "BEGIN").await?;
    let take = "UPDATE account SET balance = balance - 10 WHERE id = ?";
    let give = "UPDATE account SET balance = balance + 10 WHERE id = ?";
    let moved = async {
        caller.write(&mut on, take, &[it.from]).await?;
        caller.write(&mut on, give, &[it.to]).await?;
        Ok(())
    };
    let moved = moved.await;
    end(&mut on, caller, moved).await
}

/// Fails if what it reads does not fit together.
async fn compare(State(shop): Shared, caller: Caller) -> Answer {
    let read = "SELECT balance FROM account WHERE id = ?";
    let one = caller.read(&shop.pool, read, &[1]).await?;
    let two = caller.read(&shop.pool, read, &[2]).await?;
    if one + two == 0 {
        done()
    } else {
        Err(Failure::Status(StatusCode::INTERNAL_SERVER_ERROR))
    }
}

async fn order(State(shop): Shared, caller: Caller) -> Answer {
    let id = caller.insert(&shop.pool, LOG, &[10]).await?;
    Ok(Json(json!({ "order": { "id": id } })))
}

async fn purse(State(shop): Shared, caller: Caller) -> Answer {
    let balance = shop.purse.fetch_add(10, Ordering::SeqCst) + 10;
    caller.write(&shop.pool, WRITE, &[balance]).await?;
    done()
}

async fn forget(State(shop): Shared) -> &'static str {
    shop.purse.store(0, Ordering::SeqCst);
    "forgotten"
}

/// An answer of twenty million bytes.
async fn long(State(shop): Shared, caller: Caller) -> Answer {
    let texts = "SELECT REPEAT('x', 1000000) FROM page";
    assert_eq!(caller.read_texts(&shop.pool, texts).await?, 20_000_000);
    caller
        .write(
            &shop.pool,
            "UPDATE account SET balance = balance + ? WHERE id = 1",
            &[10],
        )
        .await?;
    done()
}

const SEAT: &str = "INSERT INTO seat (place) VALUES (7)";

/// PostgreSQL's commit notices that a place is taken twice.
async fn seat(State(shop): Shared, caller: Caller) -> Answer {
    caller.write(&shop.pool, SEAT, &[]).await?;
    done()
}

async fn seat_in_a_transaction(State(shop): Shared, caller: Caller) -> Answer {
    let mut on = shop.pool.acquire().await?;
    caller.say(&mut on, "BEGIN").await?;
    caller.write(&mut on, SEAT, &[]).await?;
    caller.say(&mut on, "COMMIT").await?;
    done()
}

/// A refusal inside of a transaction that is none of the request.
async fn savepoint(State(shop): Shared, caller: Caller) -> Answer {
    let mut on = shop.pool.acquire().await?;
    caller.say(&mut on, "BEGIN").await?;
    let balance = caller.read(&mut on, READ, &[]).await?;
    caller.say(&mut on, "SAVEPOINT before_the_voucher").await?;
    let taken = "INSERT INTO voucher (id, used) VALUES (?, 0)";
    let refused = caller.write(&mut on, taken, &[1]).await;
    assert!(refused.is_err(), "{refused:?}");
    caller
        .say(&mut on, "ROLLBACK TO before_the_voucher")
        .await?;
    caller.write(&mut on, WRITE, &[balance + 10]).await?;
    caller.say(&mut on, "COMMIT").await?;
    done()
}
