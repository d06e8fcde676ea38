//! `GET /strategies`: the cards, each with its explanation and the code that runs.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::app::App;
use super::part::Part;
use super::problem::declared::AlwaysPossible;
use crate::engine::Engine;
use crate::exhibits::card::Expectation;
use crate::exhibits::{EXHIBITS, Exhibit, Specimen};

/// The strategies' cards.
pub(super) const PART: Part = Part {
    routes,
    paths: Paths::openapi,
    shown_by: None,
};

fn routes() -> Router<Arc<App>> {
    Router::new().route("/strategies", get(list))
}

#[derive(OpenApi)]
#[openapi(paths(list))]
struct Paths;

/// All strategies, and the engine they run on here.
#[derive(Debug, Serialize, ToSchema)]
struct Strategies {
    #[serde(flatten)]
    engine: Engine,
    /// The strategies of all exhibits, in the order in which they are taught.
    strategies: Vec<StrategyCard>,
    /// The anomalies of all exhibits.
    anomalies: Vec<AnomalyCard>,
}

/// One strategy, explained.
#[derive(Debug, Serialize, ToSchema)]
struct StrategyCard {
    /// Its name within the exhibit, which is also the name in its endpoint.
    name: &'static str,
    /// Its name among the strategies of all exhibits: for the explorer and in the metrics.
    full_name: &'static str,
    /// The exhibit: `deposits`, `statements`, `orders` or `exports`.
    exhibit: &'static str,
    /// A headline.
    title: &'static str,
    /// Whether it thinks between its statements: the lesson's long delay.
    thinks: bool,
    /// Whether no setting shows an anomaly on this engine, with one instance of the service.
    must_be_safe: bool,
    /// The explanation, in Markdown.
    explanation: String,
    /// What the schedules of two clients of the strategy lead to, engine by engine.
    expected: &'static [Expectation],
    /// The settings in which it is explored. The first is that of `expected`.
    settings: Vec<SettingCard>,
    /// The file that runs.
    source: &'static str,
}

/// The clients that a strategy is explored with, and what they lead to.
#[derive(Debug, Serialize, ToSchema)]
struct SettingCard {
    /// The strategy's name in this setting, as the explorer prints it.
    name: String,
    /// What client A is instead of a client of the strategy. Null if it is one.
    beside: Option<&'static str>,
    /// What two clients lead to, engine by engine.
    expected: &'static [Expectation],
    /// The same with an instance of the service for each client. Null if it makes no difference.
    expected_apart: Option<&'static [Expectation]>,
}

/// An anomaly in words.
#[derive(Debug, Serialize, ToSchema)]
struct AnomalyCard {
    /// The exhibit whose invariant it breaks.
    exhibit: &'static str,
    /// Its name, as verdicts have it.
    name: &'static str,
    /// What a run with it is called.
    title: &'static str,
    /// What it means.
    meaning: &'static str,
}

impl StrategyCard {
    fn new(exhibit: &Exhibit, specimen: &dyn Specimen, engine: &Engine) -> Self {
        let card = specimen.card();
        let settings = specimen.settings().into_iter();
        Self {
            name: specimen.name(),
            full_name: specimen.full_name(),
            exhibit: exhibit.name,
            title: card.title,
            thinks: specimen.thinks(),
            must_be_safe: specimen.must_be_safe_on(engine),
            explanation: card.explanation(),
            expected: card.expected,
            settings: settings
                .map(|setting| SettingCard {
                    name: setting.name_of(specimen),
                    beside: setting.beside,
                    expected: setting.expected,
                    expected_apart: setting.expected_apart,
                })
                .collect(),
            source: card.source,
        }
    }
}

/// List strategies
///
/// Each with its explanation, what is expected of it, and the source of the code that runs.
#[utoipa::path(
    get,
    path = "/strategies",
    tag = "strategies",
    responses(
        (status = 200, description = "All strategies", body = Strategies),
        AlwaysPossible,
    )
)]
async fn list(State(app): State<Arc<App>>) -> Json<Strategies> {
    let engine = app.database.engine();
    let strategies = EXHIBITS.iter().flat_map(|exhibit| {
        let specimens = (exhibit.specimens)().into_iter();
        specimens.map(|it| StrategyCard::new(exhibit, it, engine))
    });
    let anomalies = EXHIBITS.iter().flat_map(|exhibit| {
        let anomalies = exhibit.anomalies.iter();
        anomalies.map(|anomaly| AnomalyCard {
            exhibit: exhibit.name,
            name: anomaly.name,
            title: anomaly.title,
            meaning: anomaly.meaning,
        })
    });
    Json(Strategies {
        engine: engine.clone(),
        strategies: strategies.collect(),
        anomalies: anomalies.collect(),
    })
}
