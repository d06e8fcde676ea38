//! A member likes a post, once. A double click sends the request twice.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::answer::Failure;

#[derive(Deserialize)]
pub struct Like {
    member: i32,
}

/// RACE: both clicks may find no like yet. Each statement commits by itself.
pub async fn like_lost(
    State(pool): State<PgPool>,
    Path(post): Path<i32>,
    Json(Like { member }): Json<Like>,
) -> Result<Json<Value>, Failure> {
    let exists = "SELECT EXISTS (SELECT FROM likes WHERE post_id = $1 AND member_id = $2)";
    let is_liked: bool = sqlx::query_scalar(exists)
        .bind(post)
        .bind(member)
        .fetch_one(&pool)
        .await?;
    if !is_liked {
        sqlx::query("INSERT INTO likes (post_id, member_id) VALUES ($1, $2)")
            .bind(post)
            .bind(member)
            .execute(&pool)
            .await?;
        count_like(&pool, post).await?;
    }
    Ok(Json(json!({ "liked": post })))
}

/// Does not ask, but inserts. The key admits one like, and the number of rows says whether it was
/// this one. The second click waits for the first one's COMMIT, and then inserts nothing.
pub async fn like_holds(
    State(pool): State<PgPool>,
    Path(post): Path<i32>,
    Json(Like { member }): Json<Like>,
) -> Result<Json<Value>, Failure> {
    let mut transaction = pool.begin().await?;
    let insert = "INSERT INTO likes (post_id, member_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(post)
        .bind(member)
        .execute(&mut *transaction)
        .await?;
    if inserted.rows_affected() == 1 {
        count_like(&mut *transaction, post).await?;
    }
    transaction.commit().await?;
    Ok(Json(json!({ "liked": post })))
}

/// The counter is added to in place, so it loses nothing. What it counts may be there twice.
async fn count_like(at: impl sqlx::PgExecutor<'_>, post: i32) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE posts SET likes = likes + 1 WHERE id = $1")
        .bind(post)
        .execute(at)
        .await?;
    Ok(())
}
