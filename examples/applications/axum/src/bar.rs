//! An order at the bar is paid from the member's credit, or else by card.
//!
//! Taking from the credit is a transaction of its own. Within another one that is a savepoint: what
//! was done since can be undone alone.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{Acquire, PgPool, PgTransaction};

use crate::answer::Failure;

#[derive(Deserialize)]
pub struct Payment {
    member: i32,
    amount: i32,
}

pub async fn pay_lost(
    State(pool): State<PgPool>,
    Path(order): Path<i32>,
    Json(payment): Json<Payment>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let mut transaction = pool.begin().await?;
    let is_taken = take_computed(&mut transaction, &payment).await?;
    pay(transaction, order, &payment, is_taken).await
}

pub async fn pay_holds(
    State(pool): State<PgPool>,
    Path(order): Path<i32>,
    Json(payment): Json<Payment>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let mut transaction = pool.begin().await?;
    let is_taken = take_checked(&mut transaction, &payment).await?;
    pay(transaction, order, &payment, is_taken).await
}

/// RACE: the credit may change between the SELECT and the UPDATE. A savepoint isolates nothing.
async fn take_computed(outer: &mut PgTransaction<'_>, payment: &Payment) -> sqlx::Result<bool> {
    let mut savepoint = outer.begin().await?;
    let credit: i32 = sqlx::query_scalar("SELECT credit FROM members WHERE id = $1")
        .bind(payment.member)
        .fetch_one(&mut *savepoint)
        .await?;
    if credit < payment.amount {
        savepoint.rollback().await?;
        return Ok(false);
    }
    sqlx::query("UPDATE members SET credit = $1 WHERE id = $2")
        .bind(credit - payment.amount)
        .bind(payment.member)
        .execute(&mut *savepoint)
        .await?;
    savepoint.commit().await?;
    Ok(true)
}

/// The UPDATE subtracts from the newest credit, and `CHECK (credit >= 0)` decides. An error would
/// end the whole transaction on PostgreSQL. The savepoint keeps it alive.
async fn take_checked(outer: &mut PgTransaction<'_>, payment: &Payment) -> sqlx::Result<bool> {
    let mut savepoint = outer.begin().await?;
    let taken = sqlx::query("UPDATE members SET credit = credit - $1 WHERE id = $2")
        .bind(payment.amount)
        .bind(payment.member)
        .execute(&mut *savepoint)
        .await;
    match taken {
        Ok(_) => {
            savepoint.commit().await?;
            Ok(true)
        }
        Err(sqlx::Error::Database(error)) if error.is_check_violation() => {
            savepoint.rollback().await?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

async fn pay(
    mut transaction: PgTransaction<'_>,
    order: i32,
    payment: &Payment,
    is_taken: bool,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let means = if is_taken { "credit" } else { "card" };
    sqlx::query(
        "INSERT INTO payments (order_id, member_id, amount, means) VALUES ($1, $2, $3, $4)",
    )
    .bind(order)
    .bind(payment.member)
    .bind(payment.amount)
    .bind(means)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok((StatusCode::CREATED, Json(json!({ "means": means }))))
}
