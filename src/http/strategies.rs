//! `GET /strategies`: the cards, each with its explanation and the code that runs.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;
use super::problem::AlwaysPossible;
use crate::engine::Engine;
use crate::exhibits::card::Expectation;
use crate::exhibits::deposits::{Delay, STRATEGIES, Strategy};
use crate::exhibits::exports;
use crate::exhibits::orders;
use crate::exhibits::statements::{READERS, Reader};

/// All strategies, and the engine they run on here.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Strategies {
    #[serde(flatten)]
    engine: Engine,
    strategies: Vec<StrategyCard>,
    /// The ways to read a statement.
    statements: Vec<StatementCard>,
    /// The ways to write an order.
    orders: Vec<OrderCard>,
    /// The ways to export.
    exports: Vec<ExportCard>,
}

/// One strategy, explained.
#[derive(Debug, Serialize, ToSchema)]
struct StrategyCard {
    /// Its name, which is also its endpoint: `/demo/<name>/`.
    name: &'static str,
    /// Always `deposits`.
    exhibit: &'static str,
    /// A headline.
    title: &'static str,
    /// How long it thinks between reading and writing.
    delay: Delay,
    /// Whether nothing may ever be lost by it on this engine, by one instance of the service.
    must_be_safe: bool,
    /// The explanation, in Markdown.
    explanation: String,
    /// What the schedules of two clients lead to, engine by engine.
    expected: &'static [Expectation],
    /// The same where each of them comes to an instance of its own; null where it makes no difference.
    expected_apart: Option<&'static [Expectation]>,
    /// The file that runs.
    source: &'static str,
}

impl StrategyCard {
    fn new(strategy: &Strategy, engine: &Engine) -> Self {
        let card = strategy.card;
        Self {
            name: strategy.name,
            exhibit: "deposits",
            title: card.title,
            delay: strategy.delay,
            must_be_safe: card.must_be_safe_on(engine),
            explanation: card.explanation(),
            expected: card.expected,
            expected_apart: strategy.apart,
            source: card.source,
        }
    }
}

/// One way to read a statement, explained.
#[derive(Debug, Serialize, ToSchema)]
struct StatementCard {
    /// Its name: `/accounts/{id}/statement?strategy=<name>`.
    name: &'static str,
    /// Always `statements`.
    exhibit: &'static str,
    /// A headline.
    title: &'static str,
    /// Whether a statement read in this way balances on this engine whenever the books do.
    must_be_safe: bool,
    /// The explanation, in Markdown.
    explanation: String,
    /// What the schedules of one who reads and one who deposits lead to, engine by engine.
    expected: &'static [Expectation],
    /// The file that runs.
    source: &'static str,
}

impl StatementCard {
    fn new(reader: &Reader, engine: &Engine) -> Self {
        let card = reader.card;
        Self {
            name: reader.short_name,
            exhibit: "statements",
            title: card.title,
            must_be_safe: card.must_be_safe_on(engine),
            explanation: card.explanation(),
            expected: card.expected,
            source: card.source,
        }
    }
}

/// One way to write an order, explained.
#[derive(Debug, Serialize, ToSchema)]
struct OrderCard {
    /// Its name: `/orders/<name>/`.
    name: &'static str,
    /// Always `orders`.
    exhibit: &'static str,
    /// A headline.
    title: &'static str,
    /// Whether nothing may ever go wrong with it on this engine, neither among writers nor beside the consumer.
    must_be_safe: bool,
    /// The explanation, in Markdown.
    explanation: String,
    /// What the schedules of two who write lead to, engine by engine.
    expected: &'static [Expectation],
    /// What those of one who writes and the consumer lead to.
    expected_beside_the_consumer: &'static [Expectation],
    /// The file that runs.
    source: &'static str,
}

impl OrderCard {
    fn new(strategy: &orders::Strategy, engine: &Engine) -> Self {
        let card = strategy.card;
        Self {
            name: strategy.name,
            exhibit: "orders",
            title: card.title,
            must_be_safe: strategy.must_be_safe_on(engine),
            explanation: card.explanation(),
            expected: card.expected,
            expected_beside_the_consumer: strategy.beside_the_consumer,
            source: card.source,
        }
    }
}

/// One way to export, explained.
#[derive(Debug, Serialize, ToSchema)]
struct ExportCard {
    /// Always `exports`.
    exhibit: &'static str,
    /// Its name, which is also its endpoint: `/exports/<name>/`.
    name: &'static str,
    /// A headline.
    title: &'static str,
    /// Whether no export is ever mixed or broken, neither for those who write nor for those who download.
    must_be_safe: bool,
    /// The explanation, in Markdown.
    explanation: String,
    /// What the schedules of two who export lead to, engine by engine.
    expected: &'static [Expectation],
    /// What the schedules of one who downloads and one who exports lead to.
    expected_with_reader: &'static [Expectation],
    /// The file that runs.
    source: &'static str,
}

impl ExportCard {
    fn new(strategy: &exports::Strategy, engine: &Engine) -> Self {
        let card = strategy.card;
        Self {
            exhibit: "exports",
            name: strategy.short_name,
            title: card.title,
            must_be_safe: strategy.must_be_safe_on(engine),
            explanation: card.explanation(),
            expected: card.expected,
            expected_with_reader: strategy.with_reader,
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
pub(super) async fn list(State(app): State<Arc<App>>) -> Json<Strategies> {
    let engine = app.database.engine();
    let strategies = STRATEGIES
        .iter()
        .map(|strategy| StrategyCard::new(strategy, engine))
        .collect();
    let statements = READERS
        .iter()
        .map(|reader| StatementCard::new(reader, engine))
        .collect();
    let orders = orders::STRATEGIES
        .iter()
        .map(|strategy| OrderCard::new(strategy, engine))
        .collect();
    let exports = exports::STRATEGIES
        .iter()
        .map(|strategy| ExportCard::new(strategy, engine))
        .collect();
    Json(Strategies {
        engine: engine.clone(),
        strategies,
        statements,
        orders,
        exports,
    })
}
