//! What must hold: an SQL query that is true, or what the application answers.

use std::collections::BTreeSet;

use toml::Spanned;

use super::anomalies::{EXPECTED_COUNTS, violation};
use super::application::Probe;
use super::by_engine::{ByEngine, EngineName, Texts};
use super::file::{InvariantTable, When};
use super::place::{FileError, SourceFile};
use super::script::{Template, Variables, template, truth};
use super::texts::{mistake_in_text, text_on};
use crate::answer::{Answer, Datum};
use crate::engine::{Database, Fault, Flavour, UserStatement};
use crate::explore::{Client, ClientResult};
use crate::verdict::{Anomaly, Outcome};

/// One invariant of a scenario.
#[derive(Debug)]
pub(super) struct Invariant {
    pub(super) name: String,
    pub(super) when: When,
    pub(super) anomaly: &'static Anomaly,
    asks: Asks,
}

/// The names under which each client captures something. None if they are not known before it runs.
pub(super) type CapturedNames<'c> = [Option<BTreeSet<&'c str>>];

/// How it is asked whether an invariant holds.
#[derive(Debug)]
enum Asks {
    /// By a query.
    Sql(ByEngine<Template>),
    /// By a request to the application.
    Probe(Probe),
}

/// The variables of every invariant, besides what the clients have captured.
const COUNTS: [&str; 3] = ["acknowledged", "refused", "declined"];

impl Invariant {
    pub(super) fn read(
        source: SourceFile<'_>,
        engines: &[EngineName],
        table: &InvariantTable,
        clients: &CapturedNames<'_>,
    ) -> Result<Self, FileError> {
        let asks = match (&table.sql, &table.probe) {
            (Some(sql), None) => Asks::Sql(queries(source, engines, sql, clients)?),
            (None, Some(_)) if table.when == When::EveryCommit => {
                let message = "a `probe` is sent when all clients have come to their end: leave `when` \
                               out";
                return Err(source.mistake(table.name.span().start, message));
            }
            (None, Some(probe)) => Asks::Probe(Probe::read(source, probe)?),
            _ => {
                let message = "an invariant has either `sql` or a `probe` of the application";
                return Err(source.mistake(table.name.span().start, message));
            }
        };
        let name = table.name.get_ref().trim().to_owned();
        if name.is_empty() {
            let message = "`name` is empty: say in a few words what must hold";
            return Err(source.mistake(table.name.span().start, message));
        }
        if EXPECTED_COUNTS.contains(&name.as_str()) {
            let message = format!(
                "`name` is {name:?}, which `expect` counts in any case: say in a few words what must hold"
            );
            return Err(source.mistake(table.name.span().start, message));
        }
        Ok(Self {
            anomaly: violation(&name),
            name,
            when: table.when,
            asks,
        })
    }

    /// The request that asks whether it holds. None if a query does.
    pub(super) fn probe(&self) -> Option<&Probe> {
        match &self.asks {
            Asks::Sql(_) => None,
            Asks::Probe(probe) => Some(probe),
        }
    }

    fn queries(&self) -> impl Iterator<Item = &Template> {
        let queries = match &self.asks {
            Asks::Sql(queries) => Some(queries.iter().map(|(_, query)| query)),
            Asks::Probe(_) => None,
        };
        queries.into_iter().flatten()
    }

    fn query_on(&self, flavour: Flavour) -> Option<&Template> {
        match &self.asks {
            Asks::Sql(queries) => queries.on(flavour),
            Asks::Probe(_) => None,
        }
    }

    /// Whether it tells the clients apart.
    pub(super) fn names_a_client(&self) -> bool {
        let names = self.queries().flat_map(Template::names);
        names.into_iter().any(|it| it.contains('.'))
    }

    /// Whether it is about what the clients have done, so that it says nothing before they have.
    pub(super) fn is_about_clients(&self) -> bool {
        self.queries().any(|sql| sql.names().next().is_some())
    }

    /// How it is asked on this engine, as it is written.
    pub(super) fn text_on(&self, flavour: Flavour) -> Option<String> {
        match &self.asks {
            Asks::Sql(queries) => queries.on(flavour).map(|it| it.text().to_owned()),
            Asks::Probe(probe) => Some(format!("-- {}", probe.in_words())),
        }
    }

    /// The same with `?` in the place of each value.
    pub(super) fn shape_on(&self, flavour: Flavour) -> Option<String> {
        match &self.asks {
            Asks::Sql(queries) => {
                let query = UserStatement::new(queries.on(flavour)?.text(), flavour);
                Some(query.shape(flavour))
            }
            Asks::Probe(probe) => Some(format!("-- {}", probe.without_values())),
        }
    }

    /// Asks whether it holds, in a transaction of its own at READ COMMITTED.
    pub(super) async fn holds(
        &self,
        database: &Database,
        results: &[ClientResult],
    ) -> Result<bool, Fault> {
        let sql = self.filled(database.engine().flavour, results)?;
        let answer = database.ask_apart(&sql).await.map_err(|fault| Fault {
            message: format!("the invariant {:?}: {}", self.name, fault.message),
            ..fault
        })?;
        self.truth_of(&answer)
    }

    /// The query with the values that these clients have led to. What a client has not captured is
    /// NULL.
    pub(super) fn filled(
        &self,
        flavour: Flavour,
        results: &[ClientResult],
    ) -> Result<String, Fault> {
        let Some(sql) = self.query_on(flavour) else {
            return Err(self.complaint(&format!("has no query for {flavour}")));
        };
        let mut variables = variables(results);
        for name in sql.names().filter(|it| it.contains('.')) {
            if variables.get(name).is_none() {
                variables.set(name, Datum::Null);
            }
        }
        let filled = sql.fill(&variables, flavour);
        filled.map_err(|unset| self.complaint(&unset.to_string()))
    }

    fn truth_of(&self, answer: &Answer) -> Result<bool, Fault> {
        let value = match (&answer.rows[..], answer.row_count) {
            ([row], 1) if row.len() == 1 => &row[0],
            ([], _) => return Err(self.complaint("returned no row; it must return one boolean")),
            ([row], 1) => {
                let count = row.len();
                return Err(self.complaint(&format!("returned {count} columns instead of one")));
            }
            (_, count) => {
                return Err(self.complaint(&format!("returned {count} rows instead of one")));
            }
        };
        match value {
            Datum::Null => Err(self.complaint(
                "is NULL, which is neither true nor false; COALESCE says what that means",
            )),
            Datum::Value { text, .. } => truth(text)
                .ok_or_else(|| self.complaint(&format!("returned {text:?}, which is no boolean"))),
        }
    }

    fn complaint(&self, what: &str) -> Fault {
        Fault::other(format!("the invariant {:?} {what}", self.name))
    }
}

/// The queries of an invariant.
fn queries(
    source: SourceFile<'_>,
    engines: &[EngineName],
    sql: &Spanned<Texts>,
    clients: &CapturedNames<'_>,
) -> Result<ByEngine<Template>, FileError> {
    ByEngine::make(engines, |engine| {
        let text = text_on(source, sql, engine, "sql")?;
        let read = text.get_ref().trim().trim_end_matches(';');
        let read = template(read, engine.flavour());
        let read = read.map_err(|error| mistake_in_text(source, &text, engine, sql, &error))?;
        must_know_variables(source, &text, &read, clients)?;
        Ok(read)
    })
}

/// An invariant's variables must be counts or values that a client captures: `:A.used`.
fn must_know_variables(
    source: SourceFile<'_>,
    text: &Spanned<String>,
    sql: &Template,
    clients: &CapturedNames<'_>,
) -> Result<(), FileError> {
    for name in sql.names() {
        if let Some(message) = why_unknown(name, clients) {
            let at = source.begin_of_text(&text.span());
            let written = format!(":{name}");
            let mut found = text.get_ref().match_indices(&written);
            // The beginning of a longer name is another one.
            let is_whole = |at: usize| {
                let behind = text.get_ref()[at + written.len()..].chars().next();
                !behind.is_some_and(|it| it.is_alphanumeric() || it == '_')
            };
            let within = found.find(|(at, _)| is_whole(*at)).map_or(0, |(at, _)| at);
            return Err(source.mistake(at + within, message));
        }
    }
    Ok(())
}

/// Why an invariant cannot have this variable, and what it can have. None if it can.
fn why_unknown(name: &str, clients: &CapturedNames<'_>) -> Option<String> {
    let (letter, captured) = name.split_once('.').unwrap_or(("", name));
    let mut all = Client::first(clients.len());
    let client = all.find(|it| it.to_string() == letter);
    match client {
        None if letter.is_empty() && COUNTS.contains(&captured) => None,
        None => {
            let last = Client::first(clients.len()).last();
            let last = last.map(|it| it.to_string()).unwrap_or_default();
            Some(format!(
                "an invariant has no variable :{name}; it has :acknowledged, :refused, :declined, \
                 and what clients A to {last} have captured, e.g. :A.{captured}"
            ))
        }
        Some(client) => {
            let known = clients[client.index()].as_ref()?;
            if known.contains(captured) {
                return None;
            }
            let known: Vec<_> = known.iter().map(|it| format!(":{client}.{it}")).collect();
            let has = if known.is_empty() {
                format!("client {client} captures nothing")
            } else {
                format!("what client {client} captures is {}", known.join(", "))
            };
            Some(format!("an invariant has no variable :{name}; {has}"))
        }
    }
}

/// The variables that an invariant can use, after these clients have come to their end.
fn variables(results: &[ClientResult]) -> Variables {
    let mut variables = Variables::default();
    let count = |is_it: &dyn Fn(&ClientResult) -> bool| {
        Datum::number(results.iter().filter(|it| is_it(it)).count())
    };
    variables.set("acknowledged", count(&|it| it.outcome == Outcome::Applied));
    variables.set("refused", count(&|it| it.fault.is_some()));
    variables.set(
        "declined",
        count(&|it| it.outcome != Outcome::Applied && it.fault.is_none()),
    );
    for (client, result) in Client::first(results.len()).zip(results) {
        for (name, value) in &result.captured {
            variables.set(format!("{client}.{name}"), value.clone());
        }
    }
    variables
}
