//! Runs and explorations as they happen, as server-sent events.
//!
//! Each event has a number. A client that reconnects says which one it had last, and gets those
//! after it. If some are no longer there, an event says how many. The replica that runs it tells
//! every step; any other one looks into the store twice a second, and tells the gaps.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures_util::stream;
use serde_json::{Value as Json, json};
use tokio::time::sleep;
use utoipa::OpenApi;

use super::runs::name_in_path;
use crate::console::record::State as RunState;
use crate::console::runs::{Channel, Kind, RecordId, Stored};
use crate::http::app::App;
use crate::http::part::Part;
use crate::http::problem::Problem;
use crate::http::problem::declared::problems;

/// The streams of the console.
pub(in crate::http) const PART: Part = Part {
    routes,
    paths: Paths::openapi,
    shown_by: None,
};

fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/runs/{id}/events", get(of_run))
        .route("/explorations/{id}/events", get(of_exploration))
}

#[derive(OpenApi)]
#[openapi(paths(of_run, of_exploration))]
struct Paths;

problems! {
    /// Of a stream.
    StreamProblems {
        404 => "There is no such run or exploration; the newest 500 are kept",
        409 => "The engine refused",
        500 => "A mistake in the lab itself",
        503 => "The database is out of reach, or too many clients are connected",
    }
}

/// How often a line is sent that says nothing, so that a proxy keeps the connection.
const PING: Duration = Duration::from_secs(15);

/// How often a replica looks into the store for what another one runs.
const LOOK: Duration = Duration::from_millis(500);

/// Watch a run
///
/// `progress` says how far it is. `gap` says how many events were missed. `ended` is the last one.
/// Each has an id: a client that reconnects with `Last-Event-ID` goes on after that one.
#[utoipa::path(
    get,
    path = "/runs/{id}/events",
    tag = "console",
    params(
        ("id" = String, Path, description = "The run's name"),
        ("Last-Event-ID" = Option<u64>, Header, description = "The last event that the client has"),
    ),
    responses(
        (status = 200, description = "The events", content_type = "text/event-stream", body = String),
        StreamProblems,
    )
)]
async fn of_run(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    watch(app, Kind::Run, &name_in_path(name)?, &headers).await
}

/// Watch an exploration
///
/// As the events of a run.
#[utoipa::path(
    get,
    path = "/explorations/{id}/events",
    tag = "console",
    params(
        ("id" = String, Path, description = "The exploration's name"),
        ("Last-Event-ID" = Option<u64>, Header, description = "The last event that the client has"),
    ),
    responses(
        (status = 200, description = "The events", content_type = "text/event-stream", body = String),
        StreamProblems,
    )
)]
async fn of_exploration(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    watch(app, Kind::Exploration, &name_in_path(name)?, &headers).await
}

async fn watch(
    app: Arc<App>,
    kind: Kind,
    name: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let unknown = || Problem::unknown_run(name);
    let id: RecordId = name.parse().map_err(|_| unknown())?;
    // Before the look into the store: what ends in between has ended there.
    let channel = app.runs.live().channel(&id);
    let stored = app.runs.store().glance(&id).await?;
    stored.filter(|it| it.kind == kind).ok_or_else(unknown)?;
    let last = headers.get("last-event-id");
    let last = last.and_then(|it| it.to_str().ok()?.trim().parse().ok());
    let watcher = Watcher {
        app,
        id,
        channel,
        last: last.unwrap_or(0),
        news: VecDeque::new(),
        is_over: false,
        has_looked: false,
    };
    let events = stream::unfold(watcher, |mut watcher| async {
        let event = watcher.next().await?;
        Some((Ok::<_, Infallible>(event), watcher))
    });
    let ping = KeepAlive::new().interval(PING).text("ping");
    Ok(Sse::new(events).keep_alive(ping).into_response())
}

/// One client that watches.
struct Watcher {
    app: Arc<App>,
    id: RecordId,
    /// None if another replica runs it, or if it is over.
    channel: Option<Arc<Channel>>,
    /// The number of the last event that was sent.
    last: u64,
    /// What is to be sent.
    news: VecDeque<Told>,
    is_over: bool,
    has_looked: bool,
}

/// What is to be sent.
struct Told {
    name: &'static str,
    number: u64,
    data: Json,
}

impl Watcher {
    /// The next event. None after the last one, and if the store cannot be read: then the client
    /// connects again.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(told) = self.news.pop_front() {
                self.last = told.number;
                let event = Event::default()
                    .event(told.name)
                    .id(told.number.to_string());
                return Some(event.data(told.data.to_string()));
            }
            if self.is_over {
                return None;
            }
            match self.channel.clone() {
                Some(channel) => self.listen(&channel).await?,
                None => self.look().await?,
            }
        }
    }

    /// Waits for news of this process.
    async fn listen(&mut self, channel: &Channel) -> Option<()> {
        let mut news = channel.after(self.last);
        if news.events.is_empty() && !news.is_over {
            channel.changed_after(self.last).await;
            news = channel.after(self.last);
        }
        let first = news.events.first().map(|event| event.number);
        if let Some(first) = first.filter(|_| news.missed > 0) {
            self.tell_gap(news.missed, first - 1);
        }
        for event in news.events {
            self.news.push_back(Told {
                name: "progress",
                number: event.number,
                data: event.data,
            });
        }
        if news.is_over {
            let stored = self.glance().await?;
            self.tell_end(&stored);
        }
        Some(())
    }

    /// Looks into the store, after a while.
    async fn look(&mut self) -> Option<()> {
        if std::mem::replace(&mut self.has_looked, true) {
            sleep(LOOK).await;
        }
        let stored = self.glance().await?;
        let number = stored.progress["event"].as_u64().unwrap_or(0);
        // The end has the next number. One beyond it is from before a restart.
        if self.last > number.saturating_add(1) {
            self.last = 0;
        }
        if number > self.last {
            let missed = number - self.last - 1;
            if missed > 0 {
                self.tell_gap(missed, number - 1);
            }
            self.news.push_back(Told {
                name: "progress",
                number,
                data: stored.progress.clone(),
            });
        }
        if stored.state != RunState::Running {
            self.tell_end(&stored);
        }
        Some(())
    }

    async fn glance(&self) -> Option<Stored> {
        self.app.runs.store().glance(&self.id).await.ok()?
    }

    fn tell_gap(&mut self, missed: u64, number: u64) {
        self.news.push_back(Told {
            name: "gap",
            number,
            data: json!({ "missed": missed }),
        });
    }

    fn tell_end(&mut self, stored: &Stored) {
        self.is_over = true;
        let last = self.news.back().map_or(self.last, |told| told.number);
        self.news.push_back(Told {
            name: "ended",
            number: last.saturating_add(1),
            data: json!({ "state": stored.state }),
        });
    }
}
