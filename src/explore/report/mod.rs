//! Findings for people and for programs.
//!
//! What is said of a strategy is no more than what was done: "safe in all 36 schedules of 2
//! clients", and for a sample its size and a bound, never "safe" alone.

mod json;
pub mod matrix;
mod script;
mod timeline;

use std::fmt::Write as _;

pub use json::FindingJson;

use super::{Example, Finding, SHOWN_SECOND, SHOWN_STAKE, Schedules};
use crate::step::{Action, Argument, Step};
use crate::verdict::Verdict;

/// The verdict in words, as far as it may be said.
pub fn verdict(finding: &Finding) -> String {
    let verdict = of_what_was_counted(finding);
    match finding.not_seen {
        0 => verdict,
        not_seen => format!(
            "{verdict}; of {} more the wait for a lock was not seen, which says nothing",
            counted(not_seen, "run")
        ),
    }
}

fn of_what_was_counted(finding: &Finding) -> String {
    let tally = &finding.tally;
    if let Schedules::One(schedule) = &finding.plan.schedules {
        let verdict = tally.verdicts.keys().next();
        return match verdict {
            Some(verdict) => format!("{verdict} under the schedule {schedule}"),
            None => format!("the schedule {schedule} did not come to its end"),
        };
    }
    if tally.count(Verdict::Safe) == tally.schedules && finding.is_exhaustive() {
        return format!("safe in all {}", ran(finding));
    }
    let lost = anomalies(finding);
    let refused = match tally.turned_away() {
        0 => String::new(),
        refused => format!("; a client is refused in {refused}"),
    };
    let ran = ran(finding);
    match &finding.plan.schedules {
        _ if finding.is_exhaustive() => format!("{lost} all {ran}{refused}"),
        Schedules::Sample { .. } => format!("{lost} {ran}{refused}; {}", bound(finding)),
        _ if finding.diverged > 0 => format!(
            "{lost} {ran}{refused}; what {} others lead to stays open, because the engine did not do \
             again what it had done before",
            finding.diverged
        ),
        _ if finding.complete => format!(
            "{lost} {ran}{refused}; which of three clients InnoDB gives up in a deadlock differs from \
             run to run, and these counts with it"
        ),
        _ => format!(
            "{lost} {}, which are not all there are{refused}",
            of_clients(finding)
        ),
    }
}

/// What goes wrong in how many schedules; to be followed by how many there were.
fn anomalies(finding: &Finding) -> String {
    let found: Vec<_> = finding
        .anomalies()
        .map(|(anomaly, count)| format!("{} in {count}", anomaly.does))
        .collect();
    match &found[..] {
        [] => "goes wrong in none of".to_owned(),
        [one] => format!("{one} of"),
        several => format!("{}, of", several.join(", and ")),
    }
}

/// How many schedules of which kind.
fn ran(finding: &Finding) -> String {
    let runs = of_clients(finding);
    match &finding.plan.schedules {
        Schedules::All { reduced: true } => {
            let names = match finding.subject.clients_are_alike() {
                true => ", or in the clients' names",
                false => "",
            };
            format!(
                "{runs} that can end differently (the others differ from one of these only in the order of \
                 steps that cannot meet{names})"
            )
        }
        Schedules::Sample { seed, .. } => format!("{runs} drawn at random (seed {seed})"),
        _ => runs,
    }
}

fn of_clients(finding: &Finding) -> String {
    let schedules = counted(finding.tally.schedules, "schedule");
    let clients = counted(finding.plan.clients as u64, "client");
    format!("{schedules} of {clients}")
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

/// What a sample says of those that were not drawn.
fn bound(finding: &Finding) -> String {
    let (bad, drawn) = (finding.tally.anomalies(), finding.tally.schedules);
    match (bad, drawn) {
        (_, 0) => "which says nothing".to_owned(),
        (0, _) => format!(
            "with 95 % confidence, fewer than {} of the schedules drawn like this go wrong",
            percent(bound_95(drawn))
        ),
        _ => {
            let (low, high) = interval_95(bad, drawn);
            let (low, high) = (percent(low), percent(high));
            format!("with 95 % confidence, {low} to {high} of the schedules drawn like this do")
        }
    }
}

/// What share of the population may be bad although none of so many drawn was, with 95 % confidence:
/// a larger share would have shown with a probability of more than 95 %.
fn bound_95(drawn: u64) -> f64 {
    1.0 - 0.05_f64.powf(1.0 / drawn as f64)
}

/// The share of the population that is bad where so many of those drawn were, with 95 % confidence
/// (Wilson's score interval).
fn interval_95(bad: u64, drawn: u64) -> (f64, f64) {
    const Z: f64 = 1.96;
    let drawn = drawn as f64;
    let share = bad as f64 / drawn;
    let scale = 1.0 + Z * Z / drawn;
    let middle = (share + Z * Z / (2.0 * drawn)) / scale;
    let reach = Z / scale * (share * (1.0 - share) / drawn + Z * Z / (4.0 * drawn * drawn)).sqrt();
    ((middle - reach).max(0.0), (middle + reach).min(1.0))
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// Each verdict and how often it came, the worst first.
fn counts(finding: &Finding) -> Vec<(u64, String)> {
    let tally = &finding.tally;
    let refused = tally.refused.iter().map(|((fault, code), count)| {
        let code = code.as_ref().map(|code| format!(" ({code})"));
        (
            *count,
            format!("refused: {fault}{}", code.unwrap_or_default()),
        )
    });
    let count = |verdict: Verdict| (tally.count(verdict), verdict.to_string());
    let anomalies = finding.anomalies();
    let anomalies = anomalies.map(|(anomaly, count)| (count, anomaly.title.to_owned()));
    let others = [Verdict::Declined, Verdict::Safe].map(count);
    let counts = anomalies.chain(refused).chain(others);
    counts.filter(|(count, _)| *count > 0).collect()
}

/// The findings for a person at a terminal.
pub fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    if findings.is_empty() {
        text.push_str("Nothing was explored.\n");
    }
    for finding in findings {
        let (strategy, instances) = (finding.strategy(), finding.several_instances());
        let _ = writeln!(text, "{strategy}{instances} on {}", finding.engine);
        let _ = writeln!(text, "{}\n", verdict(finding));
        for (count, what) in counts(finding) {
            let _ = writeln!(text, "{count:>8}  {what}");
        }
        if finding.tally.schedules > 0 {
            let waited = finding.tally.waited;
            let _ = writeln!(text, "{waited:>8}  with a wait for a lock\n");
        }
        if let Some((heading, example)) = shown(finding) {
            let _ = writeln!(text, "{heading}: {}\n", example.schedule);
            text.push_str(&timeline::draw(example, finding.plan.clients));
            let script = script::write(finding, example);
            let _ = writeln!(text, "\nThe same as SQL:\n\n{script}");
        }
    }
    text.push_str(&about_thinking(findings));
    text
}

/// The findings as Markdown.
pub fn markdown(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let (strategy, instances) = (finding.strategy(), finding.several_instances());
        let _ = writeln!(text, "## `{strategy}`{instances} on {}\n", finding.engine);
        let _ = writeln!(
            text,
            "{}.\n\n| schedules | |\n|--:|---|",
            sentence(&verdict(finding))
        );
        for (count, what) in counts(finding) {
            let _ = writeln!(text, "| {count} | {what} |");
        }
        let _ = writeln!(
            text,
            "| {} | with a wait for a lock |\n",
            finding.tally.waited
        );
        if let Some((heading, example)) = shown(finding) {
            let drawn = timeline::draw(example, finding.plan.clients);
            let script = script::write(finding, example);
            let _ = writeln!(text, "{heading}: `{}`\n", example.schedule);
            let _ = writeln!(text, "```text\n{drawn}```\n\n```sql\n{script}```\n");
        }
    }
    text.push_str(&about_thinking(findings));
    text
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// The run that is worth showing, and what it is an example of.
fn shown(finding: &Finding) -> Option<(String, &Example)> {
    if let Some(replayed) = finding.replayed() {
        return Some(("The schedule".to_owned(), replayed));
    }
    let shortest = if finding.is_exhaustive() {
        "The shortest schedule"
    } else {
        "The shortest of the schedules run"
    };
    if let Some((anomaly, counterexample)) = finding.counterexample() {
        return Some((format!("{shortest} that {}", anomaly.does), counterexample));
    }
    let refused = finding.shortest_refused()?;
    Some((format!("{shortest} in which a client is refused"), refused))
}

fn about_thinking(findings: &[Finding]) -> String {
    let thinks = |finding: &Finding| {
        let examples = finding.tally.examples.values();
        let mut rows = examples.flat_map(|example| &example.trace.rows);
        rows.any(|row| row.step.action == Action::Think)
    };
    match findings.iter().any(thinks) {
        true => "A think (the long delay) is a step without a statement: it touches nothing, so a schedule \
                 does not say\nwhen it happens and the explorer needs no time for it. That is why a strategy \
                 comes out the same with the\nlong delay and without: a delay changes how often an update \
                 is lost, never whether it can be.\n"
            .to_owned(),
        false => String::new(),
    }
}

impl Example {
    /// A step's statement with its values in it, as it could be typed. None for a think.
    fn statement(&self, step: &Step) -> Option<String> {
        let values: Vec<_> = step.args.iter().map(|value| self.shown(value)).collect();
        Some(with_values(step.sql.as_deref()?, &values))
    }

    /// A value as reports show it, so that every run reads the same. What was raced for is number
    /// [`SHOWN_STAKE`], also as the time of a UUID; the clock shows [`SHOWN_SECOND`].
    fn shown(&self, value: &Argument) -> Argument {
        match value {
            Argument::Integer(number) if *number == self.stake => SHOWN_STAKE.into(),
            Argument::Integer(number) if Some(*number) == self.second => SHOWN_SECOND.into(),
            Argument::Integer(_) => value.clone(),
            Argument::Text(text) => {
                let shown = text.replace(&time_of_a_uuid(self.stake), &time_of_a_uuid(SHOWN_STAKE));
                Argument::Text(shown)
            }
        }
    }
}

/// How a UUID of version 7 begins that has this number as its time.
fn time_of_a_uuid(number: i64) -> String {
    let hexadecimal = format!("{:012x}", number & 0xffff_ffff_ffff);
    let (high, low) = hexadecimal.split_at(8);
    format!("{high}-{low}")
}

/// Puts values in the place of `?`, one after the other, and of `$1`, `$2`, ….
fn with_values(sql: &str, values: &[Argument]) -> String {
    let mut written = String::new();
    let mut rest = sql;
    let mut next = 0;
    while let Some(at) = rest.find(['?', '$']) {
        let (before, placeholder) = rest.split_at(at);
        let after = &placeholder[1..];
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = match placeholder.starts_with('?') {
            true => (next, after),
            false => (
                after[..digits]
                    .parse::<usize>()
                    .unwrap_or_default()
                    .wrapping_sub(1),
                &after[digits..],
            ),
        };
        next += 1;
        written.push_str(before);
        match values.get(number) {
            Some(value) => written.push_str(&value.to_string()),
            None => written.push_str(&placeholder[..placeholder.len() - after.len()]),
        }
        rest = after;
    }
    written + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_places_of_placeholders() {
        for (sql, written) in [
            ("SELECT 1", "SELECT 1"),
            (
                "UPDATE a SET b = ? WHERE id = ?",
                "UPDATE a SET b = 7 WHERE id = 8",
            ),
            (
                "UPDATE a SET b = $2 WHERE id = $1",
                "UPDATE a SET b = 8 WHERE id = 7",
            ),
            ("VALUES ($1, $2) $3", "VALUES (7, 8) $3"),
            ("a = ? AND b = ? AND c = ?", "a = 7 AND b = 8 AND c = ?"),
        ] {
            assert_eq!(with_values(sql, &[7.into(), 8.into()]), written);
        }
    }

    #[test]
    fn a_uuid_begins_with_its_time() {
        assert_eq!(time_of_a_uuid(0x0199_0000_0001), "01990000-0001");
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
}
