//! The ends of runs, so that a reduced search can be compared with one of all schedules.
//!
//! An end is all that can be told of a run afterwards: the rows of all tables, and of each client
//! its outcome, its fault and the values that it has captured. It takes the place of the verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use racy::engine::{Database, Fault, Lane, LaneKind, Lanes, Layout};
use racy::explore::{
    Ablation, ClientResult, Finding, Fixture, Judge, Judgement, Pending, Plan, Reduction,
    Schedules, Stop, Subject, explore,
};
use racy::scenarios::Options;
use racy::verdict::{Anomaly, Verdict};
use tokio::sync::OnceCell;

use super::generated::SPLITS;
use super::subject;

/// The lanes in which searches run.
pub struct Ground {
    lanes: Lanes,
}

/// What two searches have led to.
#[derive(Debug)]
pub enum Comparison {
    /// The same ends, and how many; and the numbers of runs: of all schedules, and of the reduced
    /// search.
    Same { ends: u64, all: u64, reduced: u64 },
    /// There are more schedules than a test has time for.
    TooLong,
    /// They cannot be compared, because a search says itself that it is not complete.
    Incomparable(String),
    /// Not all runs could be repeated, and what is left is the same.
    Unrepeatable(String),
    /// The reduced search has missed ends, or has found ends that are not there.
    Different(Box<Difference>),
}

/// How the ends of a reduced search differ from those of all schedules.
#[derive(Debug)]
pub struct Difference {
    /// Ends that the reduced search has missed, each with a schedule that leads to it.
    pub missed: Vec<String>,
    /// Ends that only the reduced search has found.
    pub added: Vec<String>,
}

impl Ground {
    /// Each lane is set up for each script, and most scripts have few schedules.
    const LANES: usize = 2;

    /// The lanes for this number of clients on this database.
    pub async fn on(database: &Database, clients: usize) -> Self {
        let lanes = database.lanes(clients, Self::LANES, LaneKind::WholeDatabase);
        Self {
            lanes: lanes.await.unwrap(),
        }
    }

    pub async fn close(self) {
        self.lanes.close().await.unwrap();
    }

    /// Compares the ends of a reduced search of this scenario with those of all schedules.
    pub async fn compare(&self, text: &str, reduction: Reduction) -> Comparison {
        let subject = judged_by_its_ends(text);
        let first = match self.both(&subject, reduction).await {
            Ok(both) => both,
            Err(comparison) => return comparison,
        };
        if first.is_same() {
            return first.same();
        }
        // A deadlock may have another victim, so what differs must differ again.
        let second = match self.both(&subject, reduction).await {
            Ok(both) => both,
            Err(comparison) => return comparison,
        };
        let missed = &first.missed() & &second.missed();
        let added = &first.added() & &second.added();
        let difference = Difference {
            missed: missed.into_iter().map(|it| second.example(it)).collect(),
            added: added.into_iter().map(|it| second.example(it)).collect(),
        };
        if difference.missed.is_empty() && difference.added.is_empty() {
            return Comparison::Unrepeatable(format!("{:?}", first.missed()));
        }
        Comparison::Different(Box::new(difference))
    }

    async fn both(&self, subject: &Arc<Subject>, reduction: Reduction) -> Result<Both, Comparison> {
        Ok(Both {
            all: self
                .search(subject, Schedules::All { preemptions: None })
                .await?,
            reduced: self.search(subject, Schedules::Reduced(reduction)).await?,
        })
    }

    /// More schedules are not run.
    const MOST_RUNS: u64 = 1000;

    async fn search(
        &self,
        subject: &Arc<Subject>,
        schedules: Schedules,
    ) -> Result<Finding, Comparison> {
        let plan = Plan {
            schedules,
            clients: subject.about.clients(2),
            instances: 1,
            limit: Some(Self::MOST_RUNS),
            counterexample_first: false,
        };
        let lanes = self.lanes_for(subject);
        let stop = Stop::default();
        let (finding, ended) = explore(lanes, subject, &plan, &stop, &|_, _| ()).await;
        ended.map_err(|error| Comparison::Incomparable(format!("ended early: {error}")))?;
        if finding.diverged > 0 || finding.waits_not_seen > 0 {
            let why = format!("{} beginnings were not repeated", finding.diverged);
            return Err(Comparison::Incomparable(why));
        }
        if !finding.complete {
            return Err(Comparison::TooLong);
        }
        Ok(finding)
    }

    /// One lane, if runs in different lanes would meet.
    fn lanes_for(&self, subject: &Subject) -> &[Lane] {
        let lanes = &self.lanes.lanes;
        let flavour = lanes[0].database.engine().flavour;
        let scenario = subject.about.scenario.as_ref().unwrap();
        if scenario.alone_on.contains(&flavour) {
            &lanes[..1]
        } else {
            lanes
        }
    }
}

impl Comparison {
    pub fn is_same(&self) -> bool {
        matches!(self, Self::Same { .. })
    }

    /// Whether the reduced search has missed something.
    pub fn has_missed(&self) -> bool {
        matches!(self, Self::Different(difference) if !difference.missed.is_empty())
    }
}

/// A reduction without a part of the relation.
pub fn without(ablation: Ablation) -> Reduction {
    Reduction {
        without: Some(ablation),
    }
}

/// A search of all schedules, and a reduced one.
struct Both {
    all: Finding,
    reduced: Finding,
}

fn ends(finding: &Finding) -> BTreeSet<&'static str> {
    let anomalies = finding.tally.verdicts.keys().filter_map(|it| it.anomaly());
    anomalies.map(|it| it.name).collect()
}

impl Both {
    fn is_same(&self) -> bool {
        ends(&self.all) == ends(&self.reduced)
    }

    fn same(&self) -> Comparison {
        Comparison::Same {
            ends: ends(&self.all).len() as u64,
            all: self.all.tally.schedules,
            reduced: self.reduced.tally.schedules,
        }
    }

    fn missed(&self) -> BTreeSet<&'static str> {
        &ends(&self.all) - &ends(&self.reduced)
    }

    fn added(&self) -> BTreeSet<&'static str> {
        &ends(&self.reduced) - &ends(&self.all)
    }

    /// An end with the simplest run that leads to it.
    fn example(&self, end: &'static str) -> String {
        let findings = [&self.all, &self.reduced];
        let mut examples = findings.into_iter().flat_map(|it| &it.tally.examples);
        let found =
            examples.find(|(verdict, _)| verdict.anomaly().is_some_and(|it| it.name == end));
        let Some((_, example)) = found else {
            return end.to_owned();
        };
        let mut text = format!("schedule {}\n", example.schedule);
        for row in &example.trace.rows {
            let sql = row.step.sql.as_deref().unwrap_or(&row.step.label);
            let _ = writeln!(text, "  {} {sql}: {:?}", row.client, row.what);
        }
        text + end
    }
}

/// The scenario, judged by its ends alone.
fn judged_by_its_ends(text: &str) -> Arc<Subject> {
    let options = Options {
        split_commits: text.starts_with(SPLITS),
        ..Options::default()
    };
    let mut subject = (*subject(text, options)).clone();
    subject.rehearsal = None;
    subject.judge = Arc::new(Ends {
        are_alike: subject.about.clients_are_alike,
        layout: OnceCell::new(),
        known: Mutex::default(),
    });
    Arc::new(subject)
}

/// Judges that each run ends as it ends.
#[derive(Debug)]
struct Ends {
    /// Whether the clients' names make no difference.
    are_alike: bool,
    /// The tables. No script changes them.
    layout: OnceCell<Layout>,
    known: Mutex<BTreeMap<String, &'static Anomaly>>,
}

impl Judge for Ends {
    fn judge<'a>(
        &'a self,
        database: &'a Database,
        _fixture: Fixture,
        results: &'a [ClientResult],
    ) -> Pending<'a, Result<Judgement, Fault>> {
        Box::pin(async move {
            let mut clients: Vec<_> = results.iter().map(client_in_words).collect();
            if self.are_alike {
                clients.sort();
            }
            let layout = self.layout.get_or_try_init(|| database.layout()).await?;
            let rows = rows_in_words(database, layout).await?;
            let end = format!("{}{rows}", clients.concat());
            let mut known = self.known.lock().unwrap();
            let anomaly = *known.entry(end.clone()).or_insert_with(|| {
                let text: &'static str = end.leak();
                Box::leak(Box::new(Anomaly {
                    rank: 1,
                    name: text,
                    title: text,
                    does: "",
                    word: "",
                    meaning: "",
                }))
            });
            Ok(Verdict::Anomaly(anomaly).into())
        })
    }

    fn unexpected(&self, _finding: &Finding) -> Vec<String> {
        Vec::new()
    }
}

fn client_in_words(result: &ClientResult) -> String {
    let fault = result.fault.as_ref().map(|it| (it.kind, &it.code));
    let saw = result.saw.map(|it| it.name);
    let captured: Vec<_> = result
        .captured
        .iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    format!(
        "  client {:?} {fault:?} {saw:?} {} [{}]\n",
        result.outcome,
        result.changed_nothing,
        captured.join(", ")
    )
}

async fn rows_in_words(database: &Database, layout: &Layout) -> Result<String, Fault> {
    let contents = database.contents(layout).await?;
    let mut words = String::new();
    for table in contents.tables {
        let rows = table.rows.iter().map(|row| {
            let values: Vec<_> = row.iter().map(ToString::to_string).collect();
            format!("({})", values.join(" "))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        let _ = writeln!(words, "  {} {}", table.name, rows.concat());
    }
    Ok(words)
}
