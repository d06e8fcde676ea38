//! The library: what a burst does on the wire, and the facts in its report.

use std::collections::HashSet;
use std::ops::Range;
use std::time::Duration;

use make_requests::{Pace, Pair, Progress, Verdict};

use crate::bank::{Bank, Ledger, plan, racing_bank};
use crate::stand_in::LogEntry;

/// Releases 20 deposits together, and returns all requests that the bank received.
async fn requests_of_a_burst() -> Vec<LogEntry> {
    let bank = Bank::new(Ledger::deposit);
    let report = make_requests::run(&plan(&bank, Pace::Together, 20), |_| {}).await;
    assert_eq!(report.unwrap().verdict(), Verdict::Safe);
    bank.requests()
}

#[tokio::test]
async fn no_request_of_a_burst_leaves_before_all_connections_are_warm() {
    let requests = requests_of_a_burst().await;
    let methods: Vec<_> = requests.iter().map(|it| it.method.as_str()).collect();
    // The probe and the warming, then all deposits, then the audit.
    let expected = [vec!["GET"; 21], vec!["POST"; 20], vec!["GET"]].concat();
    assert_eq!(methods, expected);
}

#[tokio::test]
async fn every_request_of_a_burst_has_its_own_warm_connection() {
    let requests = requests_of_a_burst().await;
    let connections = |range: Range<usize>| -> HashSet<_> {
        requests[range].iter().map(|it| it.connection).collect()
    };
    assert_eq!(connections(21..41).len(), 20);
    assert_eq!(connections(1..21), connections(21..41));
}

#[tokio::test]
async fn a_burst_stamps_every_release() {
    let bank = Bank::new(Ledger::deposit);
    let report = make_requests::run(&plan(&bank, Pace::Together, 20), |_| {}).await;
    let report = report.unwrap();

    assert_eq!(report.releases.len(), 21);
    assert!(report.releases.is_sorted());
    let spread = report.releases[20] - report.releases[0];
    assert_eq!(report.spread(), Some(spread));
    let numbers: Vec<_> = report.answers.iter().map(|answer| answer.request).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    for (answer, stamps) in report.answers.iter().zip(report.releases.windows(2)) {
        assert_eq!(answer.started, stamps[0]);
        assert!(answer.ended >= stamps[0]);
    }
}

/// The progress of five requests.
async fn progress_of(pace: Pace) -> Vec<Progress> {
    let bank = Bank::new(Ledger::deposit);
    let mut seen = Vec::new();
    let report = make_requests::run(&plan(&bank, pace, 5), |progress| seen.push(progress)).await;
    report.unwrap();
    seen
}

#[track_caller]
fn assert_five_are_answered(progress: &[Progress]) {
    let request = |progress: &Progress| match progress {
        Progress::Answered { request, .. } => *request,
        other => panic!("{other:?} came late"),
    };
    let mut answered: Vec<_> = progress.iter().map(request).collect();
    answered.sort_unstable();
    assert_eq!(answered, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn progress_of_a_burst_names_each_stage_and_each_answer() {
    let progress = progress_of(Pace::Together).await;
    assert_eq!(progress[..2], [Progress::Probed, Progress::Warm]);
    assert_five_are_answered(&progress[2..]);
}

#[tokio::test]
async fn progress_of_spaced_requests_has_no_warming() {
    let progress = progress_of(Pace::Every(Duration::from_millis(1))).await;
    assert_eq!(progress[..1], [Progress::Probed]);
    assert_five_are_answered(&progress[1..]);
}

#[tokio::test]
async fn the_incident_is_found_in_the_receipts() {
    let bank = racing_bank(5);
    let report = make_requests::run(&plan(&bank, Pace::Together, 5), |_| {}).await;
    let report = report.unwrap();
    assert_eq!(report.verdict().name(), "lost_update");
    // The first two writers: neighbours, and the earliest of those.
    let Pair { a, b, .. } = report.incident().unwrap();
    let arrivals = (a.arrived_at_us.unwrap(), b.arrived_at_us.unwrap());
    assert_eq!(arrivals, (1_763_804_000_000_010, 1_763_804_000_000_020));
    let timeline = report.timeline().unwrap();
    assert!(timeline.contains("✗ B overwrites A's 100"), "{timeline}");
}
