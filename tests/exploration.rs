//! The explorer against itself, and the cards and the matrix against what the explorer finds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use racy::engine::{Database, Fault, Isolation, Journal, LaneKind, Session, Settings};
use racy::exhibits::card::{Count, Expectation};
use racy::exhibits::deposits::{
    Commits, Delay, Deposit, LOST_UPDATE, Memory, Receipt, Refusal, STRATEGIES, Strategy,
    non_atomic,
};
use racy::exhibits::{self, AccountFixtures, Specimen};
use racy::explore::report::{self, FindingData, Report};
use racy::explore::{
    self, Event, Exploration, Finding, Fixtures, JobError, PARALLEL, Pending, Rows, RunError,
    Schedule, Schedules, Stop, Subject,
};
use racy::verdict::Verdict;
use serde_json::Value;

use crate::matrix;
use crate::support::TestEngine;
use crate::support::described::has_schema_named;
use crate::support::explored::{ALL, explored, job, plan, subject};

on_engines!(
    every:
        the_cards_and_the_matrix_say_what_is_found,
        steps_that_do_not_meet_interleave_in_every_way,
        a_planted_lost_update_is_found,
        a_schedule_runs_the_same_twice,
        a_replay_that_diverges_says_where,
        leaving_out_what_ends_alike_changes_no_verdict,
        a_sample_is_the_same_for_the_same_seed_and_is_never_called_safe,
        a_search_that_is_cut_off_says_so,
        nothing_is_left_behind,
        a_lock_in_the_process_holds_for_one_instance_alone,
        a_run_in_which_the_clock_ticks_is_run_again,
        a_clock_that_ticks_in_every_run_is_an_error;
    servers:
        a_forgotten_lock_in_one_branch_is_caught,
        a_wait_is_seen_and_shown;
    innodb:
        a_write_that_matches_no_row_is_shown;
);

fn strategy(name: &str) -> &'static Strategy {
    Strategy::named(name).unwrap()
}

async fn found(
    database: &Database,
    subjects: &[Arc<Subject>],
    schedules: Schedules,
    clients: usize,
) -> Exploration {
    explored(database, subjects.to_vec(), plan(schedules, clients)).await
}

async fn finding(
    database: &Database,
    strategy: &'static dyn Specimen,
    schedules: Schedules,
    clients: usize,
) -> Finding {
    let plan = plan(schedules, clients);
    crate::support::explored::finding(database, subject(strategy), plan).await
}

fn verdict(finding: &Finding) -> String {
    FindingData::of(finding).verdict
}

fn text(finding: &Finding) -> String {
    report::text(&report_of(std::slice::from_ref(finding)))
}

fn report_of(findings: &[Finding]) -> Report {
    Report::of_findings(findings, Vec::new())
}

fn schedule(text: &str) -> Schedules {
    Schedules::One(Schedule::parse(text, 2).unwrap())
}

/// Every mode and level of the engine.
fn everything_of(engine: TestEngine) -> Vec<Settings> {
    let modes = match engine {
        TestEngine::MariaDb => [false, true]
            .map(|on| Settings {
                snapshot_isolation: Some(on),
                ..Settings::default()
            })
            .to_vec(),
        TestEngine::Sqlite => [Journal::Wal, Journal::Rollback]
            .map(|journal| Settings {
                journal,
                ..Settings::default()
            })
            .to_vec(),
        TestEngine::MySql | TestEngine::Postgres => vec![Settings::default()],
    };
    let at_every_level = |mode: Settings| {
        engine.levels().iter().map(move |level| Settings {
            isolation: Some(*level),
            // Enough for some lanes.
            connections: 20,
            ..mode
        })
    };
    modes.into_iter().flat_map(at_every_level).collect()
}

async fn the_cards_and_the_matrix_say_what_is_found(engine: TestEngine) {
    let subjects = exhibits::subjects();
    let mut findings = Vec::new();
    for settings in everything_of(engine) {
        let lab = engine.lab_with(explore::settings(&settings)).await;
        let found = found(&lab.database, &subjects, ALL, 2).await;
        assert!(found.error.is_none(), "{:?}", found.error);
        findings.extend(found.findings);
    }
    for finding in &findings {
        assert_agrees_with_its_card(finding);
        if engine == TestEngine::MySql && finding.engine.isolation == Isolation::RepeatableRead {
            assert_its_head_tells_the_smallest_schedule(finding);
        }
    }
    matrix::assert_is_in_the_pages(&findings);
}

fn assert_agrees_with_its_card(finding: &Finding) {
    let (name, engine) = (&finding.about.name, &finding.engine);
    let mut expected: Vec<Count> = expected_of(finding).verdicts.to_vec();
    expected.sort_by_key(|count| count.verdict);
    let verdicts = finding.tally.verdicts.iter();
    let found: Vec<Count> = verdicts
        .map(|(verdict, schedules)| Count {
            verdict: *verdict,
            schedules: *schedules,
        })
        .collect();
    assert_eq!(found, expected, "{name} on {engine}");
}

/// What the card says of a finding's strategy, in its setting.
fn expected_of(finding: &Finding) -> &'static Expectation {
    let settings = exhibits::specimens().flat_map(|specimen| {
        let settings = specimen.settings().into_iter();
        settings.map(move |setting| (setting.name_of(specimen), setting))
    });
    let mut named = settings.filter(|(name, _)| **name == finding.about.name);
    let (_, setting) = named.next().unwrap();
    let expected = setting.expected_on(&finding.engine, finding.plan.instances);
    expected.unwrap()
}

fn assert_its_head_tells_the_smallest_schedule(finding: &Finding) {
    let name = &finding.about.name;
    let full_name = name.split(", ").next().unwrap();
    let explanation = exhibits::specimen(full_name).unwrap().card().explanation();
    let told = match finding.simplest(Verdict::is_anomaly) {
        Some((_, shortest)) => format!("'{}'", shortest.schedule),
        None => "There is none".to_owned(),
    };
    assert!(explanation.contains(&told), "{name}: {told}");
}

/// A strategy for tests, planted among the others.
const fn planted(
    name: &'static str,
    deposit: for<'f> fn(
        &'f mut Session<'_>,
        &'f Deposit,
        &'f Memory,
    ) -> racy::exhibits::deposits::DepositFuture<'f>,
) -> Strategy {
    Strategy {
        name,
        delay: Delay::None,
        commits: Commits::Alone,
        card: &non_atomic::CARD,
        deposit,
        apart: None,
    }
}

async fn read_balance(s: &mut Session<'_>, d: &Deposit) -> Result<i64, Refusal> {
    let sql = "SELECT balance FROM accounts WHERE id = ?";
    let balance = s.read("read balance", sql, &[d.account]).await?;
    balance.ok_or(Refusal::UnknownAccount)
}

async fn write_balance(s: &mut Session<'_>, d: &Deposit, balance: i64) -> Result<u64, Fault> {
    let sql = "UPDATE accounts SET balance = ? WHERE id = ?";
    s.write("write balance", balance, sql, &[balance, d.account])
        .await
}

/// Reads three times, and then deposits nothing after all.
static ONLY_LOOKS: Strategy = planted("only_looks", |s, d, _| {
    Box::pin(async move {
        for _ in 0..3 {
            read_balance(s, d).await?;
        }
        Err(Refusal::UnknownAccount)
    })
});

async fn insert_transaction(s: &mut Session<'_>, d: &Deposit) -> Result<u64, Fault> {
    let sql = "INSERT INTO transactions (account_id, amount) VALUES (?, ?)";
    s.run("insert transaction", sql, &[d.account, d.amount])
        .await
}

/// The race, with the record made first.
static READ_AND_WRITE: Strategy = planted("read_and_write", |s, d, _| {
    Box::pin(async move {
        insert_transaction(s, d).await?;
        let balance = read_balance(s, d).await?;
        write_balance(s, d, balance + d.amount).await?;
        Ok(Receipt::at_first_try(balance, balance + d.amount))
    })
});

/// Locks the row, but where the account looks new it "saves" the locking read.
static FORGETS_THE_LOCK: Strategy = planted("forgets_the_lock", |s, d, _| {
    Box::pin(async move {
        s.begin_for_update().await?;
        let seen = read_balance(s, d).await?;
        let balance = match seen {
            0 => seen,
            _ => {
                let sql = "SELECT balance FROM accounts WHERE id = ? FOR UPDATE";
                let locked = s.read("lock and read balance", sql, &[d.account]).await?;
                locked.ok_or(Refusal::UnknownAccount)?
            }
        };
        insert_transaction(s, d).await?;
        write_balance(s, d, balance + d.amount).await?;
        s.commit().await?;
        Ok(Receipt::at_first_try(balance, balance + d.amount))
    })
});

async fn steps_that_do_not_meet_interleave_in_every_way(engine: TestEngine) {
    let lab = engine.lab().await;
    // Two clients of three steps: 6 over 3.
    let two = finding(&lab.database, &ONLY_LOOKS, ALL, 2).await;
    assert_eq!((two.tally.schedules, two.tally.waited), (20, 0));
    assert!(two.is_exhaustive());
    // Three clients: 9! / (3! 3! 3!). And as none ever meets another, one schedule stands for all.
    let three = finding(&lab.database, &ONLY_LOOKS, ALL, 3).await;
    assert_eq!(three.tally.schedules, 1680);
    let reduced = Schedules::All { reduced: true };
    let three = finding(&lab.database, &ONLY_LOOKS, reduced, 3).await;
    assert_eq!(three.tally.schedules, 1);
}

async fn a_planted_lost_update_is_found(engine: TestEngine) {
    let lab = engine.lab().await;
    let finding = finding(&lab.database, &READ_AND_WRITE, ALL, 2).await;
    // Safe are those in which one client's read and write come before the other's: the other's
    // insert can be in any of four places, whoever is first.
    assert_eq!(finding.tally.count(Verdict::Safe), 8);
    assert_eq!(finding.tally.count(Verdict::Anomaly(&LOST_UPDATE)), 12);
    let shortest = finding.simplest(Verdict::is_anomaly).unwrap().1;
    assert_eq!(shortest.schedule.to_string(), "A A B B B A");
    let highlight = shortest.highlight.as_ref().unwrap();
    assert_eq!(
        highlight.words,
        "A overwrites B's 100 unseen: B's deposit is lost"
    );
    assert!(verdict(&finding).starts_with("loses an update in 12 of all 20 schedules"));
    let report = serde_json::to_value(report_of(&[finding])).unwrap();
    has_schema_named("Report", &report).unwrap();
}

async fn a_forgotten_lock_in_one_branch_is_caught(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::ReadCommitted).await;
    let found = finding(&lab.database, &FORGETS_THE_LOCK, ALL, 2).await;
    assert!(found.tally.count(Verdict::Anomaly(&LOST_UPDATE)) > 0);
    // The branch with the lock was taken too: it has a step more.
    let safe = &found.tally.examples[&Verdict::Safe];
    assert_eq!(safe.schedule.0.len(), 11);
    let shortest = found.simplest(Verdict::is_anomaly).unwrap().1;
    let schedule_found = &shortest.schedule;
    assert_eq!(schedule_found.0.len(), 10, "{schedule_found}");
    assert_eq!(schedule_found.switches(), 2, "{schedule_found}");
    // Nothing simpler loses: with fewer switches there is but one client after the other.
    for simpler in ["A A A A A B B B B B B", "B B B B B A A A A A A"] {
        let replayed = finding(&lab.database, &FORGETS_THE_LOCK, schedule(simpler), 2).await;
        assert_eq!(replayed.tally.count(Verdict::Safe), 1, "{simpler}");
    }
}

async fn a_schedule_runs_the_same_twice(engine: TestEngine) {
    let lab = engine.lab().await;
    let atomic = strategy("atomic_long_delay");
    let found = finding(&lab.database, atomic, ALL, 2).await;
    for example in found.tally.examples.values() {
        let again = Schedules::One(example.schedule.clone());
        let mut replayed = Vec::new();
        for _ in 0..2 {
            let finding = finding(&lab.database, atomic, again.clone(), 2).await;
            replayed.push(text(&finding));
        }
        assert_eq!(replayed[0], replayed[1]);
        assert!(replayed[0].contains(&example.schedule.to_string()));
    }
}

/// Of the three swaps of the one who comes too late, the timeline says that they swapped nothing.
async fn a_write_that_matches_no_row_is_shown(engine: TestEngine) {
    let lab = engine.lab().await;
    if lab.database.engine().snapshot_isolation {
        // There the first of them is refused.
        return;
    }
    let too_late = schedule("A A B B B B B A A A A A");
    let found = finding(&lab.database, strategy("retry_same_snapshot"), too_late, 2).await;
    let drawn = text(&found);
    let words: Vec<_> = drawn.split_whitespace().collect();
    let in_the_timeline_and_in_sql = words.join(" ").matches("→ no row").count();
    assert_eq!(in_the_timeline_and_in_sql, 3 + 3, "{drawn}");
}

async fn a_replay_that_diverges_says_where(engine: TestEngine) {
    let lab = engine.lab().await;
    for (text, where_and_why) in [
        (
            "A A B",
            "at step 4: the schedule ends, but not all clients are done: next could be A (write balance) \
             or B (read balance)",
        ),
        (
            "A A A A B B B",
            "at step 4: it is A's turn, but A waits or is done: next could be B (insert transaction)",
        ),
        (
            "A A A B B B A",
            "at step 7: it is A's turn, but all clients are done",
        ),
    ] {
        let found = found(
            &lab.database,
            &[subject(&READ_AND_WRITE)],
            schedule(text),
            2,
        )
        .await;
        let Some(JobError::Run(_, error)) = found.error else {
            panic!("{text} did not diverge");
        };
        assert!(error.to_string().contains(where_and_why), "{text}: {error}");
    }
}

/// What all schedules lead to, another test has compared with the cards.
async fn leaving_out_what_ends_alike_changes_no_verdict(engine: TestEngine) {
    let lab = engine.lab().await;
    for strategy in &STRATEGIES {
        let reduced = Schedules::All { reduced: true };
        let reduced = found(&lab.database, &[subject(strategy)], reduced, 2)
            .await
            .findings;
        assert_eq!(reduced.len(), strategy.setting().instances(2).len());
        for reduced in &reduced {
            let all = expected_of(reduced).verdicts;
            let mut verdicts: Vec<_> = all.iter().map(|count| count.verdict).collect();
            verdicts.sort();
            let found: Vec<_> = reduced.tally.verdicts.keys().copied().collect();
            assert_eq!(found, verdicts, "{}", strategy.name);
            // The names of two clients who do the same alone halve them.
            let schedules: u64 = all.iter().map(|count| count.schedules).sum();
            assert!(2 * reduced.tally.schedules <= schedules);
            assert!(verdict(reduced).contains("that can end differently"));
        }
    }
}

async fn a_sample_is_the_same_for_the_same_seed_and_is_never_called_safe(engine: TestEngine) {
    let lab = engine.lab().await;
    let sample = |seed| Schedules::Sample { seed, runs: 40 };
    let mut counts = Vec::new();
    for _ in 0..2 {
        let finding = finding(&lab.database, &READ_AND_WRITE, sample(7), 3).await;
        assert_eq!(finding.tally.schedules, 40);
        assert!(finding.tally.count(Verdict::Anomaly(&LOST_UPDATE)) > 0);
        let shortest = finding
            .simplest(Verdict::is_anomaly)
            .unwrap()
            .1
            .schedule
            .clone();
        counts.push((finding.tally.verdicts, shortest));
    }
    assert_eq!(counts[0], counts[1]);

    let locking = strategy("row_locking_atomic_long_delay");
    let finding = finding(&lab.database, locking, sample(7), 2).await;
    let verdict = verdict(&finding);
    assert!(
        !finding.is_exhaustive() && !verdict.contains("safe"),
        "{verdict}"
    );
    assert!(
        verdict.contains("40 schedules of 2 clients drawn at random (seed 7)"),
        "{verdict}"
    );
    assert!(
        verdict.contains("95 % confidence, fewer than 7.22 %"),
        "{verdict}"
    );
}

async fn a_search_that_is_cut_off_says_so(engine: TestEngine) {
    let lab = engine.lab().await;
    let locking = subject(strategy("row_locking_atomic_long_delay"));
    let mut job = job(&lab.database, vec![locking], plan(ALL, 2));
    job.plan.limit = Some(5);
    let exploration = job.run(&|_| ()).await;
    let [finding] = &exploration.findings[..] else {
        panic!("{exploration:?}");
    };
    assert_eq!(finding.tally.schedules, 5);
    assert!(!finding.is_exhaustive());
    assert!(verdict(finding).contains("which are not all there are"));

    job.plan.limit = None;
    let stop_at_the_third = |event| {
        if let Event::Progress { schedules: 3, .. } = event {
            job.stop.stop();
        }
    };
    let exploration = job.run(&stop_at_the_third).await;
    let [finding] = &exploration.findings[..] else {
        panic!("{exploration:?}");
    };
    // Besides the third, the runs that were under way then.
    assert!((3..3 + PARALLEL as u64).contains(&finding.tally.schedules));
    assert!(!finding.is_exhaustive() && exploration.error.is_none());
}

async fn nothing_is_left_behind(engine: TestEngine) {
    let lab = engine.lab().await;
    finding(&lab.database, strategy("atomic_no_delay"), ALL, 2).await;
    let page = racy::accounts::Page {
        after: 0,
        limit: 10,
    };
    let accounts = racy::accounts::list(&lab.database, page).await.unwrap();
    assert_eq!(accounts.len(), 1, "only the first account: {accounts:?}");
    assert!(!lab.has_open_transactions().await);
}

async fn a_lock_in_the_process_holds_for_one_instance_alone(engine: TestEngine) {
    let lab = engine.lab().await;
    let mutex = strategy("mutex_in_process");
    let found = found(&lab.database, &[subject(mutex)], ALL, 2).await;
    let [one, two] = &found.findings[..] else {
        panic!("{found:?}");
    };
    assert_eq!((one.plan.instances, two.plan.instances), (1, 2));
    assert!(verdict(one).starts_with("safe in all"));
    // Of all but the two in which one client comes after the other.
    assert_eq!(one.tally.waited, one.tally.schedules - 2);
    assert!(two.tally.count(Verdict::Safe) < two.tally.schedules);
    assert!(!found.broke_a_promise());
    let printed_text = report::text(&report_of(&found.findings));
    assert!(
        printed_text.contains("mutex_in_process, 2 instances on"),
        "{printed_text}"
    );
    let printed = report::matrix::markdown(&report_of(&found.findings));
    assert!(
        printed.contains("| `mutex_in_process`, 2 instances |"),
        "{printed}"
    );

    // A waits for nobody, B for A: its step is let go, and goes on once A has given the lock up.
    let waiting = schedule("A B A A A A A B B B B B");
    let waiting = finding(&lab.database, mutex, waiting, 2).await;
    assert_eq!(
        (waiting.tally.waited, waiting.tally.count(Verdict::Safe)),
        (1, 1)
    );
    let shown = text(&waiting);
    assert!(
        shown.contains("lock in process … waits for a lock"),
        "{shown}"
    );
    assert!(shown.contains("… 2 goes on"), "{shown}");
}

/// Accounts, beside a clock of the test's own.
#[derive(Debug)]
struct BesideAClock {
    accounts: AccountFixtures,
    /// Whether the clock ticks before the look with this number.
    ticks: fn(u64) -> bool,
    looks: AtomicU64,
    opened: AtomicU64,
}

impl BesideAClock {
    fn that_ticks_before(ticks: fn(u64) -> bool) -> Arc<Self> {
        Arc::new(Self {
            accounts: AccountFixtures::default(),
            ticks,
            looks: AtomicU64::new(0),
            opened: AtomicU64::new(0),
        })
    }

    /// The planted race, on these accounts.
    async fn explored(
        self: &Arc<Self>,
        database: &Database,
        schedules: Schedules,
    ) -> (Finding, Result<(), RunError>) {
        let race = Arc::new(Subject {
            fixtures: Fixtures::Rows(self.clone()),
            ..Subject::clone(&subject(&READ_AND_WRITE))
        });
        let plan = plan(schedules, 2);
        let lanes = database.lanes(2, 1, LaneKind::Rows).await.unwrap();
        let stop = Stop::default();
        let explored = explore::explore(&lanes.lanes, &race, &plan, &stop, &|_| ()).await;
        lanes.close().await.unwrap();
        explored
    }
}

impl Rows for BesideAClock {
    fn make<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        self.opened.fetch_add(count as u64, Ordering::Relaxed);
        self.accounts.make(database, count)
    }

    fn remove<'a>(
        &'a self,
        database: &'a Database,
        ids: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        self.accounts.remove(database, ids)
    }

    fn id_is_unambiguous(&self, _id: i64) -> bool {
        true
    }

    fn clock_second<'a>(
        &'a self,
        _database: &'a Database,
    ) -> Option<Pending<'a, Result<i64, Fault>>> {
        Some(Box::pin(async {
            let looks = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
            let ticked = (1..=looks).filter(|look| (self.ticks)(*look)).count();
            Ok(ticked as i64)
        }))
    }
}

/// Between the two looks of the third run and of the one that repeats it, and of no other.
async fn a_run_in_which_the_clock_ticks_is_run_again(engine: TestEngine) {
    let lab = engine.lab().await;
    let accounts = BesideAClock::that_ticks_before(|look| look == 6 || look == 8);
    let (finding, ended) = accounts.explored(&lab.database, ALL).await;
    ended.unwrap();
    assert!(finding.is_exhaustive());
    assert_eq!(finding.tally.schedules, 20);
    assert_eq!(finding.tally.count(Verdict::Anomaly(&LOST_UPDATE)), 12);
    // A stake for each run, and for each of the two that do not count.
    assert_eq!(accounts.opened.load(Ordering::Relaxed), 22);
}

async fn a_clock_that_ticks_in_every_run_is_an_error(engine: TestEngine) {
    let lab = engine.lab().await;
    let accounts = BesideAClock::that_ticks_before(|_| true);
    for schedules in [ALL, schedule("A A A B B B")] {
        let (finding, ended) = accounts.explored(&lab.database, schedules).await;
        assert!(matches!(ended, Err(RunError::CrossedASecond)), "{ended:?}");
        assert_eq!(finding.tally.schedules, 0);
        assert!(!finding.is_exhaustive());
    }
}

async fn a_wait_is_seen_and_shown(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::ReadCommitted).await;
    let locking = strategy("row_locking_atomic_long_delay");
    let one = schedule("A A B B A A A B B B");
    let finding = finding(&lab.database, locking, one, 2).await;
    assert_eq!(
        (finding.tally.waited, finding.tally.count(Verdict::Safe)),
        (1, 1)
    );
    let shown = text(&finding);
    assert!(shown.contains("… waits for a lock"), "{shown}");
    assert!(shown.contains("… 4 goes on → 100"), "{shown}");

    let report = serde_json::to_value(report_of(std::slice::from_ref(&finding))).unwrap();
    has_schema_named("Report", &report).unwrap();
    let json = &report["findings"][0];
    assert_eq!(json["counterexample"], Value::Null);
    assert_eq!(
        (&json["policy"], &json["exhaustive"]),
        (&"replay".into(), &false.into())
    );
}
