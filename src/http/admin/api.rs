//! The keeper's work as an API.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::from_this_site_only;
use super::signed_in::SignedIn;
use crate::accounts::Account;
use crate::http::accounts::{find_account, number_in_path};
use crate::http::app::App;
use crate::http::fields::Fields;
use crate::http::input::natural;
use crate::http::paging::{BackwardsQuery, Limit};
use crate::http::part::Part;
use crate::http::problem::Problem;
use crate::http::problem::declared::{
    AlwaysPossible, EngineRefused, UnknownAccount, UnknownBodyType, UnknownPage, problems,
};
use crate::keeper::{self, Change};

/// What the keeper may do, for scripts and for pages with a script.
pub(in crate::http) const PART: Part = Part {
    routes,
    paths: Paths::openapi,
    shown_by: Some("the accounts"),
};

fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/accounts", post(open))
        .route("/accounts/{id}/reset", post(reset))
        .route("/accounts/{id}/transactions", delete(delete_transactions))
        .route(
            "/accounts/{id}/transactions/{transaction}",
            delete(delete_transaction),
        )
        .route("/changes", get(changes))
        .route_layer(from_this_site_only())
}

#[derive(OpenApi)]
#[openapi(paths(open, reset, delete_transactions, delete_transaction, changes))]
struct Paths;

/// What the new account holds at first.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body to OpenAPI; `opening_balance` reads it"
)]
struct NewAccount {
    /// Zero unless given.
    #[schema(example = 1000, minimum = 0)]
    opening_balance: Option<i64>,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct Deleted {
    /// How many transactions.
    deleted: u64,
}

/// A page of changes.
#[derive(Debug, Serialize, ToSchema)]
struct ChangePage {
    changes: Vec<Change>,
    /// What to give as `before` for the next page; null on the last.
    next: Option<i64>,
}

problems! {
    /// Of an operation for users.
    SignedInOnly {
        401 => "Nobody is signed in",
    }

    /// Of an operation that changes something.
    KeeperOnly {
        401 => "Nobody is signed in",
        403 => "A page of another site has sent the request",
    }

    /// Of opening an account.
    OpeningProblems {
        400 => "The opening balance is no integer, negative or out of range",
        409 => "Others kept the database from being written for too long",
    }

    /// Of a change to an account for which others race.
    AccountInUse {
        409 => "Others held the account's locks for too long, or were in the way at every try",
    }

    /// Of a change that moves amounts into the opening balance.
    OpeningBalanceOverflow {
        422 => "The opening balance would overflow",
    }

    /// Of an operation on one transaction, which its path names.
    UnknownTransaction {
        400 => "A number is no integer",
        404 => "There is no such account or transaction",
    }
}

/// Open an account
///
/// For the signed-in only.
#[utoipa::path(
    post,
    path = "/accounts",
    tag = "keeper",
    request_body(content(
        (NewAccount = "application/json"),
        (NewAccount = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 201, description = "The account was opened", body = Account, headers(
            ("Location" = String, description = "Where it is")
        )),
        OpeningProblems,
        KeeperOnly,
        UnknownBodyType,
        AlwaysPossible,
    ),
    security(("token" = []), ("session" = []))
)]
async fn open(
    SignedIn(user): SignedIn,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Account>), Problem> {
    let opening_balance = opening_balance(request).await?;
    let id = keeper::open_account(&app.kept, &user.username, opening_balance).await?;
    let account = find_account(&app, id).await?;
    let location = [(header::LOCATION, format!("/accounts/{id}"))];
    Ok((StatusCode::CREATED, location, Json(account)))
}

/// Reads it from the body; zero unless given.
///
/// # Errors
/// 400 or 415, which say what is wrong.
pub(super) async fn opening_balance(request: Request) -> Result<i64, Problem> {
    let mut fields = Fields::read(request, &["opening_balance"]).await?;
    let text = fields.take("opening_balance");
    text.map_or(Ok(0), |text| natural("opening_balance", &text))
}

/// Reset an account
///
/// To its opening balance, without any transaction. For the signed-in only.
///
/// The change waits for deposits that are being made, and they for it, so that the books are right
/// afterwards. It cannot keep out deposits by `mutex_in_process` in another instance, whose lock is
/// in that instance's memory, nor deposits that lose updates among themselves. Idempotency keys are
/// kept: a deposit that is sent again after the reset gets its first receipt and is not made again.
#[utoipa::path(
    post,
    path = "/accounts/{id}/reset",
    tag = "keeper",
    params(("id" = i64, Path, description = "The account's number")),
    responses(
        (status = 200, description = "The account as it is now", body = Account),
        UnknownAccount,
        KeeperOnly,
        AccountInUse,
        AlwaysPossible,
    ),
    security(("token" = []), ("session" = []))
)]
async fn reset(
    SignedIn(user): SignedIn,
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Account>, Problem> {
    let account = number_in_path(id)?;
    keeper::reset_account(&app.kept, app.actor(&user), account).await?;
    Ok(Json(find_account(&app, account).await?))
}

/// Delete an account's transactions
///
/// Their amounts move into the opening balance: what the account holds and what was lost stay as they are.
/// For the signed-in only. Amid deposits it is as with a reset.
#[utoipa::path(
    delete,
    path = "/accounts/{id}/transactions",
    tag = "keeper",
    params(("id" = i64, Path, description = "The account's number")),
    responses(
        (status = 200, description = "How many were deleted", body = Deleted),
        UnknownAccount,
        KeeperOnly,
        AccountInUse,
        OpeningBalanceOverflow,
        AlwaysPossible,
    ),
    security(("token" = []), ("session" = []))
)]
async fn delete_transactions(
    SignedIn(user): SignedIn,
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Deleted>, Problem> {
    let account = number_in_path(id)?;
    let deleted = keeper::delete_transactions(&app.kept, app.actor(&user), account).await?;
    Ok(Json(Deleted { deleted }))
}

/// Delete a transaction
///
/// Its amount moves into the opening balance. For the signed-in only. Amid deposits it is as with a
/// reset.
#[utoipa::path(
    delete,
    path = "/accounts/{id}/transactions/{transaction}",
    tag = "keeper",
    params(
        ("id" = i64, Path, description = "The account's number"),
        ("transaction" = i64, Path, description = "The transaction's number"),
    ),
    responses(
        (status = 200, description = "It was deleted", body = Deleted),
        UnknownTransaction,
        KeeperOnly,
        AccountInUse,
        OpeningBalanceOverflow,
        AlwaysPossible,
    ),
    security(("token" = []), ("session" = []))
)]
async fn delete_transaction(
    SignedIn(user): SignedIn,
    State(app): State<Arc<App>>,
    ids: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Deleted>, Problem> {
    let (account, transaction) = numbers_in_path(ids)?;
    keeper::delete_transaction(&app.kept, app.actor(&user), account, transaction).await?;
    Ok(Json(Deleted { deleted: 1 }))
}

/// List the changes
///
/// Who opened, reset or cleared which account, the newest first. For the signed-in only.
#[utoipa::path(
    get,
    path = "/changes",
    tag = "keeper",
    params(BackwardsQuery),
    responses(
        (status = 200, description = "A page of changes", body = ChangePage),
        UnknownPage,
        SignedInOnly,
        EngineRefused,
        AlwaysPossible,
    ),
    security(("token" = []), ("session" = []))
)]
async fn changes(
    SignedIn(_user): SignedIn,
    State(app): State<Arc<App>>,
    query: Result<Query<BackwardsQuery>, QueryRejection>,
) -> Result<Json<ChangePage>, Problem> {
    let ((changes, next), ..) = page_of_changes(&app, query).await?;
    Ok(Json(ChangePage { changes, next }))
}

/// A page of changes and where the next one begins; how long it may be, and whether it is the first.
///
/// # Errors
/// 400 for a page that cannot be, else the engine's.
pub(super) async fn page_of_changes(
    app: &App,
    query: Result<Query<BackwardsQuery>, QueryRejection>,
) -> Result<((Vec<Change>, Option<i64>), Limit, bool), Problem> {
    let (before, limit) = BackwardsQuery::parse(query)?;
    let mut changes = keeper::changes(&app.kept, before, limit.one_more()).await?;
    let next = limit.cut(&mut changes, |change| change.id);
    Ok(((changes, next), limit, before == i64::MAX))
}

/// The account's and the transaction's numbers in a path.
///
/// # Errors
/// 400 where one is none.
pub(super) fn numbers_in_path(
    ids: Result<Path<(String, String)>, PathRejection>,
) -> Result<(i64, i64), Problem> {
    let Path((id, transaction)) =
        ids.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    Ok((natural("id", &id)?, natural("transaction", &transaction)?))
}
