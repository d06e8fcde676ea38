//! The library: what a burst does on the wire, and the facts it hands over.

use std::collections::HashSet;
use std::sync::Barrier;
use std::time::Duration;

use make_requests::{Deposits, Pace, Pair, Plan, Progress, Verdict};

use crate::bank::{Bank, Ledger};

fn plan(bank: &Bank, pace: Pace, requests: u32) -> Plan {
    Plan {
        base_url: bank.url().parse().unwrap(),
        target: Deposits {
            strategy: "atomic_long_delay".parse().unwrap(),
            account: 1,
            amount: 100.try_into().unwrap(),
            retry_timeouts: false,
            idempotency: false,
        }
        .into(),
        pace,
        requests: requests.try_into().unwrap(),
        timeout: Duration::from_secs(20),
    }
}

#[tokio::test]
async fn every_request_of_a_burst_has_its_own_warm_connection() {
    let bank = Bank::new(Ledger::deposit);
    let report = make_requests::run(&plan(&bank, Pace::Together, 20), |_| {})
        .await
        .unwrap();
    assert_eq!(report.verdict(), Verdict::Safe);

    let requests = bank.requests();
    let methods: Vec<_> = requests
        .iter()
        .map(|request| request.method.as_str())
        .collect();
    // The probe and the warming, then all deposits, then the audit: no deposit came early.
    assert!(
        methods[..21].iter().all(|method| *method == "GET"),
        "{methods:?}"
    );
    assert!(
        methods[21..41].iter().all(|method| *method == "POST"),
        "{methods:?}"
    );
    assert_eq!(methods[41..], ["GET"]);

    let connections = |range: std::ops::Range<usize>| -> HashSet<_> {
        requests[range]
            .iter()
            .map(|request| request.connection)
            .collect()
    };
    assert_eq!(connections(21..41).len(), 20);
    assert_eq!(connections(1..21), connections(21..41));
}

#[tokio::test]
async fn a_burst_stamps_every_release() {
    let bank = Bank::new(Ledger::deposit);
    let report = make_requests::run(&plan(&bank, Pace::Together, 20), |_| {})
        .await
        .unwrap();

    assert_eq!(report.releases.len(), 21);
    assert!(report.releases.is_sorted());
    assert_eq!(
        report.spread(),
        Some(report.releases[20] - report.releases[0])
    );
    let numbers: Vec<_> = report.answers.iter().map(|answer| answer.request).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    for (answer, stamps) in report.answers.iter().zip(report.releases.windows(2)) {
        assert_eq!(answer.started, stamps[0]);
        assert!(answer.ended >= stamps[0]);
    }
}

#[tokio::test]
async fn progress_names_each_stage_and_each_answer() {
    for (pace, stages) in [
        (Pace::Together, &[Progress::Probed, Progress::Warm][..]),
        (Pace::Every(Duration::from_millis(1)), &[Progress::Probed]),
    ] {
        let bank = Bank::new(Ledger::deposit);
        let mut seen = Vec::new();
        make_requests::run(&plan(&bank, pace, 5), |progress| seen.push(progress))
            .await
            .unwrap();
        assert_eq!(seen[..stages.len()], *stages);
        let answered: HashSet<_> = seen[stages.len()..]
            .iter()
            .map(|progress| match progress {
                Progress::Answered { request } => *request,
                other => panic!("{other:?} came late"),
            })
            .collect();
        assert_eq!(answered, (1..=5).collect());
        assert_eq!(seen.len(), stages.len() + 5);
    }
}

#[tokio::test]
async fn the_pair_that_lost_an_update_comes_from_the_receipts() {
    let all_have_read = Barrier::new(5);
    let bank = Bank::new(move |ledger: &Ledger, deposit: &_| {
        let balance = ledger.balance();
        all_have_read.wait();
        ledger.write(balance, deposit)
    });
    let report = make_requests::run(&plan(&bank, Pace::Together, 5), |_| {})
        .await
        .unwrap();

    assert_eq!(report.verdict().name(), "lost_update");
    let Pair { a, b, .. } = report.incident().unwrap();
    // The first two writers: neighbours, and the earliest of those.
    let arrivals = (a.arrived_at_us.unwrap(), b.arrived_at_us.unwrap());
    assert_eq!(arrivals, (1_763_804_000_000_010, 1_763_804_000_000_020));
    assert!(
        report
            .timeline()
            .unwrap()
            .contains("✗ B overwrites A's 100")
    );
}
