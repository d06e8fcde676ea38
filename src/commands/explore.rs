//! `racy explore`: every schedule of a strategy's clients, and what was found.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;

use super::build::{BuildArgs, in_repository};
use super::database::{EngineOptions, on_or_off};
use super::isolation_tests::{self, IsolationTests};
use super::progress::ProgressLine;
use super::signals::Signals;
use super::stopping::until_stopped;
use super::subjects::{Mistakes, Named, NamedParser, isolation_test_files, subjects, wanted};
use super::terminal::{complain, print};
use super::{CommandResult, FAILED, log};
use crate::explore::report::{self, Asked, Build, Report};
use crate::explore::{
    self, Client, Event, Exploration, Job, JobError, Place, PlanRequest, PolicyName, Stop, Subject,
};
use crate::scenarios::Options;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Exploring")]
pub(super) struct Args {
    /// The strategies, changes of the keeper or scenario files to explore [default: all
    /// strategies].
    ///
    /// A file ends in .toml; a folder stands for all such files in it. docs/scenarios.md tells how
    /// one is written. A file that ends in .spec is an isolation test of PostgreSQL's format, which
    /// brings its own schedules (docs/isolation-tests.md). A change of the keeper's is explored
    /// beside a deposit by each strategy, which takes minutes.
    #[arg(
        value_name = "STRATEGY|FILE",
        value_parser = NamedParser,
        help_heading = None::<&str>
    )]
    named: Vec<Named>,

    /// How many clients run at once [default: 2; of a scenario: what its file says].
    ///
    /// With three or more, schedules that must end alike are run once for all of them.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u8).range(1..=Client::MOST as i64)
    )]
    clients: Option<u8>,

    /// How many instances of the service serve the clients: 1, or as many as there are clients.
    ///
    /// [default: both, if it makes a difference; with --schedule: 1]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u8).range(1..=Client::MOST as i64)
    )]
    instances: Option<u8>,

    /// Which schedules to run [default: exhaustive; with --schedule: replay].
    #[arg(long, value_name = "POLICY")]
    policy: Option<PolicyName>,

    /// With --policy random: the same seed draws the same schedules [default: 1].
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    /// With --policy random: how many schedules to draw [default: 1000].
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    runs: Option<u32>,

    /// Run this schedule alone: one letter for each step, e.g. 'A A B A B B'.
    ///
    /// Some steps have no letter: thinking, the rollback after a refusal, and giving up a lock in
    /// the process.
    #[arg(long, value_name = "SCHEDULE")]
    schedule: Option<String>,

    /// How many schedules to run at the same time, each on rows of its own [default: 8; of a
    /// scenario with an application: one for each processor, but 2 to 4].
    ///
    /// For each an instance of the application is started, with a database of its own. Without this
    /// option another one is started when the search has taken as long as a start takes.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    parallel: Option<u8>,

    /// Run at most this number of schedules of each strategy.
    ///
    /// Runs that a reduced search breaks off, because another run shows the same, do not count.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Run the schedules with at most this number of preemptions.
    ///
    /// In a preemption a client has to stop although it could go on. Those with the fewest come
    /// first in any case. Most known races need one or two.
    #[arg(long, value_name = "K")]
    preemptions: Option<u8>,

    /// Run all schedules, also of a scenario with an application.
    ///
    /// Without it, its schedules with 0, 1 and 2 preemptions are run in turn, until some go wrong.
    #[arg(long, conflicts_with_all = ["policy", "preemptions", "schedule"])]
    exhaustive: bool,

    /// Of schedules that must end alike, run one [default: on for three clients or more].
    ///
    /// Off with --preemptions, because the one that is run may need more preemptions than another.
    #[arg(long, value_name = "on|off", value_parser = on_or_off)]
    reduction: Option<bool>,

    /// Show what each statement touches, and which statements were taken for independent.
    ///
    /// A reduced search leaves out the other order of two neighbouring statements that are. It also
    /// works with a search that is not reduced.
    #[arg(long)]
    explain_reduction: bool,

    /// Scenarios: make the commit of a statement that writes in autocommit a step of its own.
    ///
    /// The lab adds a begin and a commit around it. So a race is found that happens between the
    /// statement's end and its commit, but not one inside the statement.
    #[arg(long)]
    split_commits: bool,

    /// Scenarios: run in the database of --database-url itself, and not in one beside it.
    ///
    /// The set-up is run before each run, so it has to bring the tables back to their beginning by
    /// itself. What it and the clients write stays there.
    #[arg(long, requires = "database_url")]
    in_place: bool,

    /// Scenarios with an application or a command: how many milliseconds a request or a command may
    /// show no sign [default: 500].
    ///
    /// Then it counts as waiting for something outside the database, such as a lock in the
    /// application, and others move. Nothing else that is explored depends on time.
    #[arg(long, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u32).range(20..=60_000))]
    settle: Option<u32>,

    /// Scenarios with an application or a command: show no value that it sends to its database or
    /// gets, and nothing that it prints.
    ///
    /// Statements, invariants and probes are shown with `?` in the place of each value. The names
    /// of invariants and clients, paths and programs are shown as the file writes them.
    #[arg(long)]
    hide_values: bool,

    /// How to print what was found.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: ExploreFormat,

    /// Explore every engine that is found here, and show a table for each.
    ///
    /// Each engine is explored in every mode and at every isolation level. With --database-url it
    /// is that engine alone, with --isolation that level alone.
    #[arg(long)]
    matrix: bool,

    #[command(flatten)]
    build: BuildArgs,

    #[command(flatten)]
    engine: EngineOptions,
}

/// How to print what the explorer found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExploreFormat {
    /// For a terminal.
    Text,
    /// For programs.
    Json,
    /// For a document.
    Markdown,
    /// For a browser: one page that loads nothing else.
    Html,
    /// JUnit XML, for CI.
    Junit,
}

/// How many clients of a strategy run at once, unless told otherwise.
const CLIENTS: usize = 2;

impl Args {
    pub(super) async fn run(self, signals: Signals) -> CommandResult {
        log::start_for_people()?;
        if let Some(tests) = self.isolation_tests()? {
            let stop = Stop::default();
            return until_stopped(tests.run(&stop), &stop, signals).await;
        }
        self.build.prepare()?;
        match self.job() {
            Ok(job) => until_stopped(self.explore_and_print(&job), &job.stop, signals).await,
            Err(error) => {
                self.tell_of_nothing(&*error)?;
                Err(error)
            }
        }
    }

    /// The isolation test files that are named. They bring their own schedules.
    fn isolation_tests(&self) -> Result<Option<IsolationTests>, Box<dyn Error>> {
        let Some(files) = isolation_test_files(&self.named)? else {
            return Ok(None);
        };
        let is_for_scenarios = self.plan_options().next();
        if let Some(option) = is_for_scenarios {
            return Err(format!("{option} is not for isolation test files").into());
        }
        if self.build.junit.is_some() {
            return Err("isolation test files have no JUnit XML".into());
        }
        let is_json = match self.format {
            ExploreFormat::Text => false,
            ExploreFormat::Json => true,
            ExploreFormat::Markdown | ExploreFormat::Html | ExploreFormat::Junit => {
                return Err("isolation test files have --format text and json".into());
            }
        };
        let urls = match (self.engine.database_url()?, self.matrix) {
            (Some(url), _) => vec![url],
            (None, true) => isolation_tests::every_engine(),
            (None, false) => Vec::new(),
        };
        let settings = self.engine.settings();
        IsolationTests::read(&files, urls, settings, is_json).map(Some)
    }

    /// The options that were given and that choose schedules.
    fn plan_options(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            ("--clients", self.clients.is_some()),
            ("--instances", self.instances.is_some()),
            ("--policy", self.policy.is_some()),
            ("--seed", self.seed.is_some()),
            ("--runs", self.runs.is_some()),
            ("--schedule", self.schedule.is_some()),
            ("--limit", self.limit.is_some()),
            ("--preemptions", self.preemptions.is_some()),
            ("--exhaustive", self.exhaustive),
            ("--reduction", self.reduction.is_some()),
            ("--explain-reduction", self.explain_reduction),
            ("--split-commits", self.split_commits),
            ("--in-place", self.in_place),
            ("--settle", self.settle.is_some()),
            ("--hide-values", self.hide_values),
        ];
        let given = given.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(option, _)| option)
    }

    fn job(&self) -> Result<Job, Box<dyn Error>> {
        let is_for_files = !self.named.is_empty() && self.named.iter().all(Named::is_file);
        let of_files = [
            ("--in-place", self.in_place),
            ("--split-commits", self.split_commits),
            ("--settle", self.settle.is_some()),
            ("--hide-values", self.hide_values),
        ];
        let given = of_files.into_iter().find(|(_, is_given)| *is_given);
        if let Some((option, _)) = given.filter(|_| !is_for_files) {
            return Err(format!("{option} is for scenario files alone").into());
        }
        self.must_show_the_explanation()?;
        let subjects = subjects(&self.named, self.options())?;
        let plan = self.plan_request(&subjects).plan();
        let settings = explore::settings(&self.engine.settings());
        let url = self.engine.database_url()?;
        let wanted = wanted(url.clone(), &subjects);
        Ok(Job {
            subjects,
            place: if self.matrix {
                Place::EveryEngine(url, settings)
            } else {
                Place::OneEngine(wanted, settings)
            },
            plan: plan.map_err(|unfit| format!("--{} {unfit}", unfit.field()))?,
            is_reduction_asked: self.reduction.is_some(),
            are_all_asked: self.exhaustive || self.policy == Some(PolicyName::Exhaustive),
            instances: self.instances.map(usize::from),
            parallel: self.parallel.map(usize::from),
            in_place: self.in_place,
            stop: Arc::default(),
        })
    }

    /// Tables, JUnit XML and pages have no place for what explains the reduction.
    fn must_show_the_explanation(&self) -> Result<(), &'static str> {
        let is_shown = match self.format {
            ExploreFormat::Json => true,
            ExploreFormat::Text | ExploreFormat::Markdown => !self.matrix,
            ExploreFormat::Html | ExploreFormat::Junit => false,
        };
        if self.explain_reduction && !is_shown {
            return Err(
                "--explain-reduction is shown by --format json, and by text and markdown without \
                 --matrix",
            );
        }
        Ok(())
    }

    fn plan_request(&self, subjects: &[Arc<Subject>]) -> PlanRequest {
        let asked = self.clients.map_or(CLIENTS, usize::from);
        let only = match subjects {
            [only] => only.about.clients(asked),
            _ => asked,
        };
        PlanRequest {
            clients: only,
            instances: self.instances.map(usize::from),
            policy: self.policy,
            seed: self.seed,
            runs: self.runs,
            schedule: self.schedule.clone(),
            limit: self.limit,
            preemptions: self.preemptions.map(usize::from),
            reduction: self.reduction,
            strategies: if self.named.iter().any(Named::is_file) {
                // A folder has several.
                subjects.len()
            } else {
                self.named.len()
            },
            matrix: self.matrix,
        }
    }

    fn options(&self) -> Options {
        Options {
            clients: self.clients.map(usize::from),
            split_commits: self.split_commits,
            in_place: self.in_place,
            settle: self
                .settle
                .map_or(Options::SETTLE, |it| Duration::from_millis(it.into())),
            hides_values: self.hide_values,
        }
    }

    async fn explore_and_print(&self, job: &Job) -> CommandResult {
        let exploration = explore(job).await;
        if is_stopped_early(&exploration, job) {
            complain("racy: stopped before the first schedule");
            if !matches!(self.format, ExploreFormat::Json | ExploreFormat::Junit) {
                return Ok(ExitCode::SUCCESS);
            }
        }
        let mut report = Report::of(&exploration);
        if self.explain_reduction {
            report.explain_reduction(&exploration.findings);
        }
        let error = self.error_of(&exploration, job);
        let errors: Vec<_> = error.iter().cloned().collect();
        let build = self.build_of(&report, &errors);
        let has_no_engine = matches!(exploration.error, Some(JobError::Engine(_)))
            && exploration.findings.is_empty()
            && !self.matrix;
        if !has_no_engine || self.format == ExploreFormat::Junit {
            print(&self.render(&build)?)?;
        }
        for missing in &exploration.missing {
            complain(&format!("not run: {missing}"));
        }
        for broken in &exploration.broken {
            complain(&format!("racy: {broken}"));
        }
        self.build.write(&build)?;
        if !exploration.broken.is_empty() {
            return Ok(ExitCode::from(FAILED));
        }
        match error {
            Some(error) => Err(error.into()),
            None if exploration.is_unexpected() => Ok(ExitCode::FAILURE),
            None => Ok(ExitCode::SUCCESS),
        }
    }

    /// Why nothing was explored, or not to the end.
    fn error_of(&self, exploration: &Exploration, job: &Job) -> Option<String> {
        if let Some(error) = &exploration.error {
            return Some(error.to_string());
        }
        if let Some(why) = exploration.without_a_verdict() {
            return Some(why);
        }
        let is_broken = !exploration.broken.is_empty();
        let is_without = exploration.findings.is_empty() && !is_broken && !job.stop.is_stopped();
        is_without.then(|| {
            "nothing was explored: what was asked for makes no sense on this engine, or no engine that \
             is here has that isolation level"
                .to_owned()
        })
    }

    fn build_of<'r>(&self, report: &'r Report, errors: &'r [String]) -> Build<'r> {
        Build {
            report,
            errors,
            asked: Asked {
                clients: self.clients,
                split_commits: self.split_commits,
                in_place: self.in_place,
                settle: self.settle,
            },
            locate: in_repository,
        }
    }

    /// Tells a build why nothing was explored: it would miss the report else.
    fn tell_of_nothing(&self, error: &(dyn Error + 'static)) -> Result<(), Box<dyn Error>> {
        let errors = match error.downcast_ref() {
            Some(Mistakes(mistakes)) => mistakes.clone(),
            None => vec![error.to_string()],
        };
        let report = Report::of_findings(&[], Vec::new());
        let build = self.build_of(&report, &errors);
        if self.format == ExploreFormat::Junit {
            print(&report::junit(&build))?;
        }
        Ok(self.build.write(&build)?)
    }

    /// What was found, in the format that was asked for.
    fn render(&self, build: &Build<'_>) -> serde_json::Result<String> {
        let report = build.report;
        Ok(match self.format {
            ExploreFormat::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
            ExploreFormat::Html => report::matrix::html(report),
            ExploreFormat::Junit => report::junit(build),
            ExploreFormat::Text | ExploreFormat::Markdown if self.matrix => {
                report::matrix::markdown(report)
            }
            ExploreFormat::Text => report::text(report),
            ExploreFormat::Markdown => report::markdown(report),
        })
    }
}

/// Whether the job was stopped before anything was found.
fn is_stopped_early(exploration: &Exploration, job: &Job) -> bool {
    let mut findings = exploration.findings.iter();
    job.stop.is_stopped()
        && exploration.error.is_none()
        && exploration.broken.is_empty()
        && findings.all(|it| it.tally.schedules == 0)
}

/// Runs the job, and shows on standard error how far it is.
async fn explore(job: &Job) -> Exploration {
    let bar = ProgressLine::new();
    let show = |event| match event {
        Event::Rehearsing(exploring) => bar.begin(&exploring, "without a race first"),
        Event::Started(exploring) => bar.begin(&exploring, "no schedule yet"),
        Event::Progress {
            schedules,
            verdicts,
            done,
            ..
        } => bar.show(schedules, &verdicts, done),
        Event::Note(line) => bar.note(&line),
        Event::Found(_) | Event::Missing(_) | Event::Ended(_) => {}
    };
    let exploration = job.run(&show).await;
    bar.clear();
    exploration
}
