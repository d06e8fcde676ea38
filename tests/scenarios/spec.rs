//! PostgreSQL's isolation test files, against what PostgreSQL's own tester says of them, and on the
//! other engines. `tools/record-isolation` has recorded what it says.

use std::fs;
use std::path::Path;

use racy::engine::{LaneKind, Settings};
use racy::explore::Stop;
use racy::scenarios::spec::{PermutationReport, Spec, SpecEvent, SpecReport, TestError};

use crate::support::TestEngine;

on_engines!(
    every:
        every_interleaving_is_run_if_the_file_names_none,
        a_step_that_the_engine_does_not_understand_is_named_with_its_line,
        a_set_up_that_the_engine_refuses_is_named_with_its_line;
    servers:
        an_interleaving_in_which_a_waiting_session_would_move_is_left_out,
        a_permutation_that_is_not_possible_is_broken_off,
        a_step_that_waits_for_ever_is_named;
    innodb:
        a_file_for_postgresql_is_run_as_far_as_the_sql_goes;
    postgres:
        each_file_gives_what_isolationtester_gives,
        steps_that_wait_for_each_other_by_annotation_are_named;
    sqlite:
        on_sqlite_a_session_waits_until_none_is_left_to_give_way;
);

/// The files, without their endings.
const FILES: [&str; 10] = [
    "advisory-locks",
    "annotations",
    "ddl-that-waits",
    "deadlock-of-three",
    "deadlock-of-two",
    "foreign-key",
    "lost-update",
    "savepoints",
    "skip-locked",
    "write-skew",
];

/// A counter, and two sessions that add to it.
const COUNTER: &str = "
setup { CREATE TABLE counter (id int PRIMARY KEY, value int); INSERT INTO counter VALUES (1, 0); }
teardown { DROP TABLE counter; }
session s1
setup { BEGIN; }
step w1 { UPDATE counter SET value = value + 1 WHERE id = 1; }
step c1 { COMMIT; }
session s2
setup { BEGIN; }
step w2 { UPDATE counter SET value = value + 1 WHERE id = 1; }
step c2 { COMMIT; }
teardown { SELECT value FROM counter; }
";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(path).unwrap()
}

fn file(name: &str) -> Spec {
    Spec::parse(&read(&format!("scenarios/isolation/{name}.spec"))).unwrap()
}

fn counter(permutations: &str) -> Spec {
    Spec::parse(&format!("{COUNTER}{permutations}")).unwrap()
}

/// Runs a file in a database of its own, which is gone afterwards.
async fn run(engine: TestEngine, spec: &Spec) -> Result<SpecReport, TestError> {
    let settings = Settings {
        connections: 12,
        ..Settings::default()
    };
    let lab = engine.lab_with(settings).await;
    let clients = spec.sessions.len();
    let lanes = lab.database.lanes(clients, 1, LaneKind::WholeDatabase);
    let lanes = lanes.await.unwrap();
    let database = &lanes.lanes[0].database;
    let ran = spec.run(database, &Stop::default(), &mut |_| {}).await;
    lanes.close().await.unwrap();
    ran
}

fn steps(report: &PermutationReport) -> String {
    report.steps.join(" ")
}

fn why(report: &PermutationReport) -> String {
    report.broken_off.as_ref().unwrap().to_string()
}

async fn each_file_gives_what_isolationtester_gives(engine: TestEngine) {
    for name in FILES {
        let spec = file(name);
        let report = run(engine, &spec).await.unwrap();
        let permutations: Vec<_> = report
            .permutations
            .iter()
            .map(ToString::to_string)
            .collect();
        let begins = format!("Parsed test spec with {} sessions\n", spec.sessions.len());
        let recorded = read(&format!("tests/scenarios/isolation/{name}.out"));
        assert_eq!(begins + &permutations.concat(), recorded, "{name}");
    }
}

async fn every_interleaving_is_run_if_the_file_names_none(engine: TestEngine) {
    let report = run(engine, &file("lost-update")).await.unwrap();
    let run: Vec<_> = report.permutations.iter().map(steps).collect();
    let all = [
        "read1 sell1 read2 sell2",
        "read1 read2 sell1 sell2",
        "read1 read2 sell2 sell1",
        "read2 read1 sell1 sell2",
        "read2 read1 sell2 sell1",
        "read2 sell2 read1 sell1",
    ];
    assert_eq!(run, all);
    assert_eq!(report.impossible, 0);
    // An update was lost in each of them.
    let sold = "sold_in_the_end\n---------------\n              1\n(1 row)\n\n";
    for permutation in &report.permutations {
        assert!(permutation.to_string().ends_with(sold), "{permutation}");
    }
}

async fn an_interleaving_in_which_a_waiting_session_would_move_is_left_out(engine: TestEngine) {
    let report = run(engine, &counter("")).await.unwrap();
    let run: Vec<_> = report.permutations.iter().map(steps).collect();
    let possible = ["w1 c1 w2 c2", "w1 w2 c1 c2", "w2 w1 c2 c1", "w2 c2 w1 c1"];
    assert_eq!(run, possible);
    assert_eq!(report.impossible, 2);
}

async fn a_permutation_that_is_not_possible_is_broken_off(engine: TestEngine) {
    let spec = counter("permutation w1 w2 c2 c1 permutation w2 w1 c2 c1");
    let report = run(engine, &spec).await.unwrap();
    let [impossible, possible] = &report.permutations[..] else {
        panic!("{report:?}");
    };
    let expected = "not possible: step c2 is next, and its session s2 still waits in step w2";
    assert_eq!(why(impossible), expected);
    assert_eq!(impossible.sent, 2);
    assert_eq!(possible.broken_off, None);
    // What the broken permutation has done is gone.
    assert!(
        possible.to_string().contains("    2\n(1 row)"),
        "{possible}"
    );
}

async fn a_step_that_waits_for_ever_is_named(engine: TestEngine) {
    let report = run(engine, &counter("permutation w1 w2")).await.unwrap();
    let expected = "not possible: at the end still waits w2";
    assert_eq!(why(&report.permutations[0]), expected);
}

async fn steps_that_wait_for_each_other_by_annotation_are_named(engine: TestEngine) {
    let text = "session s1 step a { SELECT 1; } session s2 step b { SELECT 2; }
                permutation a(*, b) b(a)
                permutation a(b) b(a)";
    let report = run(engine, &Spec::parse(text).unwrap()).await.unwrap();
    let expected = "not possible: at the end still waits a, b";
    assert_eq!(why(&report.permutations[0]), expected);
    // Here step a has ended before b is sent.
    assert_eq!(report.permutations[1].broken_off, None);
}

async fn on_sqlite_a_session_waits_until_none_is_left_to_give_way(engine: TestEngine) {
    let spec = counter("permutation w1 w2 c1 c2 permutation w1 w2 c2 c1");
    let report = run(engine, &spec).await.unwrap();
    let [waits, gives_up] = &report.permutations[..] else {
        panic!("{report:?}");
    };
    let expected = "\nstarting permutation: w1 w2 c1 c2
step w1: UPDATE counter SET value = value + 1 WHERE id = 1;
step w2: UPDATE counter SET value = value + 1 WHERE id = 1; <waiting ...>
step c1: COMMIT;
step w2: <... completed>
step c2: COMMIT;
value
-----
    2
(1 row)

";
    assert_eq!(waits.to_string(), expected);
    let refused = "step w2: <... completed>\nERROR:  database is locked\nstep c2: COMMIT;\n";
    assert!(gives_up.to_string().contains(refused), "{gives_up}");
}

/// FOR NO KEY UPDATE is PostgreSQL's alone, and one permutation has it.
async fn a_file_for_postgresql_is_run_as_far_as_the_sql_goes(engine: TestEngine) {
    let report = run(engine, &file("foreign-key")).await.unwrap();
    let [not_here] = &report.not_here[..] else {
        panic!("{report:?}");
    };
    let said = not_here.to_string();
    assert!(said.starts_with("line 24, step locknk: "), "{said}");
    assert_eq!((report.permutations.len(), report.left_out), (8, 1));
    let waits = |it: &&PermutationReport| {
        let mut events = it.events.iter();
        events.any(|event| matches!(event, SpecEvent::Sent { waits: true, .. }))
    };
    // InnoDB's lock on the parent is shared, and an update of it waits for that.
    let waiting: Vec<_> = report
        .permutations
        .iter()
        .filter(waits)
        .map(steps)
        .collect();
    let expected = [
        "rename enter cend eend",
        "enter rename eend cend",
        "lock enter eend cend",
        "remove enter eend cend",
        "remove enter eback cend",
        "renumber enter eend cend",
        "enter remove cend eend",
        "enter remove cend eback",
    ];
    assert_eq!(waiting, expected);
}

async fn a_step_that_the_engine_does_not_understand_is_named_with_its_line(engine: TestEngine) {
    let text = "session s1
                step a { SELECT 1 AS a; }
                step b { SELEKT 2; }
                session s2
                step c { SELECT 3 AS c; }
                permutation b c
                permutation a c
                permutation c b";
    let report = run(engine, &Spec::parse(text).unwrap()).await.unwrap();
    if engine == TestEngine::Postgres {
        // There it is what the file says, and isolationtester goes on.
        assert_eq!(report.permutations.len(), 3);
        return;
    }
    let said = report.not_here[0].to_string();
    assert!(said.starts_with("line 3, step b: "), "{said}");
    assert_eq!(report.left_out, 2);
    let run: Vec<_> = report.permutations.iter().map(steps).collect();
    assert_eq!(run, ["a c"]);
}

async fn a_set_up_that_the_engine_refuses_is_named_with_its_line(engine: TestEngine) {
    let text = "setup { CREATE TABLE t (id int); }
                teardown { DROP TABEL t; }
                session s1
                step a { SELECT 1 AS a; }
                step b { SELECT 2 AS b; }
                permutation a
                permutation b";
    let error = run(engine, &Spec::parse(text).unwrap()).await.unwrap_err();
    // The second set-up fails because the teardown did.
    assert!(
        error.to_string().starts_with("line 2, teardown: "),
        "{error}"
    );
}
