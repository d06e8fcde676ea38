//! The commits to tables of files: of each table by each strategy.

use std::collections::BTreeMap;
use std::time::Duration;

use super::exposition::Sample;

/// Whose commits they are: the table's name, and the strategy's.
pub(super) type Whose = (String, String);

/// Numbers of attempts to commit: since the service began, or per second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Commits {
    pub(super) made: f64,
    /// Attempts that came after another client's commit.
    pub(super) conflicts: f64,
    pub(super) retries: f64,
}

impl Commits {
    /// Adds a sample to those of its table, if it is about one.
    pub(super) fn count(all: &mut BTreeMap<Whose, Self>, sample: &Sample) {
        let number: fn(&mut Self) -> &mut f64 = match sample.name.as_str() {
            "racy_table_commits_total" => |it| &mut it.made,
            "racy_table_conflicts_total" => |it| &mut it.conflicts,
            "racy_table_retries_total" => |it| &mut it.retries,
            _ => return,
        };
        let label = |name| sample.label(name).to_owned();
        let own = all.entry((label("table"), label("strategy"))).or_default();
        *number(own) += sample.value;
    }

    /// The rates per second, from earlier totals to these.
    pub(super) fn per_second(
        now: &BTreeMap<Whose, Self>,
        earlier: &BTreeMap<Whose, Self>,
        time: Duration,
    ) -> BTreeMap<Whose, Self> {
        let rates = now.iter().map(|(whose, total)| {
            let before = earlier.get(whose).copied().unwrap_or_default();
            let rate = |now: f64, before: f64| (now - before) / time.as_secs_f64();
            let rates = Self {
                made: rate(total.made, before.made),
                conflicts: rate(total.conflicts, before.conflicts),
                retries: rate(total.retries, before.retries),
            };
            (whose.clone(), rates)
        });
        rates.collect()
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.made += other.made;
        self.conflicts += other.conflicts;
        self.retries += other.retries;
    }

    /// Whether nothing has happened.
    pub(super) fn is_idle(&self) -> bool {
        self.made + self.conflicts <= 0.0
    }
}

/// The most tables that have a line of their own.
const LINES: usize = 5;

/// A line for each table that clients are committing to, the busiest first.
pub(super) fn lines(all: &BTreeMap<Whose, Commits>) -> Vec<String> {
    let mut busy: Vec<_> = all.iter().filter(|(_, it)| !it.is_idle()).collect();
    busy.sort_by(|(_, one), (_, other)| {
        let attempts = |it: &Commits| it.made + it.conflicts;
        attempts(other).total_cmp(&attempts(one))
    });
    let line = |((table, strategy), it): &(&Whose, &Commits)| {
        format!(
            "table {table}: {:.1} commits/s, {:.1} conflicts/s, {:.1} retries/s by {strategy}",
            it.made, it.conflicts, it.retries
        )
    };
    let mut lines: Vec<_> = busy.iter().take(LINES).map(line).collect();
    match busy.len().saturating_sub(LINES) {
        0 => {}
        1 => lines.push("1 further table".to_owned()),
        more => lines.push(format!("{more} further tables")),
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::exposition::parse;
    use super::*;

    fn totals(commits: u32) -> BTreeMap<Whose, Commits> {
        let text = format!(
            "racy_table_commits_total{{strategy=\"s\",table=\"busy\"}} {commits}\n\
             racy_table_conflicts_total{{strategy=\"s\",table=\"busy\"}} 6\n\
             racy_table_retries_total{{strategy=\"s\",table=\"busy\"}} 4\n\
             racy_table_commits_total{{strategy=\"s\",table=\"idle\"}} 7\n\
             racy_requests_total{{strategy=\"s\",outcome=\"applied\",status=\"200\"}} 9\n"
        );
        let mut all = BTreeMap::new();
        for sample in &parse(&text).unwrap() {
            Commits::count(&mut all, sample);
        }
        all
    }

    #[test]
    fn a_table_has_a_line_while_clients_commit_to_it() {
        let nothing = BTreeMap::new();
        let two = Duration::from_secs(2);
        let rates = Commits::per_second(&totals(20), &nothing, two);
        let expected = [
            "table busy: 10.0 commits/s, 3.0 conflicts/s, 2.0 retries/s by s",
            "table idle: 3.5 commits/s, 0.0 conflicts/s, 0.0 retries/s by s",
        ];
        assert_eq!(lines(&rates), expected);
        let rates = Commits::per_second(&totals(20), &totals(10), two);
        let expected = "table busy: 5.0 commits/s, 0.0 conflicts/s, 0.0 retries/s by s";
        assert_eq!(lines(&rates), [expected]);
    }

    #[test]
    fn few_tables_have_lines() {
        let busy = Commits {
            made: 1.0,
            ..Commits::default()
        };
        let tables = |count: usize| {
            let all = (0..count).map(|it| ((format!("t{it}"), "s".to_owned()), busy));
            lines(&all.collect())
        };
        assert_eq!(tables(6).last().unwrap(), "1 further table");
        assert_eq!(tables(9)[5..], ["4 further tables"]);
    }
}
