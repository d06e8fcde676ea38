//! What a visitor asks to be explored, read field by field.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::console::corpus;
use crate::console::runs::form::{self, BadField};
use crate::engine::{Flavour, Isolation};
use crate::exhibits::{self, EXHIBITS};
use crate::explore::{Plan, PlanRequest, PolicyName, Subject, UnfitRequest};
use crate::scenarios::{FileError, Options, Scenario};

/// The names of the form's fields. `id` and `token` name the record; those behind them are what is
/// [`ASKED`].
pub const FIELDS: &[&str] = &[
    "id",
    "token",
    "what",
    "strategy",
    "exhibit",
    "scenario",
    "clients",
    "isolation",
    "instances",
    "policy",
    "seed",
    "runs",
    "schedule",
    "limit",
    "preemptions",
    "reduction",
];

/// All that an exploration is asked for with, from `what` on.
pub const ASKED: &[&str] = FIELDS.split_at(2).1;

/// What the page's form of a strategy carries and does not show, from `instances` on.
pub const CARRIED: &[&str] = FIELDS.split_at(8).1;

/// The most clients that a visitor may ask for.
pub const MOST_CLIENTS: usize = 4;

/// The largest scenario that is read, in bytes.
pub const MOST_SCENARIO_BYTES: usize = 64 * 1024;

/// The most schedules of each subject, and how many are run unless the visitor says so.
const MOST_SCHEDULES: u64 = 20_000;

/// The most preemptions that a visitor may name. Few races need more than two.
const MOST_PREEMPTIONS: u64 = 100;

/// What is explored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// One strategy.
    Strategy,
    /// All strategies of an exhibit.
    Exhibit,
    /// A scenario of the corpus.
    Scenario,
    /// A scenario that a user has brought.
    Text,
    /// All strategies, at every level.
    Matrix,
}

/// An exploration as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplorationPlan {
    /// What is explored.
    pub what: What,
    /// The name of the strategy, the exhibit or the scenario. Empty for the matrix.
    pub name: String,
    /// The number of clients of a strategy.
    pub clients: usize,
    /// The isolation level. None for the lab's own.
    pub isolation: Option<Isolation>,
    /// The schedule that is replayed. None if there are several.
    pub schedule: Option<String>,
    /// The most schedules of each subject.
    pub limit: u64,
    /// The most preemptions of a schedule. None if there is no bound, and in older records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preemptions: Option<usize>,
    /// Whether a reduction was asked for. None if the number of clients decides, and in older
    /// records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduction: Option<bool>,
}

impl ExplorationPlan {
    /// What is explored, in words.
    pub fn in_words(&self) -> String {
        let what = match self.what {
            What::Strategy | What::Text | What::Scenario => self.name.clone(),
            What::Exhibit => format!("all of {}", self.name),
            What::Matrix => "all strategies at every level".to_owned(),
        };
        let clients = match (self.what, self.clients) {
            (What::Strategy | What::Exhibit, clients) if clients != 2 => {
                format!(", {clients} clients")
            }
            _ => String::new(),
        };
        let level = match (self.what, self.isolation) {
            (What::Matrix, _) | (_, None) => String::new(),
            (_, Some(level)) => format!(" at {level}"),
        };
        let bound = match self.preemptions {
            None => "",
            Some(0) => ", without a preemption",
            Some(1) => ", at most 1 preemption",
            Some(most) => &format!(", at most {most} preemptions"),
        };
        let reduction = match self.reduction {
            None => "",
            Some(true) => ", reduced",
            Some(false) => ", not reduced",
        };
        format!("{what}{clients}{level}{bound}{reduction}")
    }

    /// How long it may take.
    pub(super) fn longest(&self) -> Duration {
        match self.what {
            What::Strategy | What::Scenario | What::Text => Duration::from_secs(120),
            What::Exhibit => Duration::from_secs(300),
            What::Matrix => Duration::from_secs(900),
        }
    }
}

/// An exploration that can begin.
#[derive(Debug, Clone)]
pub struct ExplorationRequest {
    /// What was asked for.
    pub plan: ExplorationPlan,
    pub(super) subjects: Vec<Arc<Subject>>,
    pub(super) search: Plan,
    pub(super) instances: Option<usize>,
}

/// Why something cannot be explored as it was asked for.
#[derive(Debug)]
pub enum UnfitExploration {
    /// A field.
    Field(BadField),
    /// Fields that do not fit together.
    Plan(UnfitRequest),
    /// A scenario.
    File(FileError),
}

impl fmt::Display for UnfitExploration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(bad) => bad.fmt(f),
            Self::Plan(unfit) => write!(f, "The field {:?} {unfit}.", unfit.field()),
            Self::File(error) => error.fmt(f),
        }
    }
}

impl UnfitExploration {
    /// The field that is wrong. None if it is a scenario's text.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Field(bad) => Some(bad.name),
            Self::Plan(unfit) => Some(unfit.field()),
            Self::File(_) => None,
        }
    }
}

impl From<BadField> for UnfitExploration {
    fn from(bad: BadField) -> Self {
        Self::Field(bad)
    }
}

/// Reads the fields of a form. `take` returns a field's text; an empty one counts as missing.
pub fn of_form(
    mut take: impl FnMut(&'static str) -> Option<String>,
    flavour: Flavour,
) -> Result<ExplorationRequest, UnfitExploration> {
    let mut text = |name| {
        let text = take(name).map(|it| it.trim().to_owned());
        text.filter(|it| !it.is_empty())
    };
    let what = what(text("what"))?;
    let (name, subjects) = match what {
        What::Strategy => strategy(text("strategy"))?,
        What::Exhibit => exhibit(text("exhibit"))?,
        What::Scenario => scenario(text("scenario"))?,
        What::Matrix => (String::new(), exhibits::subjects()),
        What::Text => {
            return Err(bad("what", Some("text".to_owned()), "brought at /scenarios").into());
        }
    };
    let policy = text("policy");
    let asked = PlanRequest {
        clients: number("clients", text("clients"), 1, MOST_CLIENTS as u64)?.unwrap_or(2) as usize,
        instances: number("instances", text("instances"), 1, MOST_CLIENTS as u64)?
            .map(|it| it as usize),
        policy: policy.map(self::policy).transpose()?,
        seed: number("seed", text("seed"), 0, u64::MAX)?,
        runs: number("runs", text("runs"), 1, MOST_SCHEDULES)?.map(|it| it as u32),
        schedule: text("schedule"),
        limit: number("limit", text("limit"), 1, MOST_SCHEDULES)?,
        preemptions: number("preemptions", text("preemptions"), 0, MOST_PREEMPTIONS)?
            .map(|it| it as usize),
        reduction: reduction(text("reduction"))?,
        strategies: subjects.len(),
        matrix: what == What::Matrix,
    };
    let isolation = form::isolation(text("isolation"), flavour)?;
    request(what, name, subjects, asked, isolation)
}

/// The scenario that a user has brought. `name` is the file's.
pub fn of_text(name: &str, text: &str) -> Result<ExplorationRequest, UnfitExploration> {
    if text.len() > MOST_SCENARIO_BYTES {
        let length = format!("{} bytes", text.len());
        let right = format!("at most {MOST_SCENARIO_BYTES} bytes");
        return Err(bad("scenario", Some(length), right).into());
    }
    let subject = subject_of(name, text)?;
    let asked = PlanRequest {
        clients: 2,
        strategies: 1,
        ..PlanRequest::default()
    };
    request(What::Text, name.to_owned(), vec![subject], asked, None)
}

fn request(
    what: What,
    name: String,
    subjects: Vec<Arc<Subject>>,
    asked: PlanRequest,
    isolation: Option<Isolation>,
) -> Result<ExplorationRequest, UnfitExploration> {
    let clients = match &subjects[..] {
        [only] => only.about.clients(asked.clients),
        _ => asked.clients,
    };
    let asked = PlanRequest { clients, ..asked };
    let limit = asked.limit.unwrap_or(MOST_SCHEDULES);
    let search = asked.plan().map_err(UnfitExploration::Plan)?;
    Ok(ExplorationRequest {
        plan: ExplorationPlan {
            what,
            name,
            clients,
            isolation,
            preemptions: asked.preemptions,
            reduction: asked.reduction,
            schedule: asked.schedule,
            limit,
        },
        subjects,
        search: Plan {
            limit: Some(limit),
            ..search
        },
        instances: asked.instances,
    })
}

fn what(text: Option<String>) -> Result<What, BadField> {
    Ok(match text.as_deref() {
        None | Some("strategy") => What::Strategy,
        Some("exhibit") => What::Exhibit,
        Some("scenario") => What::Scenario,
        Some("matrix") => What::Matrix,
        Some(_) => {
            let right = "one of strategy, exhibit, scenario, matrix";
            return Err(bad("what", text, right));
        }
    })
}

/// A name, and what stands for it.
type Named = (String, Vec<Arc<Subject>>);

fn strategy(name: Option<String>) -> Result<Named, BadField> {
    match name.as_deref().and_then(exhibits::specimen) {
        Some(it) => Ok((it.full_name().to_owned(), exhibits::subjects_of(it))),
        None => {
            let names: Vec<_> = exhibits::names().collect();
            Err(bad(
                "strategy",
                name,
                format!("one of {}", names.join(", ")),
            ))
        }
    }
}

fn exhibit(name: Option<String>) -> Result<Named, BadField> {
    let found = EXHIBITS.iter().find(|it| Some(it.name) == name.as_deref());
    match found {
        Some(exhibit) => {
            let specimens = (exhibit.specimens)().into_iter();
            let subjects = specimens.flat_map(exhibits::subjects_of);
            Ok((exhibit.name.to_owned(), subjects.collect()))
        }
        None => {
            let names: Vec<_> = EXHIBITS.iter().map(|it| it.name).collect();
            Err(bad("exhibit", name, format!("one of {}", names.join(", "))))
        }
    }
}

fn scenario(path: Option<String>) -> Result<Named, UnfitExploration> {
    let found = path.as_deref().and_then(corpus::find);
    match found.filter(|it| it.path.ends_with(".toml")) {
        Some(file) => Ok((
            file.path.to_owned(),
            vec![subject_of(file.path, file.text)?],
        )),
        None => {
            let right = "a file of the corpus that ends in .toml; /scenarios lists them. Isolation \
                         tests bring their own schedules: `racy explore` runs those";
            Err(bad("scenario", path, right).into())
        }
    }
}

fn subject_of(name: &str, text: &str) -> Result<Arc<Subject>, UnfitExploration> {
    let scenario = Scenario::parse(name, text).and_then(Scenario::without_an_application);
    let subject = scenario.and_then(|it| it.into_subject(Options::default()));
    subject.map(Arc::new).map_err(UnfitExploration::File)
}

fn policy(text: String) -> Result<PolicyName, BadField> {
    Ok(match text.as_str() {
        "exhaustive" => PolicyName::Exhaustive,
        "random" => PolicyName::Random,
        "replay" => PolicyName::Replay,
        _ => {
            return Err(bad(
                "policy",
                Some(text),
                "one of exhaustive, random, replay",
            ));
        }
    })
}

fn reduction(text: Option<String>) -> Result<Option<bool>, BadField> {
    match text.as_deref() {
        None => Ok(None),
        Some("on") => Ok(Some(true)),
        Some("off") => Ok(Some(false)),
        Some(_) => Err(bad("reduction", text, "on or off")),
    }
}

fn number(
    name: &'static str,
    text: Option<String>,
    least: u64,
    most: u64,
) -> Result<Option<u64>, BadField> {
    let Some(text) = text else {
        return Ok(None);
    };
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        Ok(_) | Err(_) => {
            let right = format!("a whole number from {least} to {most}");
            Err(bad(name, Some(text), right))
        }
    }
}

fn bad(name: &'static str, value: Option<String>, right: impl Into<String>) -> BadField {
    BadField {
        name,
        value,
        right: right.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(fields: &[(&'static str, &str)]) -> Result<ExplorationRequest, String> {
        let take = |name| {
            let mut fields = fields.iter();
            let found = fields.find(|(it, _)| *it == name)?;
            Some(found.1.to_owned())
        };
        of_form(take, Flavour::MySql).map_err(|unfit| unfit.to_string())
    }

    #[test]
    fn a_strategy_is_explored_by_two_clients_unless_the_form_says_otherwise() {
        let request = asked(&[("strategy", "atomic_no_delay")]).unwrap();
        assert_eq!(request.plan.in_words(), "atomic_no_delay");
        assert_eq!((request.plan.clients, request.subjects.len()), (2, 1));
        let request = asked(&[
            ("strategy", "atomic_no_delay"),
            ("clients", "3"),
            ("isolation", "READ COMMITTED"),
        ]);
        let words = request.unwrap().plan.in_words();
        assert_eq!(words, "atomic_no_delay, 3 clients at READ COMMITTED");
    }

    #[test]
    fn a_title_names_the_bound_and_the_reduction_that_were_asked_for() {
        for (fields, words) in [
            (&[("preemptions", "1")][..], "at most 1 preemption"),
            (&[("preemptions", "2")], "at most 2 preemptions"),
            (&[("reduction", "on")], "reduced"),
            (
                &[("reduction", "off"), ("preemptions", "0")],
                "without a preemption, not reduced",
            ),
        ] {
            let fields: Vec<_> = [("strategy", "atomic_no_delay")]
                .into_iter()
                .chain(fields.iter().copied())
                .collect();
            let plan = asked(&fields).unwrap().plan;
            assert_eq!(plan.in_words(), format!("atomic_no_delay, {words}"));
            let stored = serde_json::to_value(&plan).unwrap();
            let read: ExplorationPlan = serde_json::from_value(stored).unwrap();
            assert_eq!(read, plan);
        }
    }

    #[test]
    fn a_plan_of_an_older_record_is_read() {
        let stored = serde_json::json!({
            "what": "strategy", "name": "atomic_no_delay", "clients": 2, "isolation": null,
            "schedule": null, "limit": 20_000,
        });
        let plan: ExplorationPlan = serde_json::from_value(stored).unwrap();
        assert_eq!(plan.in_words(), "atomic_no_delay");
    }

    #[test]
    fn the_page_carries_all_that_its_form_does_not_show() {
        assert_eq!(ASKED[0], "what");
        assert_eq!(CARRIED[0], "instances");
        assert_eq!(CARRIED.last(), FIELDS.last());
    }

    #[test]
    fn what_cannot_be_explored_is_refused_in_words() {
        const CASES: [(&[(&str, &str)], &str); 5] = [
            (
                &[],
                "The field \"strategy\" is missing; it has to be one of ",
            ),
            (
                &[("what", "sql")],
                "one of strategy, exhibit, scenario, matrix",
            ),
            (
                &[("strategy", "atomic_no_delay"), ("clients", "9")],
                "The field \"clients\" is \"9\"; it has to be a whole number from 1 to 4.",
            ),
            (
                &[("strategy", "atomic_no_delay"), ("schedule", "A X")],
                "The field \"schedule\" cannot be read: character 3, 'X', is no client",
            ),
            (
                &[
                    ("what", "scenario"),
                    ("scenario", "isolation/write-skew.spec"),
                ],
                "ends in .toml",
            ),
        ];
        for (fields, said) in CASES {
            let refusal = asked(fields).unwrap_err();
            assert!(refusal.contains(said), "{refusal}");
        }
    }

    #[test]
    fn a_scenario_that_is_wrong_is_refused_with_its_line() {
        let refusal = of_text("mine.toml", "title = \"x\"\nclients = 2\n").unwrap_err();
        let refusal = refusal.to_string();
        assert!(refusal.starts_with("mine.toml:2:1: "), "{refusal}");
    }
}
