//! `POST /exports/{strategy}/`: an account's transactions as a CSV file on the server; and `GET /exports/{file}`:
//! the file. Open to everyone.

use std::io::{self, Read as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderName, header};
use hyper::body::{Frame, SizeHint};
use serde::Serialize;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::App;
use super::fields::Fields;
use super::input::integer;
use super::problem::{AlwaysPossible, Problem};
use crate::engine::Fault;
use crate::exhibits::exports::audit::Audit;
use crate::exhibits::exports::{Download, Export, ExportRequest, FileName, STRATEGIES, Strategy};
use crate::observe::metrics::{AnswerKind, AnsweredRequest};
use crate::observe::timeline::{Arrival, TimelineStep, timeline};
use crate::recorder::Recorder;
use crate::verdict::Outcome;

/// The answer to an export that is ready.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExportMade {
    /// The strategy that made it.
    strategy: &'static str,
    /// The account's number.
    account: i64,
    #[serde(flatten)]
    export: Export,
    /// Where it is to be had.
    url: String,
    /// Always `applied`.
    outcome: Outcome,
    /// When the request arrived, in microseconds since 1970-01-01 UTC.
    arrived_at_us: u64,
    /// The steps, each with its time since the request arrived.
    timeline: Vec<TimelineStep>,
    /// So many steps in the middle of a long timeline were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps_left_out: Option<u64>,
}

/// What to export.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "describes the body to OpenAPI; `make` reads it field by field"
)]
pub(super) struct ExportBody {
    /// The account's number.
    #[schema(example = 1, minimum = 0)]
    account: i64,
}

/// A file's audit.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExportAudit {
    /// The file's name.
    #[schema(value_type = String)]
    file: FileName,
    #[serde(flatten)]
    audit: Audit,
}

/// Make an export
///
/// Writes all transactions of the account into a CSV file on the server, in the way of the strategy, and says where it
/// is. With some of them, several exports at the same time get into each other's file.
#[utoipa::path(
    post,
    path = "/exports/{strategy}/",
    tag = "exports",
    params(("strategy" = String, Path, description = "A strategy's name, as GET /strategies lists them", example = "shared_file")),
    request_body(content(
        (ExportBody = "application/x-www-form-urlencoded"),
        (ExportBody = "multipart/form-data"),
        (ExportBody = "application/json"),
    )),
    responses(
        (status = 200, description = "The export is ready", body = ExportMade),
        (status = 400, description = "The account is missing, no integer, negative or out of range", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such account or strategy", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The engine refused, or the lock file was not to be had in time", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is neither a form nor JSON", body = Problem, content_type = "application/problem+json"),
        AlwaysPossible,
        (status = 507, description = "There is no room for it. (Where the export folder cannot be used at all: 503.) Refused, as after every other fault, means that nothing of this export is left. It does not mean that nothing has changed: shared_file and file_lock have emptied the file before they fail, so that the export that was there is gone, and shared_file removes it even with what others have written into it, who are told that theirs is ready", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn make(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    Extension(arrival): Extension<Arrival>,
    request: Request,
) -> Result<Json<ExportMade>, Problem> {
    let Path(name) = name.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let strategy = Strategy::named(&name).ok_or_else(|| {
        Problem::unknown_strategy(&name, &STRATEGIES.each_ref().map(|known| known.name))
    })?;
    let account = parse_account(request)
        .await
        .inspect_err(|problem| app.metrics.count_invalid(strategy.name, problem.status))?;
    app.warn_if_the_pool_hides_the_race();

    let recorder = Recorder::around(app.observer.clone());
    let exported = strategy
        .perform(
            &app.database,
            &app.exports,
            &ExportRequest { account },
            &recorder,
        )
        .await;
    let left_out = recorder.left_out();
    let records = recorder.into_records();
    let exported = exported.map_err(|refusal| Problem::of_export(account, refusal));
    let problem = exported.as_ref().err();
    app.metrics.count(&AnsweredRequest {
        strategy: strategy.name,
        kind: AnswerKind::Write {
            outcome: problem.map_or(Outcome::Applied, |_| Outcome::Refused),
            attempts: 1,
        },
        status: problem.map_or(200, |problem| problem.status),
        took: arrival.instant.elapsed(),
        fault: problem.and_then(|problem| Some((problem.fault?, problem.code.as_deref()))),
        records: &records,
        in_a_batch: false,
    });

    let arrived_at_us = arrival.epoch_us();
    let timeline = timeline(records, &arrival);
    match exported {
        Ok(export) => Ok(Json(ExportMade {
            strategy: strategy.name,
            account,
            url: format!("/exports/{}", export.file),
            export,
            outcome: Outcome::Applied,
            arrived_at_us,
            timeline,
            steps_left_out: (left_out > 0).then_some(left_out),
        })),
        Err(problem) => Err(problem.with_timeline(arrived_at_us, timeline)),
    }
}

async fn parse_account(request: Request) -> Result<i64, Problem> {
    let mut fields = Fields::read(request, &["account"]).await?;
    integer("account", fields.take("account"))
}

/// Download an export
///
/// As the file is at this moment. Where somebody empties it meanwhile, which `shared_file` and `file_lock` do,
/// the download breaks off.
#[utoipa::path(
    get,
    path = "/exports/{file}",
    tag = "exports",
    params(("file" = String, Path, description = "The file's name, as POST /exports/{strategy}/ has said it", example = "transactions.csv")),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/csv; charset=utf-8", headers(
            ("Content-Disposition" = String, description = "That it is to be saved, and under which name"),
            ("Content-Length" = u64, description = "How long it is"),
        )),
        (status = 400, description = "This is no export's name", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no export of this name, perhaps no longer", body = Problem, content_type = "application/problem+json"),
        AlwaysPossible,
    )
)]
pub(super) async fn download(
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
    Ok((headers, Body::new(Sent::from(download))))
}

/// Audit an export
///
/// Whether the file can be parsed, has the rows of one export alone, all of them, and in order. Every anomaly is
/// listed, also with a count of 0. Two files are audited at a time; others wait for two seconds.
#[utoipa::path(
    get,
    path = "/exports/{file}/audit",
    tag = "exports",
    params(("file" = String, Path, description = "The file's name", example = "transactions.csv")),
    responses(
        (status = 200, description = "What the file holds, and what is wrong with it", body = ExportAudit),
        (status = 400, description = "This is no export's name", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no export of this name, perhaps no longer", body = Problem, content_type = "application/problem+json"),
        AlwaysPossible,
    )
)]
pub(super) async fn audit(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<ExportAudit>, Problem> {
    let file = parse(name)?;
    let turn = Arc::clone(&app.audits).acquire_owned();
    let turn = timeout(PATIENCE_FOR_AN_AUDIT, turn)
        .await
        .map_err(|_elapsed| Problem::too_many_audits())?;
    let download = open(&app, &file).await?;
    let audit = tokio::task::spawn_blocking(move || {
        // Held until the audit is over, even if its client has left.
        let _turn = turn;
        let length = download.length();
        Audit::of(download.into_file().take(length))
    });
    let audit = audit.await.map_err(|_| Problem::internal())?;
    Ok(Json(ExportAudit { file, audit }))
}

/// How many files are audited at a time, at most: each takes a processor.
pub(super) const MOST_AUDITS: usize = 2;

/// How long an audit waits for its turn.
const PATIENCE_FOR_AN_AUDIT: Duration = Duration::from_secs(2);

fn parse(name: Result<Path<String>, PathRejection>) -> Result<FileName, Problem> {
    let Path(name) = name.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    name.parse()
        .map_err(|no_name| Problem::invalid(format!("{name:?} is no export's name: {no_name}.")))
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

/// A download on its way to the client, a piece at a time.
struct Sent(Reading);

enum Reading {
    /// Somebody has to ask for the next piece.
    Idle(Download),
    /// It is being read.
    Busy {
        left: u64,
        reading: JoinHandle<io::Result<(Download, Vec<u8>)>>,
    },
    /// It has come to its end, or was broken off.
    Over,
}

/// As much is read at once.
const PIECE: usize = 64 * 1024;

impl From<Download> for Sent {
    fn from(download: Download) -> Self {
        Self(Reading::Idle(download))
    }
}

impl Reading {
    fn begin(mut download: Download) -> Self {
        if download.left() == 0 {
            return Self::Over;
        }
        Self::Busy {
            left: download.left(),
            reading: tokio::task::spawn_blocking(move || {
                let piece = download.read(PIECE)?;
                Ok((download, piece))
            }),
        }
    }

    fn left(&self) -> u64 {
        match self {
            Self::Idle(download) => download.left(),
            Self::Busy { left, .. } => *left,
            Self::Over => 0,
        }
    }
}

impl hyper::body::Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0 = match std::mem::replace(&mut self.0, Reading::Over) {
            Reading::Idle(download) => Reading::begin(download),
            other => other,
        };
        let Reading::Busy { reading, .. } = &mut self.0 else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(reading).poll(context));
        self.0 = Reading::Over;
        Poll::Ready(Some(match read {
            Ok(Ok((download, piece))) => {
                self.0 = Reading::Idle(download);
                Ok(Frame::data(piece.into()))
            }
            Ok(Err(error)) => Err(error),
            Err(stopped) => Err(io::Error::other(stopped)),
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.0.left() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.left())
    }
}
