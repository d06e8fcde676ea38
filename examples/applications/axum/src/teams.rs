//! Members join a team with its code, as long as there is a place.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::{PgPool, PgTransaction};

use crate::answer::Failure;

#[derive(Deserialize)]
pub struct Joining {
    code: String,
    member: i32,
}

/// RACE: the count does not see a member who is about to be inserted.
pub async fn join_lost(
    State(pool): State<PgPool>,
    Json(joining): Json<Joining>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let mut transaction = pool.begin().await?;
    let team = find_team(&mut transaction, &joining.code).await?;
    join(transaction, team, joining.member).await
}

/// One request for each team counts and inserts at a time. The lock is named by the team's number,
/// and lasts until the end of the transaction. All code that inserts a member has to take it.
pub async fn join_holds(
    State(pool): State<PgPool>,
    Json(joining): Json<Joining>,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let mut transaction = pool.begin().await?;
    let team = find_team(&mut transaction, &joining.code).await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(i64::from(team.id))
        .execute(&mut *transaction)
        .await?;
    join(transaction, team, joining.member).await
}

struct Team {
    id: i32,
    places: i64,
}

async fn find_team(transaction: &mut PgTransaction<'_>, code: &str) -> Result<Team, Failure> {
    let found = sqlx::query_as("SELECT id, places FROM teams WHERE code = $1")
        .bind(code)
        .fetch_optional(&mut **transaction)
        .await?;
    let (id, places) = found.ok_or(Failure::Declined("no team has this code"))?;
    Ok(Team { id, places })
}

async fn join(
    mut transaction: PgTransaction<'_>,
    team: Team,
    member: i32,
) -> Result<(StatusCode, Json<Value>), Failure> {
    let taken: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM team_members WHERE team_id = $1")
        .bind(team.id)
        .fetch_one(&mut *transaction)
        .await?;
    if taken >= team.places {
        // Without this line the transaction ends as well, but after the answer: with the return of
        // its connection to the pool.
        transaction.rollback().await?;
        return Err(Failure::Declined("the team is full"));
    }
    sqlx::query("INSERT INTO team_members (team_id, member_id) VALUES ($1, $2)")
        .bind(team.id)
        .bind(member)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok((StatusCode::CREATED, Json(json!({ "team": team.id }))))
}
