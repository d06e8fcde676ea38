//! `/tables`: a strategy appends records to a table, and a table is read, listed and audited. Open
//! to everyone.

mod body;
mod problems;

use std::sync::Arc;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, Request, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use body::{AppendBody, parse, table_name};

use super::app::App;
use super::exchange::{Count, Exchange, strategy_in_path};
use super::input::natural;
use super::part::Part;
use super::problem::Problem;
use super::problem::declared::{AlwaysPossible, UnknownBodyType, problems};
use super::problem::strategy::Product;
use crate::exhibits::tables::audit::Audit;
use crate::exhibits::tables::history::{HistoryEntry, history};
use crate::exhibits::tables::{
    Appended, KeptBy, Metadata, READERS, ReadTable, Reader, STRATEGIES, Strategy, Table, TableName,
    Unreadable, Wanted,
};
use crate::observe::metrics::{AnswerKind, TableCommit};
use crate::observe::timeline::{Arrival, QueuedTime, TimelineStep};
use crate::verdict::Outcome;

/// The tables.
pub(super) const PART: Part = Part {
    routes,
    paths: Paths::openapi,
    shown_by: Some(APPEND.shown_by),
};

const APPEND: Product = Product {
    name: "append",
    shown_by: "the table's audit",
};

fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/tables", get(list))
        // A POST names a strategy, a GET a table.
        .route("/tables/{name}", post(append).get(now))
        .route("/tables/{name}/", post(append))
        .route("/tables/{name}/records", get(records))
        .route("/tables/{name}/history", get(past))
        .route("/tables/{name}/audit", get(audit))
}

#[derive(OpenApi)]
#[openapi(paths(append, list, now, records, past, audit))]
struct Paths;

/// The answer to an append.
#[derive(Debug, Serialize, ToSchema)]
struct AppendMade {
    /// The strategy that made it.
    strategy: &'static str,
    /// The table's name.
    #[schema(value_type = String)]
    table: TableName,
    #[serde(flatten)]
    appended: Appended,
    /// Always `applied`.
    outcome: Outcome,
    /// When the request arrived, in microseconds since 1970-01-01 UTC.
    arrived_at_us: u64,
    /// What the request waited for: a worker, and connections to the database.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queued: Vec<QueuedTime>,
    /// The steps, each with its time since the request arrived.
    timeline: Vec<TimelineStep>,
}

/// The names of all tables.
#[derive(Debug, Serialize, ToSchema)]
struct TableNames {
    #[schema(value_type = Vec<String>)]
    tables: Vec<TableName>,
}

/// A table at this moment.
#[derive(Debug, Serialize, ToSchema)]
struct TableNow {
    /// The table's name.
    #[schema(value_type = String)]
    table: TableName,
    /// What keeps the truth about which snapshot is the current one.
    kept_by: KeptBy,
    /// The current snapshot.
    current: Metadata,
}

/// Records of a table.
#[derive(Debug, Serialize, ToSchema)]
struct TableRecords {
    /// The table's name.
    #[schema(value_type = String)]
    table: TableName,
    #[serde(flatten)]
    read: ReadTable,
    /// The steps, each with its time since the request arrived. Absent if a snapshot was named.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    timeline: Vec<TimelineStep>,
}

/// The snapshots that a table still has.
#[derive(Debug, Serialize, ToSchema)]
struct TableHistory {
    /// The table's name.
    #[schema(value_type = String)]
    table: TableName,
    /// The newest first.
    snapshots: Vec<HistoryEntry>,
}

/// A table's audit.
#[derive(Debug, Serialize, ToSchema)]
struct TableAudited {
    /// The table's name.
    #[schema(value_type = String)]
    table: TableName,
    #[serde(flatten)]
    audit: Audit,
}

problems! {
    /// Of an append.
    AppendProblems {
        400 => "A field is missing or wrong; the answer names it, and nothing was written",
        404 => "There is no such strategy",
        409 => "Another client has committed first, or the strategy gave up after several attempts, \
            or the table's truth is kept in another way than the strategy keeps it, or a lock was \
            not to be had in time. Nothing was appended",
        500 => "A file of the table is damaged; the answer names it",
        507 => "There is no room left for the table. (503 if the folder of the tables cannot be \
            used at all.) The append is in no snapshot, unless `outcome` is \
            `unknown`: then it is in the table, and it could not be noted",
    }

    /// Of a table that is to be read.
    UnknownTable {
        400 => "This is no table's name, or a parameter is wrong",
        404 => "There is no such table; or no such snapshot, or no longer",
        500 => "A file of the table is damaged; the answer names it",
    }
}

/// Append to a table
///
/// Appends the records to the table, in the strategy's way, and says in which snapshot they are.
/// With some strategies, records that were acknowledged are lost when requests meet.
#[utoipa::path(
    post,
    path = "/tables/{strategy}/",
    tag = "tables",
    params(("strategy" = String, Path, description = "A strategy's name, as GET /strategies lists \
        those of the tables", example = "exclusive_create_retry")),
    request_body(content(
        (AppendBody = "application/json"),
        (AppendBody = "application/x-www-form-urlencoded"),
        (AppendBody = "multipart/form-data"),
    )),
    responses(
        (status = 200, description = "The records are in the table", body = AppendMade),
        UnknownBodyType,
        AppendProblems,
        AlwaysPossible,
    )
)]
async fn append(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Result<Json<AppendMade>, Problem> {
    let known = STRATEGIES.each_ref().map(|strategy| strategy.name);
    let strategy = strategy_in_path(name, Strategy::named, &known)?;
    let asked = app.count_if_invalid(strategy.full_name, parse(request).await)?;
    let name = match asked.table {
        Some(name) => name,
        None => table_name(strategy.name)?,
    };
    let table = app.tables.table(&name);

    let exchange = Exchange::begin(&app, arrival);
    let (append, pauses) = (&asked.append, app.retry.pauses());
    let performed = strategy.perform(&app.database, &table, append, pauses, exchange.observer());
    let result = performed.await;
    let attempts = problems::attempts_of(&result);
    if problems::has_tried(&result) {
        app.metrics.count_commit(TableCommit {
            strategy: strategy.full_name,
            table: name.as_str(),
            is_made: result.is_ok(),
            attempts,
        });
    }
    let count = Count {
        strategy: strategy.full_name,
        kind: AnswerKind::Write {
            outcome: problems::outcome_of(&result),
            attempts,
        },
        in_a_batch: false,
    };
    let result = result.map_err(|refusal| Problem::of_append(&name, refusal));
    let answer = exchange.end(count, result)?;

    Ok(Json(AppendMade {
        strategy: strategy.name,
        table: name,
        appended: answer.receipt,
        outcome: Outcome::Applied,
        arrived_at_us: answer.arrived_at_us,
        queued: answer.queued,
        timeline: answer.timeline,
    }))
}

/// List the tables
#[utoipa::path(
    get,
    path = "/tables",
    tag = "tables",
    responses(
        (status = 200, description = "The names of all tables", body = TableNames),
        AlwaysPossible,
    )
)]
async fn list(State(app): State<Arc<App>>) -> Result<Json<TableNames>, Problem> {
    let tables = app.tables.clone();
    let names = tokio::task::spawn_blocking(move || tables.names());
    let names = names.await.map_err(|_| Problem::internal())?;
    let tables = names.map_err(|error| problems::cannot_be_listed(&error))?;
    Ok(Json(TableNames { tables }))
}

/// Show a table
///
/// The current snapshot of the table: its version, its parent, and the manifests that name its data
/// files.
#[utoipa::path(
    get,
    path = "/tables/{table}",
    tag = "tables",
    params(("table" = String, Path, description = "The table's name", example = "events")),
    responses(
        (status = 200, description = "The current snapshot", body = TableNow),
        UnknownTable,
        AlwaysPossible,
    )
)]
async fn now(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<TableNow>, Problem> {
    let name = name_in_path(name)?;
    let found = of_table(&app, &name, |table| {
        Ok((table.kept_by()?, table.metadata()?))
    });
    let (kept_by, current) = found.await?;
    Ok(Json(TableNow {
        table: name,
        kept_by,
        current,
    }))
}

/// Which records are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RecordsQuery {
    /// The number of a snapshot, as `history` lists them. The current one unless given.
    #[param(value_type = Option<u64>, minimum = 0)]
    snapshot: Option<String>,
    /// How to find the current snapshot: `read_snapshot` unless given, or `read_latest_twice`.
    reader: Option<String>,
    /// How many records are left out before the first one; 0 unless given.
    #[param(value_type = Option<u64>, minimum = 0)]
    offset: Option<String>,
    /// At most this many records, 1 to 10000; 1000 unless given.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 10_000)]
    limit: Option<String>,
}

/// The number of records in an answer unless a limit is given, and the largest limit.
const USUAL_RECORDS: u64 = 1000;
const MOST_RECORDS: u64 = 10_000;

/// Read a table's records
///
/// Records of one consistent snapshot, also while others append. A long table is read page by page:
/// name the `snapshot` of the first page with every further one.
#[utoipa::path(
    get,
    path = "/tables/{table}/records",
    tag = "tables",
    params(("table" = String, Path, description = "The table's name", example = "events"),
        RecordsQuery),
    responses(
        (status = 200, description = "The records", body = TableRecords),
        UnknownTable,
        AlwaysPossible,
    )
)]
async fn records(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    Extension(arrival): Extension<Arrival>,
    query: Result<Query<RecordsQuery>, QueryRejection>,
) -> Result<Json<TableRecords>, Problem> {
    let name = name_in_path(name)?;
    let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let wanted = wanted(&query)?;
    if let Some(id) = query.snapshot {
        let id = natural("snapshot", &id)?.unsigned_abs();
        let read = of_table(&app, &name, move |table| table.read(id, wanted)).await?;
        return Ok(Json(TableRecords {
            table: name,
            read,
            timeline: Vec::new(),
        }));
    }
    let reader = reader_named(query.reader.as_deref())?;
    let table = app.tables.table(&name);
    let exchange = Exchange::begin(&app, arrival);
    let read = reader.perform(&app.database, &table, wanted, exchange.observer());
    let read = read.await;
    let count = Count {
        strategy: reader.full_name,
        kind: match read {
            Ok(_) => AnswerKind::Read,
            Err(_) => AnswerKind::ReadRefused,
        },
        in_a_batch: false,
    };
    let read = read.map_err(|refusal| Problem::of_read(&name, refusal));
    let answer = exchange.end(count, read)?;
    Ok(Json(TableRecords {
        table: name,
        read: answer.receipt,
        timeline: answer.timeline,
    }))
}

fn wanted(query: &RecordsQuery) -> Result<Wanted, Problem> {
    let number = |name, text: &Option<String>| match text {
        Some(text) => natural(name, text).map(|it| Some(it.unsigned_abs())),
        None => Ok(None),
    };
    let limit = number("limit", &query.limit)?.unwrap_or(USUAL_RECORDS);
    if !(1..=MOST_RECORDS).contains(&limit) {
        return Err(Problem::invalid(format!(
            "The field \"limit\" is from 1 to {MOST_RECORDS}: {limit}."
        )));
    }
    Ok(Wanted {
        offset: number("offset", &query.offset)?.unwrap_or(0),
        limit,
    })
}

fn reader_named(name: Option<&str>) -> Result<&'static Reader, Problem> {
    let known = READERS.each_ref().map(|reader| reader.name);
    match name {
        None => Ok(&READERS[1]),
        Some(name) => Reader::named(name).ok_or_else(|| Problem::unknown_strategy(name, &known)),
    }
}

/// List a table's snapshots
///
/// The snapshots that the table still has, the newest first, at most 100. Older ones are removed
/// after a while.
#[utoipa::path(
    get,
    path = "/tables/{table}/history",
    tag = "tables",
    params(("table" = String, Path, description = "The table's name", example = "events")),
    responses(
        (status = 200, description = "The snapshots", body = TableHistory),
        UnknownTable,
        AlwaysPossible,
    )
)]
async fn past(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<TableHistory>, Problem> {
    let name = name_in_path(name)?;
    let snapshots = of_table(&app, &name, |table| history(table, MOST_SNAPSHOTS)).await?;
    Ok(Json(TableHistory {
        table: name,
        snapshots,
    }))
}

/// The largest number of snapshots in an answer.
const MOST_SNAPSHOTS: usize = 100;

/// Audit a table
///
/// Holds what is in the table's folder against what clients were told: records that were
/// acknowledged and are missing, records twice, snapshots whose parent is not the one before, files
/// that no snapshot names, files that are not there, and damaged ones. Every anomaly is listed,
/// also with a count of 0. What clients are at work on is left out.
#[utoipa::path(
    get,
    path = "/tables/{table}/audit",
    tag = "tables",
    params(("table" = String, Path, description = "The table's name", example = "events")),
    responses(
        (status = 200, description = "What the folder holds, and what is wrong with it",
            body = TableAudited),
        UnknownTable,
        AlwaysPossible,
    )
)]
async fn audit(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<TableAudited>, Problem> {
    let name = name_in_path(name)?;
    let turn = app.turn_to_audit().await?;
    let audit = of_table(&app, &name, move |table| {
        // Held until the audit is over, even if the client leaves.
        let _turn = turn;
        Audit::of(table)
    });
    Ok(Json(TableAudited {
        audit: audit.await?,
        table: name,
    }))
}

fn name_in_path(name: Result<Path<String>, PathRejection>) -> Result<TableName, Problem> {
    let Path(name) = name.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    table_name(&name)
}

/// Reads something of a table, on a thread of its own.
async fn of_table<T: Send + 'static>(
    app: &App,
    name: &TableName,
    read: impl FnOnce(&Table) -> Result<T, Unreadable> + Send + 'static,
) -> Result<T, Problem> {
    let table = app.tables.table(name);
    let read = tokio::task::spawn_blocking(move || read(&table));
    let read = read.await.map_err(|_| Problem::internal())?;
    read.map_err(|why| Problem::of_unreadable(name, why))
}
