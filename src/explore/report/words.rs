//! The verdict in words.
//!
//! It says no more than was run: "safe in all 36 schedules of 2 clients", and for a sample its size
//! and a bound, never "safe" alone.

use super::super::{Finding, Schedules};
use crate::verdict::Verdict;

/// The verdict in words. It says no more than was run.
pub(super) fn verdict(finding: &Finding) -> String {
    let verdict = of_what_was_counted(finding);
    match finding.waits_not_seen {
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

/// What goes wrong in how many schedules. The number of all schedules follows.
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

/// The number of schedules, and which kind.
fn ran(finding: &Finding) -> String {
    let runs = of_clients(finding);
    match &finding.plan.schedules {
        Schedules::All { reduced: true } => {
            let names = if finding.about.clients_are_alike {
                ", or in the clients' names"
            } else {
                ""
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

/// What a sample says of the schedules that were not drawn.
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

/// The share of the population that may be bad although none of those drawn was, with 95 %
/// confidence: a larger share would have shown with a probability of more than 95 %.
fn bound_95(drawn: u64) -> f64 {
    1.0 - 0.05_f64.powf(1.0 / drawn as f64)
}

/// The share of the population that is bad, with 95 % confidence, if this number of those drawn
/// were (Wilson's score interval).
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

#[cfg(test)]
mod tests {
    use super::*;

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
