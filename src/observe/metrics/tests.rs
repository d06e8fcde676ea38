//! Metrics as text, after some requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::engine::{FaultKind, PoolUse};
use crate::step::{Action, Effect, Ending, Observer as _, Record, Step, Unobserved};
use crate::verdict::Outcome;

const FACTS: ScrapeFacts<'_> = ScrapeFacts {
    pool: PoolUse {
        in_use: 3,
        idle: 2,
        limit: 8,
        waiting: 1,
    },
    database_up: true,
    accounts: &[AccountLoss {
        account: 1,
        amount: 900,
        updates: 9,
    }],
    exports: Some(FolderUse {
        files: 2,
        bytes: 4096,
    }),
};

fn record(action: Action, effect: Effect, milliseconds: u64, ending: Ending) -> Record {
    let started = Instant::now();
    Record {
        step: Step {
            action,
            label: "a step".into(),
            sql: Some("A STATEMENT".into()),
            args: Vec::new(),
            effect,
            footprint: None,
            at: None,
        },
        started,
        ended: started + Duration::from_millis(milliseconds),
        ending,
    }
}

fn refused_by(kind: FaultKind, code: &str) -> Ending {
    Ending::Failed {
        kind: kind.name(),
        code: Some(code.to_owned()),
        refusal: "in words".to_owned(),
    }
}

/// A request that was refused at its second attempt.
fn refused_request(records: &[Record]) -> AnsweredRequest<'_> {
    AnsweredRequest {
        strategy: "a",
        kind: AnswerKind::Write {
            outcome: Outcome::Refused,
            attempts: 2,
        },
        status: 409,
        took: Duration::from_millis(20),
        fault: None,
        records,
        in_a_batch: false,
    }
}

fn text(metrics: &Metrics) -> String {
    metrics.text(&FACTS).unwrap()
}

fn assert_shows(text: &str, line: &str) {
    assert!(
        text.lines().any(|it| it == line),
        "{line} is not in\n{text}"
    );
}

/// Metrics of which every one has been counted once.
fn used() -> Metrics {
    let metrics = Metrics::new(["a", "b"]);
    metrics.count(&refused_request(&[
        record(Action::Begin, Effect::Local, 1, Ending::Done(None)),
        record(Action::Write, Effect::Conflicts, 7, Ending::Done(None)),
        record(
            Action::Read,
            Effect::Conflicts,
            2,
            refused_by(FaultKind::Deadlock, "1213"),
        ),
        record(Action::Read, Effect::Reads, 1, Ending::Done(None)),
        record(
            Action::Commit,
            Effect::Conflicts,
            1,
            refused_by(FaultKind::Deadlock, "1213"),
        ),
    ]));
    metrics.count_batch("b", 3);
    metrics
}

#[test]
fn every_metric_explains_itself_in_a_sentence() {
    let text = text(&used());
    let helps: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '))
        .collect();
    let metrics = text.lines().filter(|line| line.starts_with("# TYPE "));
    assert_eq!(helps.len(), metrics.count());
    assert_eq!(helps.len(), 17, "{helps:?}");
    for (name, help) in helps {
        assert!((16..=100).contains(&help.len()), "{name}: {help:?}");
        assert!(
            help.ends_with('.') && !help.ends_with(".."),
            "{name}: {help}"
        );
        assert!(
            !help.contains("  ") && !help.contains('\\'),
            "{name}: {help}"
        );
    }
}

#[test]
fn a_request_is_counted_by_what_became_of_it() {
    let text = text(&used());
    for line in [
        r#"racy_requests_total{strategy="a",outcome="refused",status="409"} 1"#,
        r#"racy_requests_total{strategy="a",outcome="applied",status="200"} 0"#,
        r#"racy_requests_total{strategy="b",outcome="applied",status="200"} 0"#,
        r#"racy_retries_total{strategy="a"} 1"#,
        r#"racy_retries_total{strategy="b"} 0"#,
        r#"racy_faults_total{strategy="a",kind="deadlock",code="1213"} 2"#,
        r#"racy_request_duration_seconds_count{strategy="a"} 1"#,
        r#"racy_request_duration_seconds_bucket{le="0.01",strategy="a"} 0"#,
        r#"racy_request_duration_seconds_bucket{le="0.025",strategy="a"} 1"#,
        r#"racy_request_duration_seconds_bucket{le="+Inf",strategy="a"} 1"#,
        r#"racy_batch_deposits_sum{strategy="b"} 3.0"#,
    ] {
        assert_shows(&text, line);
    }
}

#[test]
fn only_steps_that_may_wait_for_a_lock_count_as_such() {
    let metrics = used();
    let mut to_a_file = record(Action::Write, Effect::Conflicts, 1, Ending::Done(None));
    to_a_file.step.sql = None;
    metrics.count_steps("a", &[to_a_file]);
    let text = text(&metrics);
    assert_shows(&text, r#"racy_lock_wait_seconds_count{strategy="a"} 2"#);
    assert_shows(
        &text,
        r#"racy_lock_wait_seconds_bucket{le="0.005",strategy="a"} 1"#,
    );
    assert_shows(
        &text,
        r#"racy_lock_wait_seconds_bucket{le="0.01",strategy="a"} 2"#,
    );
}

#[test]
fn a_step_that_two_requests_share_is_counted_once() {
    let metrics = Arc::new(Metrics::new([]));
    let refused = refused_by(FaultKind::Deadlock, "1213");
    let step = record(Action::Write, Effect::Conflicts, 1, refused);
    let batch_steps = BatchSteps {
        strategy: "a",
        metrics: Arc::clone(&metrics),
        next: Arc::new(Unobserved),
    };
    batch_steps.after(&step);
    let records = [step];
    for _request in 0..2 {
        metrics.count(&AnsweredRequest {
            fault: Some((FaultKind::Deadlock, Some("1213"))),
            in_a_batch: true,
            ..refused_request(&records)
        });
    }
    let text = text(&metrics);
    assert_shows(
        &text,
        r#"racy_faults_total{strategy="a",kind="deadlock",code="1213"} 1"#,
    );
    assert_shows(&text, r#"racy_lock_wait_seconds_count{strategy="a"} 1"#);
    assert_shows(
        &text,
        r#"racy_requests_total{strategy="a",outcome="refused",status="409"} 2"#,
    );
}

#[test]
fn a_replayed_answer_is_no_second_request() {
    let metrics = Metrics::new(["a"]);
    metrics.count(&AnsweredRequest {
        kind: AnswerKind::Replay,
        status: 200,
        ..refused_request(&[])
    });
    let text = text(&metrics);
    for (outcome, number) in [("applied", 0), ("replayed", 1)] {
        let labels = format!(r#"strategy="a",outcome="{outcome}",status="200""#);
        assert_shows(&text, &format!("racy_requests_total{{{labels}}} {number}"));
    }
    assert_shows(&text, r#"racy_retries_total{strategy="a"} 0"#);
}

#[test]
fn a_fault_is_counted_once() {
    let fault = (FaultKind::Unavailable, Some("1040"));
    let metrics = Metrics::new([]);
    metrics.count(&AnsweredRequest {
        fault: Some(fault),
        ..refused_request(&[])
    });
    metrics.count(&AnsweredRequest {
        fault: Some(fault),
        ..refused_request(&[record(
            Action::Write,
            Effect::Conflicts,
            1,
            refused_by(FaultKind::Busy, "5"),
        )])
    });
    let text = text(&metrics);
    assert_shows(
        &text,
        r#"racy_faults_total{strategy="a",kind="unavailable",code="1040"} 1"#,
    );
    assert_shows(
        &text,
        r#"racy_faults_total{strategy="a",kind="busy",code="5"} 1"#,
    );
}

/// A request that reads, and that was answered.
fn read_request(kind: AnswerKind, status: u16) -> AnsweredRequest<'static> {
    AnsweredRequest {
        strategy: "a",
        kind,
        status,
        took: Duration::from_millis(1),
        fault: None,
        records: &[],
        in_a_batch: false,
    }
}

#[test]
fn a_request_to_read_is_counted_as_read_or_refused() {
    let metrics = Metrics::new([]).with_readers(["a", "b"]);
    let busy = refused_by(FaultKind::Busy, "5");
    let refused = [record(Action::Read, Effect::Reads, 1, busy)];
    metrics.count(&read_request(AnswerKind::Read, 200));
    metrics.count(&AnsweredRequest {
        fault: Some((FaultKind::Busy, Some("5"))),
        records: &refused,
        ..read_request(AnswerKind::ReadRefused, 409)
    });
    metrics.count(&AnsweredRequest {
        fault: Some((FaultKind::Unavailable, None)),
        ..read_request(AnswerKind::ReadRefused, 503)
    });
    let text = text(&metrics);
    for line in [
        r#"racy_requests_total{strategy="a",outcome="read",status="200"} 1"#,
        r#"racy_requests_total{strategy="b",outcome="read",status="200"} 0"#,
        r#"racy_requests_total{strategy="a",outcome="refused",status="409"} 1"#,
        r#"racy_request_duration_seconds_count{strategy="a"} 3"#,
        r#"racy_faults_total{strategy="a",kind="busy",code="5"} 1"#,
        r#"racy_faults_total{strategy="a",kind="unavailable",code=""} 1"#,
    ] {
        assert_shows(&text, line);
    }
}

#[test]
fn what_is_looked_up_is_shown() {
    let text = text(&Metrics::new([]));
    for line in [
        "racy_pool_connections_in_use 3",
        "racy_pool_connections_idle 2",
        "racy_pool_connections_limit 8",
        "racy_pool_waiting_requests 1",
        "racy_database_up 1",
        "racy_exports_files 2",
        "racy_exports_bytes 4096",
        r#"racy_lost_amount{account="1"} 900.0"#,
        r#"racy_lost_updates{account="1"} 9.0"#,
    ] {
        assert_shows(&text, line);
    }
}

#[test]
fn without_a_database_there_are_no_accounts() {
    let facts = ScrapeFacts {
        database_up: false,
        accounts: &[],
        exports: None,
        ..FACTS
    };
    let text = Metrics::new([]).text(&facts).unwrap();
    assert_shows(&text, "racy_database_up 0");
    assert!(!text.contains("racy_lost"), "{text}");
    assert!(!text.contains("racy_exports"), "{text}");
}

#[test]
fn an_engines_code_cannot_break_out_of_its_label() {
    let metrics = Metrics::new([]);
    let code = refused_by(FaultKind::Other, "a\"} 1\nb\\");
    metrics.count(&refused_request(&[record(
        Action::Write,
        Effect::Conflicts,
        1,
        code,
    )]));
    assert_shows(
        &text(&metrics),
        r#"racy_faults_total{strategy="a",kind="other",code="a\"} 1\nb\\"} 1"#,
    );
}
