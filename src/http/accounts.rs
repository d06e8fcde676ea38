//! `GET /accounts…`: balances with their audit, and the transactions on record. Open to everyone.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::App;
use super::input::natural;
use super::problem::{AlwaysPossible, Problem};
use crate::accounts::{self, Account, Page, Transaction};

/// Which part of a list is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Only items with a greater number; a page's `next` goes here.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<String>,
    /// At most that many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

const LIMIT: i64 = 100;
const LONGEST_LIMIT: i64 = 1000;

impl PageQuery {
    /// The page, one item longer than asked for: that item tells whether there is a next page.
    fn parse(query: Result<Query<Self>, QueryRejection>) -> Result<(Page, usize), Problem> {
        let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
        let given = |name, text: Option<String>| text.map(|text| natural(name, &text)).transpose();
        let after = given("after", query.after)?.unwrap_or(0);
        let limit = given("limit", query.limit)?.unwrap_or(LIMIT);
        if !(1..=LONGEST_LIMIT).contains(&limit) {
            return Err(Problem::invalid(format!(
                "\"limit\" is {limit}; it goes from 1 to {LONGEST_LIMIT}."
            )));
        }
        let page = Page {
            after,
            limit: limit + 1,
        };
        Ok((page, usize::try_from(limit).unwrap_or(usize::MAX)))
    }
}

/// Cuts a list to its page; returns where the next page starts, if there is one.
fn cut<T>(items: &mut Vec<T>, limit: usize, number: impl Fn(&T) -> i64) -> Option<i64> {
    let more = items.len() > limit;
    items.truncate(limit);
    items.last().map(number).filter(|_| more)
}

/// A page of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AccountPage {
    accounts: Vec<Account>,
    /// What to give as `after` for the next page; null on the last.
    next: Option<i64>,
}

/// A page of transactions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TransactionPage {
    transactions: Vec<Transaction>,
    /// What to give as `after` for the next page; null on the last.
    next: Option<i64>,
}

/// List accounts
///
/// Each with its audit, in the order of their numbers.
#[utoipa::path(
    get,
    path = "/accounts",
    tag = "accounts",
    params(PageQuery),
    responses(
        (status = 200, description = "A page of accounts", body = AccountPage),
        (status = 400, description = "The page asked for is not valid", body = Problem, content_type = "application/problem+json"),
        AlwaysPossible,
    )
)]
pub(super) async fn list(
    State(app): State<Arc<App>>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<AccountPage>, Problem> {
    let (page, limit) = PageQuery::parse(query)?;
    let mut accounts = accounts::list(&app.database, page).await?;
    let next = cut(&mut accounts, limit, |account| account.id);
    Ok(Json(AccountPage { accounts, next }))
}

/// Show an account
///
/// With its audit: what it should hold by its transactions, and what was lost.
#[utoipa::path(
    get,
    path = "/accounts/{id}",
    tag = "accounts",
    params(("id" = i64, Path, description = "The account's number")),
    responses(
        (status = 200, description = "The account", body = Account),
        (status = 400, description = "The account's number is no integer", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account", body = Problem, content_type = "application/problem+json"),
        AlwaysPossible,
    )
)]
pub(super) async fn show(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Account>, Problem> {
    Ok(Json(find(&app, id).await?))
}

/// List an account's transactions
///
/// In the order in which they were numbered.
#[utoipa::path(
    get,
    path = "/accounts/{id}/transactions",
    tag = "accounts",
    params(("id" = i64, Path, description = "The account's number"), PageQuery),
    responses(
        (status = 200, description = "A page of transactions", body = TransactionPage),
        (status = 400, description = "The page asked for is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account", body = Problem, content_type = "application/problem+json"),
        AlwaysPossible,
    )
)]
pub(super) async fn transactions(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<TransactionPage>, Problem> {
    let (page, limit) = PageQuery::parse(query)?;
    let account = find(&app, id).await?;
    let mut transactions = accounts::transactions(&app.database, account.id, page).await?;
    let next = cut(&mut transactions, limit, |transaction| transaction.id);
    Ok(Json(TransactionPage { transactions, next }))
}

async fn find(app: &App, id: Result<Path<String>, PathRejection>) -> Result<Account, Problem> {
    let Path(id) = id.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let id = natural("id", &id)?;
    accounts::find(&app.database, id)
        .await?
        .ok_or_else(|| Problem::unknown_account(id))
}
