//! Each strategy's verdict on each engine, under schedules that are forced step by step.

mod locks;
mod reads;
mod retries;

use racy::engine::{Fault, FaultKind};
use racy::exhibits::deposits::{Failure, Receipt, Refusal, Strategy};
use racy::verdict::{Outcome, Verdict};

use crate::support::{Client, Lab};

/// A's first step that is not safe to take before B has read.
const AFTER_READING: &str = "insert transaction";

fn strategy(name: &str) -> &'static Strategy {
    Strategy::named(name).unwrap()
}

fn assert_expected(lab: &Lab, strategy: &Strategy, verdict: Verdict) {
    let engine = lab.database.engine();
    let expected = strategy.card.expected_on(engine).unwrap();
    assert!(
        expected.includes(verdict),
        "{} on {engine}: {verdict}, but its card expects {:?}",
        strategy.name,
        expected.verdicts
    );
}

/// The schedule of the race: both read, then A runs to its end, then B.
async fn race(lab: &Lab, strategy: &'static Strategy) -> Vec<Result<Receipt, Failure>> {
    let mut a = Client::start(&lab.database, strategy).await;
    let mut b = Client::start(&lab.database, strategy).await;
    a.go_to(AFTER_READING).await;
    b.go_to(AFTER_READING).await;
    vec![a.finish().await, b.finish().await]
}

/// The refusal of a run in which one client was served and one was not, with PostgreSQL's code.
fn assert_one_serialization_failure(results: &[Result<Receipt, Failure>]) {
    let refused: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).collect();
    let [
        Failure {
            refusal: Refusal::Engine(Fault { kind, code, .. }),
            outcome,
        },
    ] = &refused[..]
    else {
        panic!("one of the two is refused: {results:?}");
    };
    assert_eq!(*kind, FaultKind::SerializationFailure);
    assert_eq!(code.as_deref(), Some("40001"));
    assert_eq!(*outcome, Outcome::Refused);
}
