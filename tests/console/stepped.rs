//! Schedules that are stepped through, made of what the explorer finds on real engines.

use racy::console::stepped::{self, SteppedRun, SteppedStep};
use racy::engine::Flavour;
use racy::explore::report::{ExampleData, FindingData, Report};

use crate::support::TestEngine;
use crate::support::explored::everything;

on_engines!(
    mysql: what_is_found_can_be_stepped_through;
    sqlite: what_is_found_can_be_stepped_through;
);

/// One test, so that one alone waits for the exploration.
async fn what_is_found_can_be_stepped_through(engine: TestEngine) {
    let runs = stepped(engine).await;
    each_statement_of_a_strategy_has_its_line(&runs);
    what_is_stored_in_the_end_agrees_with_the_verdict(&runs);
    a_lost_update_is_told_as_three_steps(&runs);
}

/// An example of a finding, stepped through.
type Stepped = (FindingData, ExampleData, SteppedRun);

/// Each example of each finding, stepped through.
async fn stepped(engine: TestEngine) -> Vec<Stepped> {
    let report = Report::of_findings(everything(engine).await, Vec::new());
    let of_finding = |finding: FindingData| {
        let examples = [&finding.counterexample, &finding.refused_example];
        let examples: Vec<_> = examples.into_iter().flatten().cloned().collect();
        let run = |example: ExampleData| {
            let run = stepped::of(&finding, &example);
            (finding.clone(), example, run)
        };
        examples.into_iter().map(run).collect::<Vec<_>>()
    };
    report.findings.into_iter().flat_map(of_finding).collect()
}

/// What a client of the tables does besides: it kills another one, or removes what is old.
const OF_NO_STRATEGY: [&str; 4] = [
    "kill A",
    "find unused files",
    "remove snapshots",
    "remove files",
];

/// The client beside the strategy's own is none of the strategy's, and has no line there.
fn is_of_the_strategy(finding: &FindingData, step: &SteppedStep) -> bool {
    let is_beside = finding.strategy.contains(", ") && step.client == "A";
    let is_read = ["statement", "tables/read_"];
    let is_read = is_read.iter().any(|it| finding.strategy.starts_with(it));
    let is_a_writer = is_read && step.client != "A";
    !is_beside && !is_a_writer && !OF_NO_STRATEGY.contains(&&*step.label)
}

fn each_statement_of_a_strategy_has_its_line(runs: &[Stepped]) {
    for (finding, _, run) in runs {
        let source = run.source.as_ref().unwrap();
        let steps = run.steps.iter();
        // The end of a session rolls back what its strategy has left open.
        let of_the_strategy =
            steps.filter(|it| it.action != "rollback" && is_of_the_strategy(finding, it));
        for step in of_the_strategy {
            let (name, label) = (&finding.strategy, &step.label);
            let line = step
                .line
                .unwrap_or_else(|| panic!("{name}: {label} has no line"));
            let text = &source.lines[(line - source.first) as usize];
            let calls = [
                ".",
                "s.",
                "insert_",
                "next_number(",
                "tidy_up(",
                "latest(",
                "sum(",
            ];
            let calls_something = text.contains('(') && calls.iter().any(|it| text.contains(it));
            assert!(calls_something, "{name}: {label} in line {line}: {text}");
        }
    }
}

fn what_is_stored_in_the_end_agrees_with_the_verdict(runs: &[Stepped]) {
    for (finding, example, run) in runs {
        let last = &run.steps.last().unwrap().row;
        let value = |name: &str| {
            let cell = last.iter().find(|it| it.name == name)?;
            cell.value.parse::<i64>().ok()
        };
        let (Some(balance), Some(sum)) = (value("balance"), value("sum of transactions")) else {
            // Orders and exports store something else.
            assert!(example.not_looked_at.is_none(), "{}", finding.strategy);
            continue;
        };
        let is_lost = example.verdict.verdict == "lost_update";
        let (name, schedule) = (&finding.strategy, &run.schedule);
        let what = format!("{name}, {schedule}: {balance} and {sum}");
        if is_lost {
            // The record may be gone as well: each of two clients has deposited 100.
            assert!(balance < sum.max(200), "{what}");
        } else {
            assert_eq!(balance, sum, "{what}");
        }
    }
}

/// At REPEATABLE READ, which SQLite does not have.
fn a_lost_update_is_told_as_three_steps(runs: &[Stepped]) {
    let is_it = |(finding, ..): &&Stepped| {
        finding.strategy == "atomic_no_delay"
            && finding.engine.isolation.sql() == "REPEATABLE READ"
            && finding.engine.flavour == Flavour::MySql
    };
    let found = runs.iter().find(is_it);
    let is_mysql = |(finding, ..): &Stepped| finding.engine.flavour == Flavour::MySql;
    assert_eq!(found.is_some(), runs.iter().any(is_mysql));
    let Some((_, _, run)) = found else {
        return;
    };
    let loss = run.loss.as_ref().unwrap();
    assert_eq!(
        loss.sentence,
        "A read 0 before B wrote 100; A then wrote 100: B's 100 is gone."
    );
    assert_eq!(run.steps[loss.read].sentence, "A reads balance: 0.");
    assert_eq!(run.highlight.as_ref().unwrap().index, loss.overwrite);
}
