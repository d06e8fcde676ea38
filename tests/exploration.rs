//! The explorer against itself, and the cards and the matrix against what the explorer finds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use racy::engine::{Database, Fault, Isolation, Journal, Session, Settings};
use racy::exhibits::card::Count;
use racy::exhibits::deposits::{
    Commits, Delay, Deposit, LOST_UPDATE, Memory, Receipt, Refusal, STRATEGIES, Strategy,
    non_atomic,
};
use racy::exhibits::exports::{EXPLORED, Explored};
use racy::exhibits::orders;
use racy::exhibits::statements::{READERS, Reader};
use racy::explore::report::{self, FindingJson};
use racy::explore::{
    self, Cast, Ended, Finding, Moment, Pending, Plan, RunError, Schedule, Schedules, Stop,
    Subject, Tally, Trace,
};
use racy::survey::{self, Found, Survey, Trouble};
use racy::verdict::Verdict;
use serde_json::Value;

use crate::matrix;
use crate::support::TestEngine;

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

const ALL: Schedules = Schedules::All { reduced: false };

fn strategy(name: &str) -> &'static Strategy {
    Strategy::named(name).unwrap()
}

/// The reader whom the explorer knows by this name.
fn reader(name: &str) -> &'static Reader {
    let mut readers = READERS.iter();
    readers.find(|it| it.name == name).unwrap()
}

/// The way to export that the explorer knows by this name.
fn exported(name: &str) -> Option<&'static Explored> {
    EXPLORED.iter().find(|it| it.name() == name)
}

async fn found(
    database: &Database,
    strategies: &[&'static dyn Subject],
    schedules: Schedules,
    clients: usize,
) -> Found {
    let survey = Survey {
        strategies: strategies.to_vec(),
        plan: Plan {
            schedules,
            clients,
            instances: 1,
            limit: None,
        },
        instances: None,
        parallel: survey::PARALLEL,
        stop: &Stop::default(),
    };
    survey.on(database, &|_, _, _| ()).await
}

/// As [`found`], for one strategy and without trouble.
async fn finding(
    database: &Database,
    strategy: &'static dyn Subject,
    schedules: Schedules,
    clients: usize,
) -> Finding {
    let mut found = found(database, &[strategy], schedules, clients).await;
    if let Some(trouble) = found.trouble {
        panic!("{trouble}");
    }
    found.findings.remove(0)
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
    let strategies: Vec<_> = survey::subjects().collect();
    let mut findings = Vec::new();
    for settings in everything_of(engine) {
        let lab = engine.lab_with(survey::settings(&settings)).await;
        let found = found(&lab.database, &strategies, ALL, 2).await;
        assert!(found.trouble.is_none(), "{:?}", found.trouble);
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
    let (name, engine) = (finding.strategy(), &finding.engine);
    let expected = match told(name) {
        Told::Deposit(strategy) => strategy.expected_on(engine, finding.instances()),
        Told::Order(strategy) => strategy.card.expected_on(engine),
        Told::BesideTheConsumer(it) => it.expected_on(engine),
        Told::Statement(reader) => reader.card.expected_on(engine),
        Told::Export(it) => it.expected_on(engine),
    };
    let expected = expected.unwrap();
    let mut expected: Vec<Count> = expected.verdicts.to_vec();
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

fn assert_its_head_tells_the_smallest_schedule(finding: &Finding) {
    let name = finding.strategy();
    let card = match told(name) {
        Told::Deposit(strategy) => strategy.card,
        Told::Order(strategy) => strategy.card,
        Told::BesideTheConsumer(it) => it.0.card,
        Told::Statement(reader) => reader.card,
        Told::Export(it) => it.strategy.card,
    };
    let explanation = card.explanation();
    let told = match finding.counterexample() {
        Some((_, shortest)) => format!("'{}'", shortest.schedule),
        None => "There is none".to_owned(),
    };
    assert!(explanation.contains(&told), "{name}: {told}");
}

/// Where the card is that speaks of a subject.
enum Told {
    Deposit(&'static Strategy),
    Statement(&'static Reader),
    Export(&'static Explored),
    Order(&'static orders::Strategy),
    BesideTheConsumer(&'static orders::BesideTheConsumer),
}

fn told(name: &str) -> Told {
    if let Some(strategy) = Strategy::named(name) {
        return Told::Deposit(strategy);
    }
    if let Some(it) = exported(name) {
        return Told::Export(it);
    }
    let mut consumed = orders::BESIDE_THE_CONSUMER.iter();
    if let Some(strategy) = consumed.find(|it| Subject::name(*it) == name) {
        return Told::BesideTheConsumer(strategy);
    }
    match name.strip_prefix("orders/") {
        Some(name) => Told::Order(orders::Strategy::named(name).unwrap()),
        None => Told::Statement(reader(name)),
    }
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
    // Safe are those in which one client's read and write come before the other's: the other's insert
    // can be in any of four places, whoever is first.
    assert_eq!(finding.tally.count(Verdict::Safe), 8);
    assert_eq!(finding.tally.count(Verdict::Anomaly(&LOST_UPDATE)), 12);
    let shortest = finding.counterexample().unwrap().1;
    assert_eq!(shortest.schedule.to_string(), "A A B B B A");
    let moment = shortest.moment.as_ref().unwrap();
    assert_eq!(
        moment.words,
        "A overwrites B's 100 unseen: B's deposit is lost"
    );
    assert!(report::verdict(&finding).starts_with("loses an update in 12 of all 20 schedules"));
}

async fn a_forgotten_lock_in_one_branch_is_caught(engine: TestEngine) {
    let lab = engine.lab_at(Isolation::ReadCommitted).await;
    let found = finding(&lab.database, &FORGETS_THE_LOCK, ALL, 2).await;
    assert!(found.tally.count(Verdict::Anomaly(&LOST_UPDATE)) > 0);
    // The branch with the lock was taken too: it has a step more.
    let safe = &found.tally.examples[&Verdict::Safe];
    assert_eq!(safe.schedule.0.len(), 11);
    let shortest = found.counterexample().unwrap().1;
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
            replayed.push(report::text(&[finding]));
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
    let drawn = report::text(&[found]);
    let words: Vec<_> = drawn.split_whitespace().collect();
    let in_the_timeline_and_in_sql = words.join(" ").matches("→ no row").count();
    assert_eq!(in_the_timeline_and_in_sql, 3 + 3, "{drawn}");
}

async fn a_replay_that_diverges_says_where(engine: TestEngine) {
    let lab = engine.lab().await;
    for (text, where_and_why) in [
        (
            "A A B",
            "at step 4: the schedule ends, but somebody is not done: next could be A (write balance) \
             or B (read balance)",
        ),
        (
            "A A A A B B B",
            "at step 4: it is A's turn, but A waits or is done: next could be B (insert transaction)",
        ),
        (
            "A A A B B B A",
            "at step 7: it is A's turn, but everybody is done",
        ),
    ] {
        let found = found(&lab.database, &[&READ_AND_WRITE], schedule(text), 2).await;
        let Some(Trouble::Run(_, error)) = found.trouble else {
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
        let reduced = found(&lab.database, &[strategy], reduced, 2).await.findings;
        assert_eq!(reduced.len(), strategy.instances(2).len());
        for reduced in &reduced {
            let all = strategy.expected_on(&reduced.engine, reduced.instances());
            let all = all.unwrap().verdicts;
            let mut verdicts: Vec<_> = all.iter().map(|count| count.verdict).collect();
            verdicts.sort();
            let found: Vec<_> = reduced.tally.verdicts.keys().copied().collect();
            assert_eq!(found, verdicts, "{}", strategy.name);
            // The names of two clients who do the same alone halve them.
            let schedules: u64 = all.iter().map(|count| count.schedules).sum();
            assert!(2 * reduced.tally.schedules <= schedules);
            assert!(report::verdict(reduced).contains("that can end differently"));
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
        let shortest = finding.counterexample().unwrap().1.schedule.clone();
        counts.push((finding.tally.verdicts, shortest));
    }
    assert_eq!(counts[0], counts[1]);

    let locking = strategy("row_locking_atomic_long_delay");
    let finding = finding(&lab.database, locking, sample(7), 2).await;
    let verdict = report::verdict(&finding);
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
    let stop = Stop::default();
    let mut survey = Survey {
        strategies: vec![strategy("row_locking_atomic_long_delay")],
        plan: Plan {
            schedules: ALL,
            clients: 2,
            instances: 1,
            limit: Some(5),
        },
        instances: None,
        parallel: survey::PARALLEL,
        stop: &stop,
    };
    let found = survey.on(&lab.database, &|_, _, _| ()).await;
    let [finding] = &found.findings[..] else {
        panic!("{found:?}");
    };
    assert_eq!(finding.tally.schedules, 5);
    assert!(!finding.is_exhaustive());
    assert!(report::verdict(finding).contains("which are not all there are"));

    survey.plan.limit = None;
    let stop_at_the_third = |_: &'static str, _: &Database, tally: &Tally| {
        if tally.schedules == 3 {
            stop.stop();
        }
    };
    let found = survey.on(&lab.database, &stop_at_the_third).await;
    let [finding] = &found.findings[..] else {
        panic!("{found:?}");
    };
    // Besides the third, those that were under way then.
    assert!((3..3 + survey::PARALLEL as u64).contains(&finding.tally.schedules));
    assert!(!finding.is_exhaustive() && found.trouble.is_none());
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
    let found = found(&lab.database, &[mutex], ALL, 2).await;
    let [one, two] = &found.findings[..] else {
        panic!("{found:?}");
    };
    assert_eq!((one.instances(), two.instances()), (1, 2));
    assert!(report::verdict(one).starts_with("safe in all"));
    // Of all but the two in which one client comes after the other.
    assert_eq!(one.tally.waited, one.tally.schedules - 2);
    assert!(two.tally.count(Verdict::Safe) < two.tally.schedules);
    assert!(!survey::broke_a_promise(&found.findings));
    let text = report::text(&found.findings);
    assert!(text.contains("mutex_in_process, 2 instances on"), "{text}");
    let printed = report::matrix::markdown(&found.findings, &[]);
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
    let text = report::text(&[waiting]);
    assert!(
        text.contains("lock in process … waits for a lock"),
        "{text}"
    );
    assert!(text.contains("… 2 goes on"), "{text}");
}

/// The planted race, beside a clock of the test's own.
#[derive(Debug)]
struct BesideAClock {
    /// Of the looks at the clock, those before which it ticks.
    ticks: fn(u64) -> bool,
    looks: AtomicU64,
    opened: AtomicU64,
}

impl BesideAClock {
    fn that_ticks_before(ticks: fn(u64) -> bool) -> &'static Self {
        Box::leak(Box::new(Self {
            ticks,
            looks: AtomicU64::new(0),
            opened: AtomicU64::new(0),
        }))
    }

    async fn explored(
        &'static self,
        database: &Database,
        schedules: Schedules,
    ) -> (Finding, Result<(), RunError>) {
        let plan = Plan {
            schedules,
            clients: 2,
            instances: 1,
            limit: None,
        };
        let lanes = database.lanes(2, 1).await.unwrap();
        let explored = explore::explore(&lanes.lanes, self, &plan, &Stop::default(), &|_| ()).await;
        lanes.close().await.unwrap();
        explored
    }
}

impl Subject for BesideAClock {
    fn name(&self) -> &'static str {
        READ_AND_WRITE.name
    }

    fn open<'a>(
        &'a self,
        database: &'a Database,
        count: usize,
    ) -> Pending<'a, Result<Vec<i64>, Fault>> {
        self.opened.fetch_add(count as u64, Ordering::Relaxed);
        READ_AND_WRITE.open(database, count)
    }

    fn anomalies(&self) -> &'static [&'static racy::verdict::Anomaly] {
        READ_AND_WRITE.anomalies()
    }

    fn look(&self) -> &'static str {
        READ_AND_WRITE.look()
    }

    fn set_up(&self) -> &'static str {
        READ_AND_WRITE.set_up()
    }

    fn is_unmistakable(&self, _stake: i64) -> bool {
        true
    }

    fn tick<'a>(&'a self, _database: &'a Database) -> Option<Pending<'a, Result<i64, Fault>>> {
        Some(Box::pin(async {
            let looks = self.looks.fetch_add(1, Ordering::Relaxed) + 1;
            let ticked = (1..=looks).filter(|look| (self.ticks)(*look)).count();
            Ok(ticked as i64)
        }))
    }

    fn cast(&self, instances: usize) -> Arc<dyn Cast> {
        READ_AND_WRITE.cast(instances)
    }

    fn judge<'a>(
        &'a self,
        database: &'a Database,
        stake: i64,
        ended: &'a [Ended],
    ) -> Pending<'a, Result<Verdict, Fault>> {
        READ_AND_WRITE.judge(database, stake, ended)
    }

    fn remove<'a>(
        &'a self,
        database: &'a Database,
        stakes: &'a [i64],
    ) -> Pending<'a, Result<(), Fault>> {
        READ_AND_WRITE.remove(database, stakes)
    }

    fn moment(&self, trace: &Trace, ended: &[Ended]) -> Option<Moment> {
        READ_AND_WRITE.moment(trace, ended)
    }
}

/// Between the two looks of the third run and of the one that repeats it, and of no other.
async fn a_run_in_which_the_clock_ticks_is_run_again(engine: TestEngine) {
    let lab = engine.lab().await;
    let subject = BesideAClock::that_ticks_before(|look| look == 6 || look == 8);
    let (finding, ended) = subject.explored(&lab.database, ALL).await;
    ended.unwrap();
    assert!(finding.is_exhaustive());
    assert_eq!(finding.tally.schedules, 20);
    assert_eq!(finding.tally.count(Verdict::Anomaly(&LOST_UPDATE)), 12);
    // A stake for each run, and for each of the two that do not count.
    assert_eq!(subject.opened.load(Ordering::Relaxed), 22);
}

async fn a_clock_that_ticks_in_every_run_is_an_error(engine: TestEngine) {
    let lab = engine.lab().await;
    let subject = BesideAClock::that_ticks_before(|_| true);
    for schedules in [ALL, schedule("A A A B B B")] {
        let (finding, ended) = subject.explored(&lab.database, schedules).await;
        assert!(matches!(ended, Err(RunError::Ticked)), "{ended:?}");
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
    let text = report::text(std::slice::from_ref(&finding));
    assert!(text.contains("… waits for a lock"), "{text}");
    assert!(text.contains("… 4 goes on → 100"), "{text}");

    let json = serde_json::to_value(FindingJson::of(&finding)).unwrap();
    assert_eq!(json["counterexample"], Value::Null);
    assert_eq!(
        (&json["policy"], &json["exhaustive"]),
        (&"replay".into(), &false.into())
    );
}
