//! `GET /accounts/{id}/statement`: the balance and the transactions together. Open to everyone.

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, OpenApi, PartialSchema, ToSchema};

use super::accounts::number_in_path;
use super::app::App;
use super::exchange::{Count, Exchange};
use super::paging::Limit;
use super::part::Part;
use super::problem::Problem;
use super::problem::declared::{AlwaysPossible, EngineRefused, problems};
use crate::exhibits::statements::{READERS, Reader, Statement, StatementRequest};
use crate::observe::metrics::AnswerKind;
use crate::observe::timeline::{Arrival, QueuedTime, TimelineStep};

/// The statements.
pub(super) const PART: Part = Part {
    routes,
    paths: Paths::openapi,
    shown_by: None,
};

fn routes() -> Router<Arc<App>> {
    Router::new().route("/accounts/{id}/statement", get(show))
}

#[derive(OpenApi)]
#[openapi(paths(show))]
struct Paths;

/// How to read the statement.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StatementQuery {
    /// The strategy's name, or its full name, as the explorer and the metrics give it.
    #[param(value_type = ReaderName, inline, example = "snapshot")]
    strategy: Option<String>,
    /// At most this many transactions are listed, 1 to 1000; 100 unless given. The sums include all
    /// transactions.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// The strategies' names, as OpenAPI describes them.
struct ReaderName;

impl PartialSchema for ReaderName {
    fn schema() -> RefOr<Schema> {
        let names = READERS.iter().map(|reader| reader.name);
        let full_names = READERS.iter().map(|reader| reader.full_name);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(names.chain(full_names)))
            .into()
    }
}

impl ToSchema for ReaderName {}

/// A statement, and how it was read.
#[derive(Debug, Serialize, ToSchema)]
struct StatementRead {
    /// The strategy that read it.
    strategy: &'static str,
    /// The account's number.
    account: i64,
    #[serde(flatten)]
    statement: Statement,
    /// When the request arrived, in microseconds since 1970-01-01 UTC.
    arrived_at_us: u64,
    /// What the request waited for: a worker, and connections to the database.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queued: Vec<QueuedTime>,
    /// Every step, with its time since the request arrived.
    timeline: Vec<TimelineStep>,
}

problems! {
    /// Of a statement.
    StatementProblems {
        400 => "The account's number is no integer, the limit is out of range, or no strategy is \
            named",
        404 => "There is no such account or strategy",
    }
}

/// Show a statement
///
/// The balance and the transactions together, their sums, and whether these agree.
///
/// With `snapshot` all of it is read at one moment. Then the sums disagree only if the account is
/// wrong: an update was lost, or a deposit in autocommit (`non_atomic_*`,
/// `lock_without_transaction`) is committed in part. With `torn` a deposit may come in between.
///
/// The newest transactions are listed; GET /accounts/{id}/transactions lists all of them, page by
/// page.
#[utoipa::path(
    get,
    path = "/accounts/{id}/statement",
    tag = "accounts",
    params(("id" = i64, Path, description = "The account's number"), StatementQuery),
    responses(
        (status = 200, description = "The statement", body = StatementRead),
        StatementProblems,
        EngineRefused,
        AlwaysPossible,
    )
)]
async fn show(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<StatementQuery>, QueryRejection>,
    Extension(arrival): Extension<Arrival>,
) -> Result<Json<StatementRead>, Problem> {
    let account = number_in_path(id)?;
    let (reader, limit) = parse(query)?;
    let wanted = StatementRequest {
        account,
        limit: limit.most(),
    };

    let exchange = Exchange::begin(&app, arrival);
    let read = reader.perform(&app.database, &wanted, exchange.observer());
    let statement = read
        .await
        .map_err(Problem::from)
        .and_then(|statement| statement.ok_or_else(|| Problem::unknown_account(account)));
    let count = Count {
        strategy: reader.full_name,
        kind: statement
            .as_ref()
            .map_or(AnswerKind::ReadRefused, |_| AnswerKind::Read),
        in_a_batch: false,
    };
    let answer = exchange.end(count, statement)?;

    Ok(Json(StatementRead {
        strategy: reader.name,
        account,
        statement: answer.receipt,
        arrived_at_us: answer.arrived_at_us,
        queued: answer.queued,
        timeline: answer.timeline,
    }))
}

fn parse(
    query: Result<Query<StatementQuery>, QueryRejection>,
) -> Result<(&'static Reader, Limit), Problem> {
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let known = READERS.each_ref().map(|reader| reader.name);
    let name = query.strategy.ok_or_else(|| {
        let known = known.join(" or ");
        Problem::invalid(format!("The field \"strategy\" is missing: {known}."))
    })?;
    let reader = Reader::named(&name).ok_or_else(|| Problem::unknown_strategy(&name, &known))?;
    Ok((reader, Limit::parse(query.limit)?))
}
