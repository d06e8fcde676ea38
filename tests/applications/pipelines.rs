//! The part of the application that speaks PostgreSQL's protocol by itself: sqlx has no pipelines.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use sqlx::postgres::PgConnectOptions;

use super::shop::{Answer, Caller, Failure, Shop, done};
use crate::support::postgres_wire::{Message, RawClient, run, sync, values};

pub fn routes(router: Router<Arc<Shop>>) -> Router<Arc<Shop>> {
    router
        .route("/pipeline", post(pipeline))
        .route("/pipeline-that-may-be-refused", post(may_be_refused))
        .route("/deferred-pipeline", post(deferred_pipeline))
}

/// A statement by itself, then two with one Sync.
async fn pipeline(State(shop): State<Arc<Shop>>, caller: Caller) -> Answer {
    let mut on = connect(&shop).await;
    let read = caller.signed("SELECT balance FROM account WHERE id = 1");
    let balance = values(&on.ask(&[run(&read, &[]), sync()].concat()).await);
    let balance = balance[0].parse::<i64>().unwrap() + 10;
    let write = caller.signed("UPDATE account SET balance = $1 WHERE id = 1");
    let log = caller.signed("INSERT INTO deposit (amount) VALUES (10)");
    let both = [run(&write, &[&balance.to_string()]), run(&log, &[]), sync()];
    answered(&on.ask(&both.concat()).await)
}

/// Three statements with one Sync. The second is refused if another request was faster.
async fn may_be_refused(State(shop): State<Arc<Shop>>, caller: Caller) -> Answer {
    let mut on = connect(&shop).await;
    let three = [
        "UPDATE account SET balance = balance + 10 WHERE id = 1",
        "INSERT INTO deposit (id, amount) VALUES (1, 10)",
        "DELETE FROM page WHERE id = 20",
    ];
    let three = three.map(|sql| run(&caller.signed(sql), &[]));
    answered(&on.ask(&[&three.concat()[..], &sync()].concat()).await)
}

/// Two statements with one Sync, which notices that a place is taken twice.
async fn deferred_pipeline(State(shop): State<Arc<Shop>>, caller: Caller) -> Answer {
    let mut on = connect(&shop).await;
    let seat = caller.signed("INSERT INTO seat (place) VALUES (7)");
    let log = caller.signed("INSERT INTO deposit (amount) VALUES (10)");
    answered(
        &on.ask(&[run(&seat, &[]), run(&log, &[]), sync()].concat())
            .await,
    )
}

/// A connection of its own, which ends with the request.
async fn connect(shop: &Shop) -> RawClient {
    let options: PgConnectOptions = shop.database_url.parse().unwrap();
    let host = options.get_host().parse().unwrap();
    let at = SocketAddr::new(host, options.get_port());
    RawClient::log_in(at, options.get_database().unwrap()).await
}

fn answered(messages: &[Message]) -> Answer {
    if messages.iter().any(|it| it.0 == b'E') {
        return Err(Failure::Status(StatusCode::SERVICE_UNAVAILABLE));
    }
    done()
}
