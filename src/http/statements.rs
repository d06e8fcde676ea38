//! `GET /accounts/{id}/statement`: the balance and the transactions together. Open to everyone.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::App;
use super::accounts::number_in_path;
use super::paging::Limit;
use super::problem::{AlwaysPossible, Problem};
use crate::exhibits::statements::{READERS, Reader, Statement, StatementRequest};
use crate::observe::metrics::{AnswerKind, AnsweredRequest};
use crate::observe::timeline::{Arrival, TimelineStep, timeline};
use crate::recorder::Recorder;

/// How the statement is to be read.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct StatementQuery {
    /// Which way; also by its whole name, as the explorer and the metrics give it.
    #[param(value_type = ReaderName, inline, example = "snapshot")]
    strategy: Option<String>,
    /// At most that many transactions are listed, 1 to 1000; 100 unless given. The sums are of all of them.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// The names that are known, as OpenAPI describes them.
struct ReaderName;

impl PartialSchema for ReaderName {
    fn schema() -> RefOr<Schema> {
        let names_within = READERS.iter().map(|reader| reader.name);
        let names = READERS.iter().map(|reader| reader.full_name);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(names_within.chain(names)))
            .into()
    }
}

impl ToSchema for ReaderName {}

/// A statement, and how it was read.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatementRead {
    /// The strategy that read it.
    strategy: &'static str,
    /// The account's number.
    account: i64,
    #[serde(flatten)]
    statement: Statement,
    /// When the request arrived, in microseconds since 1970-01-01 UTC.
    arrived_at_us: u64,
    /// Every step, with its time since the request arrived.
    timeline: Vec<TimelineStep>,
}

/// Show a statement
///
/// The balance and the transactions together, what they add up to, and whether they balance. With `snapshot` they come
/// from one moment, and balance if the books do: not where an update was lost, nor amid a deposit in autocommit
/// (`non_atomic_*`, `lock_without_transaction`), which is committed in halves. With `torn` a deposit may come between.
/// Listed are the newest transactions; GET /accounts/{id}/transactions lists them all, page by page.
#[utoipa::path(
    get,
    path = "/accounts/{id}/statement",
    tag = "accounts",
    params(("id" = i64, Path, description = "The account's number"), StatementQuery),
    responses(
        (status = 200, description = "The statement", body = StatementRead),
        (status = 400, description = "The account's number is no integer, the limit is out of range, or no strategy is named", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account or strategy", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The engine refused", body = Problem, content_type = "application/problem+json"),
        AlwaysPossible,
    )
)]
pub(super) async fn show(
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
    app.warn_if_the_pool_hides_the_race();

    let recorder = Recorder::around(app.observer.clone());
    let read = reader.perform(&app.database, &wanted, &recorder).await;
    let read = read
        .map_err(Problem::from)
        .and_then(|read| read.ok_or_else(|| Problem::unknown_account(account)));
    let records = recorder.into_records();
    let problem = read.as_ref().err();
    app.metrics.count(&AnsweredRequest {
        strategy: reader.name,
        kind: problem.map_or(AnswerKind::Read, |_| AnswerKind::ReadRefused),
        status: problem.map_or(200, |problem| problem.status),
        took: arrival.instant.elapsed(),
        fault: problem.and_then(|problem| Some((problem.fault?, problem.code.as_deref()))),
        records: &records,
        in_a_batch: false,
    });
    Ok(Json(StatementRead {
        strategy: reader.name,
        account,
        statement: read?,
        arrived_at_us: arrival.epoch_us(),
        timeline: timeline(records, &arrival),
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
