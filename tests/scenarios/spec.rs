//! PostgreSQL's isolation test files, against what PostgreSQL's own tester says of them, and on the
//! other engines. `tools/record-isolation` has recorded what it says.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use racy::engine::LaneKind;
use racy::engine::{Database, Lanes};
use racy::explore::Stop;
use racy::scenarios::spec::{PermutationReport, Spec, SpecReport, TestError};

use crate::support::TestEngine;

on_engines!(
    every:
        every_interleaving_of_a_lost_update;
    postgres:
        each_file_gives_what_isolationtester_gives;
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

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn file(name: &str) -> PathBuf {
    root()
        .join("scenarios/isolation")
        .join(name)
        .with_extension("spec")
}

fn spec(name: &str) -> Spec {
    Spec::parse(&fs::read_to_string(file(name)).unwrap()).unwrap()
}

/// Runs a file in a database of its own, which is gone afterwards.
async fn run(engine: TestEngine, spec: &Spec) -> Result<SpecReport, TestError> {
    let lab = engine.lab().await;
    let lanes = lanes(&lab.database, spec.sessions.len()).await;
    let ran = spec
        .run(&lanes.lanes[0].database, &Stop::default(), &mut |_| {})
        .await;
    lanes.close().await.unwrap();
    ran
}

async fn lanes(database: &Database, clients: usize) -> Lanes {
    database
        .lanes(clients, 1, LaneKind::WholeDatabase)
        .await
        .unwrap()
}

/// As isolationtester prints it.
fn text(spec: &Spec, permutations: &[PermutationReport]) -> String {
    let mut text = format!("Parsed test spec with {} sessions\n", spec.sessions.len());
    for permutation in permutations {
        write!(text, "{permutation}").unwrap();
    }
    text
}

async fn each_file_gives_what_isolationtester_gives(engine: TestEngine) {
    for name in FILES {
        let recorded = root().join("tests/scenarios/isolation").join(name);
        let recorded = fs::read_to_string(recorded.with_extension("out")).unwrap();
        let spec = spec(name);
        let ran = run(engine, &spec).await.unwrap();
        let told = text(&spec, &ran.permutations);
        assert_eq!(told, recorded, "{name}");
    }
}

async fn every_interleaving_of_a_lost_update(engine: TestEngine) {
    let ran = run(engine, &spec("lost-update")).await.unwrap();
    assert_eq!(ran.permutations.len(), 6);
}
