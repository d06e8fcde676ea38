//! `POST /exports/{strategy}/` writes an account's transactions into a CSV file on the server, and
//! `GET /exports/{file}` downloads it. Open to everyone.

use std::io::Read as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::app::App;
use super::download::DownloadBody;
use super::exchange::{Count, Exchange, strategy_in_path};
use super::fields::Fields;
use super::input::integer;
use super::part::Part;
use super::problem::Problem;
use super::problem::declared::{AlwaysPossible, UnknownBodyType, problems};
use super::problem::strategy::Product;
use crate::engine::Fault;
use crate::exhibits::exports::audit::Audit;
use crate::exhibits::exports::{
    Download, Export, ExportRequest, FileName, Refusal, STRATEGIES, Strategy,
};
use crate::observe::metrics::AnswerKind;
use crate::observe::timeline::{Arrival, QueuedTime, TimelineStep};
use crate::verdict::Outcome;

/// The exports.
pub(super) const PART: Part = Part {
    routes,
    paths: Paths::openapi,
    shown_by: Some(EXPORT.shown_by),
};

const EXPORT: Product = Product {
    name: "export",
    shown_by: "the export",
};

fn routes() -> Router<Arc<App>> {
    Router::new()
        // A POST names a strategy, a GET a file.
        .route("/exports/{name}", post(make).get(download))
        .route("/exports/{name}/", post(make))
        .route("/exports/{name}/audit", get(audit))
}

#[derive(OpenApi)]
#[openapi(paths(make, download, audit))]
struct Paths;

/// The answer to an export that was made.
#[derive(Debug, Serialize, ToSchema)]
struct ExportMade {
    /// The strategy that made it.
    strategy: &'static str,
    /// The account's number.
    account: i64,
    #[serde(flatten)]
    export: Export,
    /// Where to download it.
    url: String,
    /// Always `applied`.
    outcome: Outcome,
    /// When the request arrived, in microseconds since 1970-01-01 UTC.
    arrived_at_us: u64,
    /// What the request waited for: a worker, and connections to the database.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queued: Vec<QueuedTime>,
    /// The steps, each with its time since the request arrived.
    timeline: Vec<TimelineStep>,
    /// How many steps in the middle of a long timeline were left out; missing if none were.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps_left_out: Option<u64>,
}

/// What to export.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body to OpenAPI; `make` reads it field by field"
)]
struct ExportBody {
    /// The account's number.
    #[schema(example = 1, minimum = 0)]
    account: i64,
}

/// A file's audit.
#[derive(Debug, Serialize, ToSchema)]
struct ExportAudit {
    /// The file's name.
    #[schema(value_type = String)]
    file: FileName,
    #[serde(flatten)]
    audit: Audit,
}

problems! {
    /// Of an export that is to be made.
    ExportProblems {
        400 => "The account is missing, no integer, negative or out of range",
        404 => "There is no such account or strategy",
        409 => "The engine refused, or the lock file could not be locked in time",
        507 => "There is no room left for the file. (503 if the export folder cannot be used at \
            all.) As after every refusal, nothing of this export is left. But something may have \
            changed: shared_file and file_lock empty the file before they fail, so the export that \
            was there is gone. shared_file even removes the file with what other clients have \
            written into it, although they are told that their export is ready",
    }

    /// Of an export that is to be downloaded or audited.
    UnknownExport {
        400 => "This is no export's name",
        404 => "There is no export of this name, or no longer",
    }
}

/// Make an export
///
/// Writes all transactions of the account into a CSV file on the server, in the strategy's way, and
/// says where the file is. With some strategies, exports at the same time write into each other's
/// file.
#[utoipa::path(
    post,
    path = "/exports/{strategy}/",
    tag = "exports",
    params(("strategy" = String, Path, description = "A strategy's name, as GET /strategies lists \
        them", example = "shared_file")),
    request_body(content(
        (ExportBody = "application/x-www-form-urlencoded"),
        (ExportBody = "multipart/form-data"),
        (ExportBody = "application/json"),
    )),
    responses(
        (status = 200, description = "The export is ready", body = ExportMade),
        UnknownBodyType,
        AlwaysPossible,
        ExportProblems,
    )
)]
async fn make(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Result<Json<ExportMade>, Problem> {
    let known = STRATEGIES.each_ref().map(|strategy| strategy.name);
    let strategy = strategy_in_path(name, Strategy::named, &known)?;
    let account = app.count_if_invalid(strategy.full_name, parse_account(request).await)?;

    let exchange = Exchange::begin(&app, arrival);
    let request = ExportRequest { account };
    let (database, folder) = (&app.database, &app.exports);
    let performed = strategy.perform(database, folder, &request, exchange.observer());
    let export = performed.await;
    let outcome = export
        .as_ref()
        .map_or(Outcome::Refused, |_| Outcome::Applied);
    let attempts = 1;
    let count = Count {
        strategy: strategy.full_name,
        kind: AnswerKind::Write { outcome, attempts },
        in_a_batch: false,
    };
    let export = export.map_err(|refusal| Problem::of_export(account, refusal));
    let answer = exchange.end(count, export)?;

    Ok(Json(ExportMade {
        strategy: strategy.name,
        account,
        url: format!("/exports/{}", answer.receipt.file),
        export: answer.receipt,
        outcome,
        arrived_at_us: answer.arrived_at_us,
        queued: answer.queued,
        timeline: answer.timeline,
        steps_left_out: answer.steps_left_out,
    }))
}

impl Problem {
    /// An export that was not made.
    fn of_export(account: i64, refusal: Refusal) -> Self {
        let problem = match refusal {
            Refusal::UnknownAccount => Self::unknown_account(account),
            Refusal::Fault(fault) => Self::from(fault),
        };
        problem.with_outcome(Outcome::Refused, EXPORT)
    }

    /// 404: there is no such export.
    fn unknown_export(name: &FileName) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-export",
            "There is no such export",
            format!(
                "There is no export {name}. Exports are deleted some time after they were made."
            ),
        )
    }
}

async fn parse_account(request: Request) -> Result<i64, Problem> {
    let mut fields = Fields::read(request, &["account"]).await?;
    integer("account", fields.take("account"))
}

/// Download an export
///
/// The file as it is at this moment. If another export empties it meanwhile, as `shared_file` and
/// `file_lock` do, the download breaks off.
#[utoipa::path(
    get,
    path = "/exports/{file}",
    tag = "exports",
    params((
        "file" = String,
        Path,
        description = "The file's name, as POST /exports/{strategy}/ returns it",
        example = "transactions.csv",
    )),
    responses(
        (
            status = 200,
            description = "The file",
            body = String,
            content_type = "text/csv; charset=utf-8",
            headers(
                ("Content-Disposition" = String, description = "The name under which to save it"),
                ("Content-Length" = u64, description = "Its size in bytes"),
            ),
        ),
        UnknownExport,
        AlwaysPossible,
    )
)]
async fn download(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<([(HeaderName, String); 3], Body), Problem> {
    let name = parse(name)?;
    let download = open(&app, &name).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (header::CONTENT_LENGTH, download.length().to_string()),
    ];
    Ok((headers, Body::new(DownloadBody::from(download))))
}

/// Audit an export
///
/// Checks that the file can be parsed, and that it has the rows of one export alone, all of them
/// and in order. Every anomaly is listed, also with a count of 0. Two files are audited at a time;
/// a further audit waits for two seconds.
#[utoipa::path(
    get,
    path = "/exports/{file}/audit",
    tag = "exports",
    params(("file" = String, Path, description = "The file's name", example = "transactions.csv")),
    responses(
        (
            status = 200,
            description = "What the file holds, and what is wrong with it",
            body = ExportAudit,
        ),
        UnknownExport,
        AlwaysPossible,
    )
)]
async fn audit(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<ExportAudit>, Problem> {
    let file = parse(name)?;
    let turn = app.turn_to_audit().await?;
    let download = open(&app, &file).await?;
    let audit = tokio::task::spawn_blocking(move || {
        // Held until the audit is over, even if the client leaves.
        let _turn = turn;
        let length = download.length();
        Audit::of(download.into_file().take(length))
    });
    let audit = audit.await.map_err(|_| Problem::internal())?;
    Ok(Json(ExportAudit { file, audit }))
}

fn parse(name: Result<Path<String>, PathRejection>) -> Result<FileName, Problem> {
    let Path(name) = name.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    name.parse()
        .map_err(|wrong| Problem::invalid(format!("{name:?} is no export's name: {wrong}.")))
}

async fn open(app: &App, name: &FileName) -> Result<Download, Problem> {
    let opening = tokio::task::spawn_blocking({
        let (folder, name) = (app.exports.clone(), name.clone());
        move || folder.open(&name)
    });
    let opened = opening.await.map_err(|_| Problem::internal())?;
    opened
        .map_err(|error| Fault::of_file("the export could not be opened", &error))?
        .ok_or_else(|| Problem::unknown_export(name))
}
