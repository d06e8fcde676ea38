//! The verdict in words, for each way in which a search can end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::engine::{Engine, FaultKind, Flavour, Isolation};
use crate::explore::{About, Plan, Reduction, ScenarioFacts, SeenSteps, SqlText, Tally};

/// What a search of two clients has found that ran this number of schedules with each number of
/// preemptions. None of them goes wrong.
fn found(schedules: Schedules, counts: &[u64]) -> Finding {
    let verdicts = [(Verdict::Declined, counts.iter().sum())];
    let sql = || SqlText::from("SELECT 1");
    Finding {
        about: About {
            name: "voucher.toml".into(),
            source_file: None,
            anomalies: Vec::new(),
            nothing: "violated",
            setup_sql: sql(),
            inspect_sql: sql(),
            clients_are_alike: true,
            shares_memory: false,
            scenario: None,
        },
        promises_safety: false,
        engine: Engine {
            flavour: Flavour::Sqlite,
            version: String::new(),
            isolation: Isolation::Serializable,
            snapshot_isolation: false,
            rolls_back_on_timeout: false,
            can_switch_snapshot_isolation: false,
            journal: None,
        },
        plan: Plan {
            schedules,
            clients: 2,
            instances: 1,
            limit: None,
            counterexample_first: false,
        },
        complete: true,
        diverged: 0,
        waits_not_seen: 0,
        covered: 0,
        is_bounded: false,
        open_from: None,
        ended_early: false,
        at_once: 1,
        took: Duration::ZERO,
        tally: Tally {
            schedules: counts.iter().sum(),
            by_preemptions: (0..).zip(counts.iter().copied()).collect(),
            verdicts: BTreeMap::from(verdicts),
            ..Tally::default()
        },
        seen: SeenSteps::default(),
        not_compared: Vec::new(),
        unexpected: Vec::new(),
        unexpected_verdicts: Vec::new(),
        expected_at: None,
    }
}

/// Three clients of which InnoDB has refused one in a deadlock.
fn with_a_deadlock(finding: Finding) -> Finding {
    Finding {
        engine: Engine {
            flavour: Flavour::MySql,
            ..finding.engine
        },
        plan: Plan {
            clients: 3,
            ..finding.plan
        },
        tally: Tally {
            verdicts: BTreeMap::from([(Verdict::Safe, finding.tally.schedules - 1)]),
            refused: BTreeMap::from([((FaultKind::Deadlock, None), 1)]),
            ..finding.tally
        },
        ..finding
    }
}

fn all(preemptions: Option<usize>) -> Schedules {
    Schedules::All { preemptions }
}

/// The words without the declined clients.
fn said(finding: &Finding) -> String {
    let words = verdict(finding);
    let (before, declined) = words.split_once("; a client is refused in ").unwrap();
    assert_eq!(declined, finding.tally.schedules.to_string());
    before.to_owned()
}

/// In a file the headline counts as `expect` does. A strategy's own refusal stays one.
#[test]
fn a_file_tells_who_was_refused_from_who_has_declined() {
    let of = |declined: u64, refused: u64, scenario: Option<ScenarioFacts>| {
        let finding = found(all(None), &[18]);
        let verdicts = [
            (Verdict::Declined, declined),
            (Verdict::Refused(FaultKind::Deadlock), refused),
        ];
        let verdicts = verdicts.into_iter().filter(|(_, count)| *count > 0);
        let refusals = (refused > 0).then_some(((FaultKind::Deadlock, None), refused));
        let finding = Finding {
            about: About {
                scenario,
                ..finding.about
            },
            tally: Tally {
                verdicts: verdicts.collect(),
                refused: refusals.into_iter().collect(),
                ..finding.tally
            },
            ..finding
        };
        verdict(&finding)
    };
    let file = || Some(ScenarioFacts::default());
    for (said, expected) in [
        (of(18, 0, file()), "a client declines in 18"),
        (of(0, 18, file()), "a client is refused in 18"),
        (
            of(15, 3, file()),
            "a client is refused in 3 and declines in 15",
        ),
        (of(15, 3, None), "a client is refused in 18"),
    ] {
        let all = "goes wrong in none of all 18 schedules of 2 clients; ";
        assert_eq!(said, format!("{all}{expected}"));
    }
}

#[test]
fn a_bound_is_named_where_it_has_left_something_out() {
    let bounded = Finding {
        is_bounded: true,
        ..found(all(Some(1)), &[2, 82])
    };
    assert!(!bounded.is_exhaustive());
    assert_eq!(
        said(&bounded),
        "goes wrong in none of all 84 schedules of 2 clients with at most 1 preemption"
    );
    let whole = found(all(Some(9)), &[2, 4]);
    assert!(whole.is_exhaustive());
    assert_eq!(
        said(&whole),
        "goes wrong in none of all 6 schedules of 2 clients"
    );
}

#[test]
fn a_search_that_has_ended_early_says_how_far_it_came() {
    let ended = |schedules, counts: &[u64], open_from| Finding {
        complete: false,
        open_from: Some(open_from),
        ..found(schedules, counts)
    };
    for (finding, words) in [
        (
            ended(all(None), &[2, 82, 916], 2),
            "1000 schedules of 2 clients (all 84 with at most 1 preemption, and 916 with 2)",
        ),
        (
            ended(all(Some(5)), &[2, 82], 2),
            "84 schedules of 2 clients (all with at most 1 preemption)",
        ),
        (ended(all(None), &[1], 0), "1 schedule of 2 clients"),
        (
            ended(Schedules::Reduced(Reduction::default()), &[2, 7], 1),
            "9 schedules of 2 clients (one for all that must end alike)",
        ),
    ] {
        let all = format!("goes wrong in none of {words}, which are not all there are");
        assert_eq!(said(&finding), all);
        assert!(!finding.is_exhaustive());
    }
}

#[test]
fn a_reduced_search_says_what_each_run_stands_for() {
    let reduced = found(Schedules::Reduced(Reduction::default()), &[2, 7]);
    let words = "9 schedules of 2 clients (one for all that must end alike)";
    assert_eq!(said(&reduced), format!("goes wrong in none of all {words}"));
    let safe = Finding {
        tally: Tally {
            verdicts: BTreeMap::from([(Verdict::Safe, 9)]),
            ..reduced.tally.clone()
        },
        ..reduced
    };
    assert_eq!(verdict(&safe), format!("safe in all {words}"));
}

#[test]
fn a_divergence_hides_neither_an_early_end_nor_how_far_the_search_came() {
    const OPEN: &str = "; what follows 1 more beginning is not known, because the engine did not \
                        repeat it";
    let reduced = || Schedules::Reduced(Reduction::default());
    let diverged = |finding, complete, open_from| Finding {
        diverged: 1,
        complete,
        open_from: Some(open_from),
        ..finding
    };
    for (finding, words) in [
        (
            diverged(found(all(None), &[2, 82, 9]), true, 1),
            "93 schedules of 2 clients (all 2 without a preemption, and 91 with more); a client is \
             refused in 93",
        ),
        (
            diverged(found(all(None), &[2, 80]), false, 1),
            "82 schedules of 2 clients (all 2 without a preemption, and 80 with 1), which are not \
             all there are; a client is refused in 82",
        ),
        (
            diverged(found(reduced(), &[2, 7]), true, 1),
            "9 schedules of 2 clients (one for all that must end alike); a client is refused in 9",
        ),
        (
            diverged(found(reduced(), &[2, 7]), false, 1),
            "9 schedules of 2 clients (one for all that must end alike), which are not all there \
             are; a client is refused in 9",
        ),
    ] {
        let words = format!("goes wrong in none of {words}{OPEN}");
        assert_eq!(verdict(&finding), words);
    }
    let two = Finding {
        diverged: 2,
        ..found(all(None), &[2])
    };
    let words =
        "what follows 2 more beginnings is not known, because the engine did not repeat them";
    assert!(verdict(&two).ends_with(words), "{}", verdict(&two));
}

#[test]
fn where_the_victim_of_a_deadlock_can_differ_nothing_is_complete() {
    const OPEN: &str = "; a client is refused in 1; which client InnoDB refuses in a deadlock can \
                        differ from run to run, and these counts with it";
    let bounded = Finding {
        is_bounded: true,
        ..found(all(Some(1)), &[6, 78])
    };
    let ended = |schedules| Finding {
        complete: false,
        open_from: Some(2),
        ..found(schedules, &[6, 78])
    };
    for (finding, words) in [
        (found(all(None), &[6, 78]), "84 schedules of 3 clients"),
        (
            bounded,
            "84 schedules of 3 clients with at most 1 preemption",
        ),
        (
            ended(all(None)),
            "84 schedules of 3 clients, which are not all there are",
        ),
        (
            found(Schedules::Reduced(Reduction::default()), &[6, 78]),
            "84 schedules of 3 clients (one for all that must end alike)",
        ),
        (
            ended(Schedules::Reduced(Reduction::default())),
            "84 schedules of 3 clients (one for all that must end alike), which are not all there \
             are",
        ),
    ] {
        let finding = with_a_deadlock(finding);
        let words = format!("goes wrong in none of {words}{OPEN}");
        assert_eq!(verdict(&finding), words);
        assert_eq!(finding.complete_up_to(), None);
        assert!(!finding.is_exhaustive());
    }
    let diverged = with_a_deadlock(Finding {
        diverged: 1,
        ..found(all(None), &[6])
    });
    let said = verdict(&diverged);
    assert!(
        said.contains("what follows 1 more beginning is not known"),
        "{said}"
    );
    assert!(said.ends_with("and these counts with it"), "{said}");
}

#[test]
fn a_sample_bounds_what_it_has_not_seen() {
    // The rule of three, which is the same for large numbers.
    assert_eq!(percent(bound_95(1000)), "0.30 %");
    assert_eq!(percent(bound_95(1)), "95.00 %");
    // 10 of 100: a textbook's example.
    let (low, high) = interval_95(10, 100);
    assert_eq!(
        (percent(low), percent(high)),
        ("5.52 %".into(), "17.44 %".into())
    );
}
