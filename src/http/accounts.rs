//! `GET /accounts…`: accounts with their audit, and their transactions. Open to everyone.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::app::App;
use super::input::natural;
use super::paging::PageQuery;
use super::part::Part;
use super::problem::Problem;
use super::problem::declared::{AlwaysPossible, EngineRefused, UnknownAccount, UnknownPage};
use crate::accounts::{self, Account, Transaction};

/// The accounts, as everyone may read them.
pub(super) const PART: Part = Part {
    routes,
    paths: Paths::openapi,
    shown_by: None,
};

fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/accounts", get(list))
        .route("/accounts/{id}", get(show))
        .route("/accounts/{id}/transactions", get(transactions))
}

#[derive(OpenApi)]
#[openapi(paths(list, show, transactions))]
struct Paths;

/// A page of accounts.
#[derive(Debug, Serialize, ToSchema)]
struct AccountPage {
    accounts: Vec<Account>,
    /// The `after` of the next page; null on the last page.
    next: Option<i64>,
}

/// A page of transactions.
#[derive(Debug, Serialize, ToSchema)]
struct TransactionPage {
    transactions: Vec<Transaction>,
    /// The `after` of the next page; null on the last page.
    next: Option<i64>,
}

/// List accounts
///
/// Lists accounts in the order of their numbers, each with its audit.
#[utoipa::path(
    get,
    path = "/accounts",
    tag = "accounts",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of accounts", body = AccountPage),
        UnknownPage,
        EngineRefused,
        AlwaysPossible,
    )
)]
async fn list(
    State(app): State<Arc<App>>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<AccountPage>, Problem> {
    let (page, limit) = PageQuery::parse(query)?;
    let mut accounts = accounts::list(&app.database, page).await?;
    let next = limit.cut(&mut accounts, |account| account.id);
    Ok(Json(AccountPage { accounts, next }))
}

/// Show an account
///
/// Shows an account with its audit: what it should hold by its transactions, and what was lost.
#[utoipa::path(
    get,
    path = "/accounts/{id}",
    tag = "accounts",
    params(("id" = i64, Path, description = "The account's number")),
    responses(
        (status = 200, description = "The account", body = Account),
        UnknownAccount,
        EngineRefused,
        AlwaysPossible,
    )
)]
async fn show(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Account>, Problem> {
    Ok(Json(find(&app, id).await?))
}

/// List an account's transactions
///
/// Lists them in the order of their numbers.
#[utoipa::path(
    get,
    path = "/accounts/{id}/transactions",
    tag = "accounts",
    params(("id" = i64, Path, description = "The account's number"), PageQuery),
    responses(
        (status = 200, description = "A page of transactions", body = TransactionPage),
        UnknownAccount,
        UnknownPage,
        EngineRefused,
        AlwaysPossible,
    )
)]
async fn transactions(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<TransactionPage>, Problem> {
    let (page, limit) = PageQuery::parse(query)?;
    let account = find(&app, id).await?;
    let mut transactions = accounts::transactions(&app.database, account.id, page).await?;
    let next = limit.cut(&mut transactions, |transaction| transaction.id);
    Ok(Json(TransactionPage { transactions, next }))
}

async fn find(app: &App, id: Result<Path<String>, PathRejection>) -> Result<Account, Problem> {
    find_account(app, number_in_path(id)?).await
}

/// Reads the account's number in a path.
pub(super) fn number_in_path(id: Result<Path<String>, PathRejection>) -> Result<i64, Problem> {
    let Path(id) = id.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    natural("id", &id)
}

/// Reads an account.
///
/// # Errors
/// 404 if there is no account of this number, or the engine's refusal.
pub(super) async fn find_account(app: &App, id: i64) -> Result<Account, Problem> {
    accounts::find(&app.database, id)
        .await?
        .ok_or_else(|| Problem::unknown_account(id))
}
