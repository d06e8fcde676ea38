//! The summary as lines of text.

use std::fmt::Write as _;

use super::commits;
use super::flow::{Flow, Quantile};
use super::instances::{AccountLoss, Pool, Summary};

/// The names of the columns. The first column is as wide as the longest name of a strategy.
pub(super) fn header(summary: &Summary<'_>) -> String {
    let columns = ["req/s", "applied/s", "conflict", "retries", "p50", "p99"];
    row("strategy", summary.longest_name, columns.map(str::to_owned))
}

/// A line for each strategy, then the lines about all of them.
pub(super) fn lines(summary: &Summary<'_>) -> Vec<String> {
    let mut lines = rows(summary, summary.rates.iter());
    lines.extend(of_all(summary));
    lines
}

/// The same lines with a header, for a terminal. A terminal that is too small cuts off the end. So
/// the lines about all strategies come first, and strategies without requests come last.
pub(super) fn picture(summary: &Summary<'_>) -> Vec<String> {
    let mut rates: Vec<_> = summary.rates.iter().collect();
    rates.sort_by_key(|(_, rate)| rate.requests <= 0.0);
    let mut lines = of_all(summary);
    lines.push(header(summary));
    lines.extend(rows(summary, rates.into_iter()));
    lines
}

fn rows<'r>(
    summary: &Summary<'_>,
    rates: impl Iterator<Item = (&'r &'r str, &'r Flow)>,
) -> Vec<String> {
    let row = |(strategy, rate): (&&str, &Flow)| row(strategy, summary.longest_name, cells(rate));
    let rows: Vec<_> = rates.map(row).collect();
    if rows.is_empty() {
        return vec!["no requests yet".to_owned()];
    }
    rows
}

/// The pool, what was lost, the tables, and the instances if there are several.
fn of_all(summary: &Summary<'_>) -> Vec<String> {
    let mut lines = vec![pool(&summary.pool), lost(summary)];
    lines.extend(commits::lines(&summary.commits));
    if summary.instances.len() > 1 {
        lines.push(format!("instances: {}", summary.instances.join(", ")));
    }
    lines
}

/// The widths of the columns. A row with a name of 29 letters fits a terminal of 80 columns.
const WIDTHS: [usize; 6] = [6, 9, 8, 7, 7, 8];

fn row(first: &str, longest_name: usize, others: [String; 6]) -> String {
    let width = longest_name.max("strategy".len());
    let mut row = format!("{first:width$}");
    for (cell, width) in others.iter().zip(WIDTHS) {
        let _ = write!(row, " {cell:>width$}");
    }
    row
}

fn cells(rate: &Flow) -> [String; 6] {
    let by_request = |number: f64| (rate.requests > 0.0).then(|| number / rate.requests);
    let conflicts = by_request(rate.conflicts).map(|share| format!("{:.1} %", share * 100.0));
    let retries = by_request(rate.retries).map(|retries| format!("{retries:.2}"));
    let nothing = || "–".to_owned();
    [
        format!("{:.1}", rate.requests),
        format!("{:.1}", rate.applied),
        conflicts.unwrap_or_else(nothing),
        retries.unwrap_or_else(nothing),
        rate.durations.quantile(0.5).map_or_else(nothing, time),
        rate.durations.quantile(0.99).map_or_else(nothing, time),
    ]
}

fn time(quantile: Quantile) -> String {
    let in_words = |seconds: f64| match seconds {
        0.0..0.1 => format!("{:.1} ms", seconds * 1000.0),
        0.1..1.0 => format!("{:.0} ms", seconds * 1000.0),
        _ => format!("{seconds:.1} s"),
    };
    match quantile {
        Quantile::About(seconds) => in_words(seconds),
        Quantile::Beyond(seconds) => format!("> {}", in_words(seconds)),
    }
}

fn pool(pool: &Pool) -> String {
    format!(
        "pool: {} of {} connections in use, {} idle, {} requests waiting",
        pool.in_use, pool.limit, pool.idle, pool.waiting
    )
}

/// The most accounts in a line. With more, the line would be too long to read.
const ACCOUNTS_SHOWN: usize = 3;

fn lost(summary: &Summary<'_>) -> String {
    let Some(lost) = &summary.lost else {
        let why = if summary.database_up {
            "the accounts take too long to read"
        } else {
            "the database does not answer"
        };
        return format!("lost: unknown, {why}");
    };
    if lost.is_empty() {
        return "lost: nothing".to_owned();
    }
    let in_account = |(account, lost): (&i64, &AccountLoss)| {
        let AccountLoss { amount, updates } = lost;
        format!("{amount} in account {account} ({updates} updates or more)")
    };
    let mut parts: Vec<_> = lost.iter().take(ACCOUNTS_SHOWN).map(in_account).collect();
    match lost.len().saturating_sub(ACCOUNTS_SHOWN) {
        0 => {}
        1 => parts.push("and in 1 further account".to_owned()),
        more => parts.push(format!("and in {more} further accounts")),
    }
    format!("lost: {}", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::exposition::parse;
    use super::*;

    fn summary(rates: BTreeMap<&str, Flow>) -> Summary<'_> {
        Summary {
            instances: vec!["x"],
            rates,
            longest_name: "atomic_long_delay".len(),
            commits: BTreeMap::new(),
            pool: Pool {
                in_use: 8.0,
                idle: 2.0,
                limit: 100.0,
                waiting: 1.0,
            },
            database_up: true,
            lost: Some(BTreeMap::new()),
        }
    }

    fn busy() -> Flow {
        let text = "racy_requests_total{outcome=\"applied\",status=\"200\"} 20\n\
                    racy_requests_total{outcome=\"refused\",status=\"409\"} 60\n\
                    racy_retries_total 20\n\
                    racy_request_duration_seconds_bucket{le=\"0.1\"} 40\n\
                    racy_request_duration_seconds_bucket{le=\"60.0\"} 70\n\
                    racy_request_duration_seconds_bucket{le=\"+Inf\"} 80\n";
        let mut flow = Flow::default();
        for sample in &parse(text).unwrap() {
            flow.count(sample);
        }
        flow
    }

    #[test]
    fn a_line_shows_what_a_strategy_does_under_its_headings() {
        let rates = BTreeMap::from([("atomic_long_delay", busy()), ("idle", Flow::default())]);
        let summary = summary(rates);
        let shown = [vec![header(&summary)], lines(&summary)]
            .concat()
            .join("\n");
        let expected = "\
strategy           req/s applied/s conflict retries     p50      p99
atomic_long_delay   80.0      20.0   75.0 %    0.25  100 ms > 60.0 s
idle                 0.0       0.0        –       –       –        –
pool: 8 of 100 connections in use, 2 idle, 1 requests waiting
lost: nothing";
        assert_eq!(shown, expected, "\n{shown}");
    }

    #[test]
    fn a_terminal_that_is_too_small_cuts_off_idle_strategies() {
        let rates = BTreeMap::from([
            ("a_is_idle", Flow::default()),
            ("busy", busy()),
            ("c_is_idle", Flow::default()),
        ]);
        let shown = picture(&summary(rates));
        let begins: Vec<_> = shown.iter().filter_map(|it| it.split(' ').next()).collect();
        assert_eq!(
            begins,
            [
                "pool:",
                "lost:",
                "strategy",
                "busy",
                "a_is_idle",
                "c_is_idle"
            ]
        );
    }

    #[test]
    fn what_was_lost_is_told_by_account() {
        let lost = AccountLoss {
            amount: 900.0,
            updates: 9.0,
        };
        let mut summary = summary(BTreeMap::new());
        summary.lost = Some((1..=5).map(|account| (account, lost)).collect());
        summary.instances.push("y");
        let shown = lines(&summary).join("\n");
        for words in [
            "no requests yet",
            "lost: 900 in account 1 (9 updates or more), 900 in account 2",
            "and in 2 further accounts",
            "instances: x, y",
        ] {
            assert!(shown.contains(words), "{words} is not in\n{shown}");
        }
        summary.lost = Some((1..=4).map(|account| (account, lost)).collect());
        let shown = lines(&summary).join("\n");
        assert!(shown.contains("and in 1 further account\n"), "{shown}");
    }

    #[test]
    fn what_is_not_known_is_not_called_nothing() {
        let mut summary = summary(BTreeMap::new());
        summary.lost = None;
        assert!(lines(&summary).join("\n").contains("unknown, the accounts"));
        summary.database_up = false;
        assert!(lines(&summary).join("\n").contains("unknown, the database"));
    }
}
