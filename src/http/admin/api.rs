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
use crate::http::signed_in_user::SignedInUser;
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

/// The body of a request to open an account.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body to OpenAPI; `opening_balance` reads it"
)]
struct NewAccount {
    /// What the account holds at first; zero unless given.
    #[schema(example = 1000, minimum = 0)]
    opening_balance: Option<i64>,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Deleted)]
struct DeletionCount {
    /// The number of transactions.
    deleted: u64,
}

/// A page of changes.
#[derive(Debug, Serialize, ToSchema)]
struct ChangePage {
    changes: Vec<Change>,
    /// The `before` of the next page; null on the last page.
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
        409 => "Other clients kept the database from being written for too long",
    }

    /// Of a change to an account that other clients use.
    AccountInUse {
        409 => "Other clients held the account's locks for too long, or were in the way of every \
            attempt",
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
/// Opens an account with an opening balance. Only for users.
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
    SignedInUser(user): SignedInUser,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Account>), Problem> {
    let opening_balance = opening_balance(request).await?;
    let id = keeper::open_account(&app.kept, &user.username, opening_balance).await?;
    let account = find_account(&app, id).await?;
    let location = [(header::LOCATION, format!("/accounts/{id}"))];
    Ok((StatusCode::CREATED, location, Json(account)))
}

/// Reads the opening balance from the body; zero unless given.
pub(super) async fn opening_balance(request: Request) -> Result<i64, Problem> {
    let mut fields = Fields::read(request, &["opening_balance"]).await?;
    let text = fields.take("opening_balance");
    text.map_or(Ok(0), |text| natural("opening_balance", &text))
}

/// Reset an account
///
/// Puts an account back to its opening balance and deletes its transactions. Only for users.
///
/// The change waits for deposits under way, and they wait for it, so the account is right
/// afterwards. There are two exceptions: deposits by `mutex_in_process` in another instance, whose
/// lock is in that instance's memory, and deposits that lose updates among themselves. Idempotency
/// keys are kept: a deposit that is sent again after the reset gets its first receipt and is not
/// made again.
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
    SignedInUser(user): SignedInUser,
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Account>, Problem> {
    let account = number_in_path(id)?;
    keeper::reset_account(&app.kept, app.actor(&user), account).await?;
    Ok(Json(find_account(&app, account).await?))
}

/// Delete an account's transactions
///
/// Deletes all of an account's transactions. Their amounts move into the opening balance, so
/// neither the balance nor what was lost changes. Only for users. It waits for deposits as a reset
/// does.
#[utoipa::path(
    delete,
    path = "/accounts/{id}/transactions",
    tag = "keeper",
    params(("id" = i64, Path, description = "The account's number")),
    responses(
        (status = 200, description = "How many were deleted", body = DeletionCount),
        UnknownAccount,
        KeeperOnly,
        AccountInUse,
        OpeningBalanceOverflow,
        AlwaysPossible,
    ),
    security(("token" = []), ("session" = []))
)]
async fn delete_transactions(
    SignedInUser(user): SignedInUser,
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<DeletionCount>, Problem> {
    let account = number_in_path(id)?;
    let deleted = keeper::delete_transactions(&app.kept, app.actor(&user), account).await?;
    Ok(Json(DeletionCount { deleted }))
}

/// Delete a transaction
///
/// Deletes one transaction. Its amount moves into the opening balance. Only for users. It waits for
/// deposits as a reset does.
#[utoipa::path(
    delete,
    path = "/accounts/{id}/transactions/{transaction}",
    tag = "keeper",
    params(
        ("id" = i64, Path, description = "The account's number"),
        ("transaction" = i64, Path, description = "The transaction's number"),
    ),
    responses(
        (status = 200, description = "The transaction was deleted", body = DeletionCount),
        UnknownTransaction,
        KeeperOnly,
        AccountInUse,
        OpeningBalanceOverflow,
        AlwaysPossible,
    ),
    security(("token" = []), ("session" = []))
)]
async fn delete_transaction(
    SignedInUser(user): SignedInUser,
    State(app): State<Arc<App>>,
    ids: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<DeletionCount>, Problem> {
    let (account, transaction) = numbers_in_path(ids)?;
    keeper::delete_transaction(&app.kept, app.actor(&user), account, transaction).await?;
    Ok(Json(DeletionCount { deleted: 1 }))
}

/// List the changes
///
/// Lists which user opened, reset or cleared which account, the newest change first. Only for
/// users.
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
    SignedInUser(_user): SignedInUser,
    State(app): State<Arc<App>>,
    query: Result<Query<BackwardsQuery>, QueryRejection>,
) -> Result<Json<ChangePage>, Problem> {
    let ((changes, next), ..) = page_of_changes(&app, query).await?;
    Ok(Json(ChangePage { changes, next }))
}

/// Reads a page of changes and where the next one begins, the page's limit, and whether it is the
/// first page.
pub(super) async fn page_of_changes(
    app: &App,
    query: Result<Query<BackwardsQuery>, QueryRejection>,
) -> Result<((Vec<Change>, Option<i64>), Limit, bool), Problem> {
    let (before, limit) = BackwardsQuery::parse(query)?;
    let mut changes = keeper::changes(&app.kept, before, limit.one_more()).await?;
    let next = limit.cut(&mut changes, |change| change.id);
    Ok(((changes, next), limit, before == i64::MAX))
}

/// Reads the account's and the transaction's numbers in a path.
pub(super) fn numbers_in_path(
    ids: Result<Path<(String, String)>, PathRejection>,
) -> Result<(i64, i64), Problem> {
    let Path((id, transaction)) =
        ids.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    Ok((natural("id", &id)?, natural("transaction", &transaction)?))
}
