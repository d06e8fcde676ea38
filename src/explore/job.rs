//! One exploration as a job: subjects on one engine or on all of them, at one level or at all.
//!
//! A job owns its data and tells what happens as [`Event`]s. A consumer, be it a terminal or a
//! page, needs nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::crew::open_all;
use super::places::{Place, modes, places};
use super::{
    About, Broken, Event, Events, Exploration, Exploring, JobError, Plan, Stop, Subject, Tally,
    explore,
};
use crate::engine::choice::{self, ChoiceError, DatabaseUrl, Lifetime, OpenDatabase, Wanted};
use crate::engine::local;
use crate::engine::{Database, Flavour, LaneKind, Lanes, OpenError, Scratch, Settings};

/// One exploration.
#[derive(Debug, Clone)]
pub struct Job {
    /// What is explored.
    pub subjects: Vec<Arc<Subject>>,
    /// Where it is explored.
    pub place: Place,
    /// The search plan. `instances` below overrides the plan's.
    pub plan: Plan,
    /// Whether it was asked for a reduction, or for none. Otherwise each subject's number of
    /// clients decides whether its search is reduced.
    pub is_reduction_asked: bool,
    /// Whether it was asked for all schedules. Otherwise a subject's own search decides: see
    /// [`OwnSearch`](super::OwnSearch).
    pub are_all_asked: bool,
    /// The number of instances of the service. None explores each number that can make a
    /// difference.
    pub instances: Option<usize>,
    /// The largest number of runs at once. None stands for [`PARALLEL`], or for what a subject
    /// says.
    pub parallel: Option<usize>,
    /// Whether the subjects of users run in the database that was opened, and not beside it.
    pub in_place: bool,
    /// Ends the job early.
    pub stop: Arc<Stop>,
}

/// The largest number of runs at once, unless told otherwise. Enough for them to share the engine's
/// commits.
pub const PARALLEL: usize = 8;

impl Job {
    /// Runs the job to its end.
    pub async fn run(&self, events: Events<'_>) -> Exploration {
        let mut exploration = Exploration::default();
        let result = match &self.place {
            Place::On(database) => {
                let mut session = JobSession::new(self, events, &mut exploration);
                session.explore(database, |_| true).await
            }
            Place::Beside {
                database,
                settings,
                every_level,
            } => {
                self.beside(database, settings, *every_level, events, &mut exploration)
                    .await
            }
            Place::OneEngine(wanted, settings) => {
                self.on_one_engine(wanted, settings, events, &mut exploration)
                    .await
            }
            Place::EveryEngine(url, settings) => {
                self.on_every_engine(url.as_ref(), settings, events, &mut exploration)
                    .await
            }
        };
        exploration.error = result.err();
        events(Event::Ended(
            exploration.error.as_ref().map(JobError::to_string),
        ));
        exploration
    }

    async fn beside(
        &self,
        database: &Database,
        settings: &Settings,
        every_level: bool,
        events: Events<'_>,
        exploration: &mut Exploration,
    ) -> Result<(), JobError> {
        let database = database.with(settings).await?;
        let mut session = JobSession::new(self, events, exploration);
        let asked = Settings {
            isolation: settings.isolation.filter(|_| !every_level),
            ..*settings
        };
        let result = if every_level {
            session.in_every_mode(&database, false, &asked).await
        } else {
            session.beside(&database, false).await
        };
        database.close().await;
        result
    }

    /// Whether several modes or levels are explored.
    fn has_several_levels(&self) -> bool {
        match &self.place {
            Place::EveryEngine(..) => true,
            Place::Beside { every_level, .. } => *every_level,
            Place::On(_) | Place::OneEngine(..) => false,
        }
    }

    async fn on_one_engine(
        &self,
        wanted: &Wanted,
        settings: &Settings,
        events: Events<'_>,
        exploration: &mut Exploration,
    ) -> Result<(), JobError> {
        let note = |line: &str| events(Event::Note(line.to_owned()));
        let opening = choice::open_wanted(wanted, Lifetime::Temporary, settings, &note);
        let Some(opened) = self.stop.or(opening).await else {
            return Ok(());
        };
        let opened = opened?;
        let mut session = JobSession::new(self, events, exploration);
        let result = session.beside(&opened.database, opened.is_private()).await;
        // A private server that has ended says why, and that is the better explanation.
        opened.close().await?;
        result
    }

    async fn on_every_engine(
        &self,
        url: Option<&DatabaseUrl>,
        settings: &Settings,
        events: Events<'_>,
        exploration: &mut Exploration,
    ) -> Result<(), JobError> {
        let note = |line: &str| events(Event::Note(line.to_owned()));
        let mut first_error = None;
        for (url, place) in places(url, settings) {
            if self.stop.is_stopped() {
                break;
            }
            let opening = choice::open_as_it_is(Some(&url), Lifetime::Temporary, &place, &note);
            let Some(opened) = self.stop.or(opening).await else {
                break;
            };
            let mut session = JobSession::new(self, events, exploration);
            if let Err(error) = session.on_an_engine(opened, settings).await {
                let missing = format!("{url}: {error}");
                events(Event::Missing(missing.clone()));
                exploration.missing.push(missing);
                let is_not_here = matches!(
                    &error,
                    JobError::Engine(ChoiceError::Local(local::Error::NotFound { .. }))
                );
                if !is_not_here {
                    // The other engines have nothing to do with it.
                    first_error.get_or_insert(error);
                }
            }
        }
        first_error.map_or(Ok(()), Err)
    }
}

/// A job at work on one engine.
struct JobSession<'j> {
    job: &'j Job,
    events: Events<'j>,
    exploration: &'j mut Exploration,
    /// Whether it was said that there are fewer lanes than wanted. It is said once.
    noted_lanes: bool,
}

impl<'j> JobSession<'j> {
    fn new(job: &'j Job, events: Events<'j>, exploration: &'j mut Exploration) -> Self {
        Self {
            job,
            events,
            exploration,
            noted_lanes: false,
        }
    }

    fn note(&self, line: String) {
        (self.events)(Event::Note(line));
    }

    /// Explores on the database that was opened or, if that one has other users, beside it.
    async fn beside(&mut self, opened: &Database, is_private: bool) -> Result<(), JobError> {
        let scratch = self.scratch(opened, is_private).await?;
        let ground = scratch.as_ref().map_or(opened, |it| &it.database);
        let result = self.explore(ground, |_| true).await;
        self.close_scratch(scratch, result).await
    }

    async fn on_an_engine(
        &mut self,
        opened: Result<OpenDatabase, ChoiceError>,
        asked: &Settings,
    ) -> Result<(), JobError> {
        let opened = opened?;
        let is_private = opened.is_private();
        let result = self
            .in_every_mode(&opened.database, is_private, asked)
            .await;
        // A private server that has ended says why, and that is the better explanation.
        opened.close().await?;
        result
    }

    async fn in_every_mode(
        &mut self,
        opened: &Database,
        is_private: bool,
        asked: &Settings,
    ) -> Result<(), JobError> {
        let scratch = self.scratch(opened, is_private).await?;
        let ground = scratch.as_ref().map_or(opened, |it| &it.database);
        // An application chooses its level itself.
        let mut result = self.explore(ground, About::chooses_its_level).await;
        for settings in modes(ground, asked) {
            if result.is_err() || self.job.stop.is_stopped() {
                break;
            }
            result = match ground.with(&settings).await {
                Ok(database) => {
                    let explored = self.explore(&database, |it| !it.chooses_its_level());
                    let explored = explored.await;
                    database.close().await;
                    explored
                }
                Err(error) => Err(error.into()),
            };
        }
        self.close_scratch(scratch, result).await
    }

    /// Explores the subjects that are wanted on one database at one level.
    async fn explore(
        &mut self,
        database: &Database,
        is_wanted: impl Fn(&About) -> bool,
    ) -> Result<(), JobError> {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let subjects = self.job.subjects.iter();
        for subject in subjects.filter(|it| is_wanted(&it.about)) {
            match subject.about.is_not_for(database.engine()) {
                None => {
                    let is_whole = subject.fixtures.lane_kind() == LaneKind::WholeDatabase;
                    let clients = subject.about.clients(self.job.plan.clients);
                    groups.entry((is_whole, clients)).or_default().push(subject);
                }
                // The empty cell of a matrix says it.
                Some(_) if self.job.has_several_levels() => {}
                Some(why) => self.leave_out(format!(
                    "{} on {}: {why}",
                    subject.about.name,
                    database.engine()
                )),
            }
        }
        for ((is_whole, clients), subjects) in groups {
            let kind = if is_whole && self.job.in_place {
                LaneKind::InPlace
            } else if is_whole {
                LaneKind::WholeDatabase
            } else {
                LaneKind::Rows
            };
            self.explore_in_lanes(database, kind, clients, &subjects)
                .await?;
        }
        Ok(())
    }

    fn leave_out(&mut self, missing: String) {
        (self.events)(Event::Missing(missing.clone()));
        self.exploration.missing.push(missing);
    }

    async fn explore_in_lanes(
        &mut self,
        database: &Database,
        kind: LaneKind,
        clients: usize,
        subjects: &[&Arc<Subject>],
    ) -> Result<(), JobError> {
        let wanted = subjects.iter();
        let wanted = wanted.map(|it| self.job.parallel(it, database.engine()));
        let wanted = wanted.max().unwrap_or(1);
        let lanes = database.lanes(clients, wanted, kind).await?;
        self.must_have_a_lane(&lanes, clients, wanted)?;
        let mut result = lanes.must_show_waits(clients).await.map_err(JobError::from);
        for subject in subjects {
            let found_before = self.exploration.findings.len();
            let broken_before = self.exploration.broken.len();
            for plan in self.job.plans(subject) {
                if result.is_err() || self.job.stop.is_stopped() {
                    break;
                }
                result = match self.explore_one(&lanes, subject, &plan).await {
                    // Another user's subject may be right.
                    Err(JobError::Run(name, error)) if subject.about.scenario.is_some() => {
                        self.exploration.broken.push(format!("{name}: {error}"));
                        Ok(())
                    }
                    ended => ended,
                };
            }
            // The next one works on the same lanes. What this one keeps there would be in its way.
            for lane in &lanes.lanes {
                let Err(fault) = subject.fixtures.close(&lane.database).await else {
                    continue;
                };
                let is_broken = self.exploration.broken.len() > broken_before;
                if subject.about.scenario.is_some() && result.is_ok() && !is_broken {
                    // What a run has left was not brought back, so the next one has begun with it.
                    self.exploration.findings.truncate(found_before);
                    let (name, engine) = (&subject.about.name, lane.database.engine());
                    let broken = format!("{name}, on {engine}: {}", fault.message);
                    self.exploration.broken.push(broken);
                } else if !is_broken {
                    result = result.and(Err(OpenError::from(fault).into()));
                }
            }
        }
        let closed = lanes.close().await;
        self.and_closed(result, closed)
    }

    async fn explore_one(
        &mut self,
        lanes: &Lanes,
        subject: &Arc<Subject>,
        plan: &Plan,
    ) -> Result<(), JobError> {
        let exploring = Exploring {
            subject: subject.about.name.clone(),
            engine: lanes.lanes[0].database.engine().clone(),
            instances: plan.instances,
        };
        if let Some(rehearsal) = &subject.rehearsal {
            (self.events)(Event::Rehearsing(exploring.clone()));
            let rehearsed = rehearsal.rehearse(subject, &lanes.lanes[0].database);
            let Some(rehearsed) = self.job.stop.or(rehearsed).await else {
                return Ok(());
            };
            if let Err(Broken { place, why }) = rehearsed {
                let (subject, engine) = (&exploring.subject, &exploring.engine);
                let place = place.map(|(line, column)| format!(":{line}:{column}"));
                let place = place.unwrap_or_default();
                let broken = format!("{subject}{place}, on {engine}: {why}");
                self.exploration.broken.push(broken);
                return Ok(());
            }
        }
        (self.events)(Event::Started(exploring.clone()));
        let progress = |tally: &Tally, done: f64| {
            (self.events)(Event::Progress {
                exploring: exploring.clone(),
                schedules: tally.schedules,
                verdicts: tally.verdicts.clone(),
                done,
            });
        };
        let most = match subject.fixtures.is_alone() {
            true => 1,
            false => self.job.parallel(subject, &exploring.engine),
        };
        let used = &lanes.lanes[..most.min(lanes.lanes.len())];
        if self.job.parallel.is_some() {
            // This number was asked for. Without a number, lanes are opened when they are worth it.
            let Some(opened) = self.job.stop.or(open_all(used, subject)).await else {
                return Ok(());
            };
            opened.map_err(|fault| JobError::Run(exploring.subject.clone(), fault.into()))?;
        }
        let exploring_it = explore(used, subject, plan, &self.job.stop, &progress);
        let (finding, ended) = exploring_it.await;
        (self.events)(Event::Found(Box::new(finding.clone())));
        self.exploration.findings.push(finding);
        ended.map_err(|error| JobError::Run(exploring.subject, error))
    }

    fn must_have_a_lane(
        &mut self,
        lanes: &Lanes,
        clients: usize,
        wanted: usize,
    ) -> Result<(), JobError> {
        let Some(because) = &lanes.fewer_because else {
            return Ok(());
        };
        let count = lanes.lanes.len();
        if count == 0 {
            return Err(JobError::TooFewConnections {
                clients,
                because: because.clone(),
            });
        }
        if !self.noted_lanes {
            self.note(format!(
                "{count} instead of {wanted} runs at once: {because}"
            ));
            self.noted_lanes = true;
        }
        Ok(())
    }

    /// Makes a database beside the one that was opened, if that one has other users.
    async fn scratch(
        &self,
        opened: &Database,
        is_private: bool,
    ) -> Result<Option<Scratch>, OpenError> {
        opened.must_be_direct()?;
        if self.job.in_place {
            return Ok(None);
        }
        let is_innodb = matches!(opened.engine().flavour, Flavour::MySql | Flavour::MariaDb);
        if !is_innodb {
            // Each lane brings its own tables.
            return Ok(None);
        }
        if is_private {
            opened.migrate().await?;
            return Ok(None);
        }
        let scratch = opened.scratch().await?;
        self.note(format!(
            "exploring in a database of its own: {}",
            scratch.name()
        ));
        Ok(Some(scratch))
    }

    async fn close_scratch(
        &self,
        scratch: Option<Scratch>,
        result: Result<(), JobError>,
    ) -> Result<(), JobError> {
        match scratch {
            Some(scratch) => self.and_closed(result, scratch.close().await),
            None => result,
        }
    }

    /// The first error is the one to return. What was left behind after it is said all the same.
    fn and_closed(
        &self,
        result: Result<(), JobError>,
        closed: Result<(), OpenError>,
    ) -> Result<(), JobError> {
        if let (Err(_), Err(left)) = (&result, &closed) {
            self.note(left.to_string());
        }
        result.and(closed.map_err(JobError::from))
    }
}
