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
    let ran = ran(finding);
    if tally.count(Verdict::Safe) == tally.schedules && finding.is_exhaustive() {
        return format!("safe in all {ran}");
    }
    let lost = anomalies(finding);
    let refused = turned_away(finding);
    match &finding.plan.schedules {
        Schedules::Sample { .. } => format!("{lost} {ran}{refused}; {}", confidence(finding)),
        Schedules::All { .. }
        | Schedules::Reduced(_)
        | Schedules::Bounded { .. }
        | Schedules::One(_) => {
            let all = if finding.is_whole() { "all " } else { "" };
            let ended = if finding.complete {
                ""
            } else {
                ", which are not all there are"
            };
            let open = what_stays_open(finding);
            format!("{lost} {all}{ran}{ended}{refused}{open}")
        }
    }
}

/// In how many schedules a client is turned away. Empty if in none. In a file the engine's refusals
/// and the clients' own decisions are two counts, which `expect` tells apart as well. A strategy's
/// own decisions are a part of how it refuses.
fn turned_away(finding: &Finding) -> String {
    let tally = &finding.tally;
    let declined = tally.count(Verdict::Declined);
    if finding.about.scenario.is_none() {
        return match tally.turned_away() {
            0 => String::new(),
            refused => format!("; a client is refused in {refused}"),
        };
    }
    match (tally.turned_away() - declined, declined) {
        (0, 0) => String::new(),
        (refused, 0) => format!("; a client is refused in {refused}"),
        (0, declined) => format!("; a client declines in {declined}"),
        (refused, declined) => {
            format!("; a client is refused in {refused} and declines in {declined}")
        }
    }
}

/// What the runs leave open, apart from an early end of the search. Empty if they leave nothing
/// open.
fn what_stays_open(finding: &Finding) -> String {
    let diverged = match finding.diverged {
        0 => String::new(),
        diverged => format!(
            "; what follows {} is not known, because the engine did not repeat {}",
            counted(diverged, "more beginning"),
            if diverged == 1 { "it" } else { "them" }
        ),
    };
    let victims = if finding.has_other_victims() {
        "; which client InnoDB refuses in a deadlock can differ from run to run, and these counts with it"
    } else {
        ""
    };
    let early = if finding.ended_early {
        "; schedules with more preemptions were not run, because a simpler one goes wrong"
    } else {
        ""
    };
    diverged + victims + early
}

/// The schedules of a search that is not whole: all with few preemptions, and some with more.
fn as_far_as_it_came(finding: &Finding) -> String {
    let of_clients = of_clients(finding);
    let Some(complete) = finding.complete_up_to() else {
        return of_clients + &bound_in_words(finding);
    };
    let counts = &finding.tally.by_preemptions;
    let fewer: u64 = counts.range(..=complete).map(|(_, count)| count).sum();
    let more: u64 = counts.range(complete + 1..).map(|(_, count)| count).sum();
    let bound = at_most(complete);
    let next = counts.get(&(complete + 1)).copied().unwrap_or_default();
    match more {
        0 => format!("{of_clients} (all {bound})"),
        more if more == next => format!(
            "{of_clients} (all {fewer} {bound}, and {more} with {})",
            complete + 1
        ),
        more => format!("{of_clients} (all {fewer} {bound}, and {more} with more)"),
    }
}

/// The bound, to be put behind the number of schedules. Empty if it has left nothing out.
fn bound_in_words(finding: &Finding) -> String {
    let bound = finding.plan.schedules.bound();
    let bound = bound.filter(|_| finding.is_bounded);
    bound.map_or_else(String::new, |it| format!(" {}", at_most(it)))
}

fn at_most(preemptions: usize) -> String {
    match preemptions {
        0 => "without a preemption".to_owned(),
        1 => "with at most 1 preemption".to_owned(),
        several => format!("with at most {several} preemptions"),
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

/// What is said of a reduced search.
const ONE_FOR_ALL: &str = " (one for all that must end alike)";

/// The number of schedules, and which kind.
fn ran(finding: &Finding) -> String {
    let runs = of_clients(finding);
    match &finding.plan.schedules {
        Schedules::Reduced(_) => format!("{runs}{ONE_FOR_ALL}"),
        Schedules::Bounded { .. } if finding.is_whole() => {
            format!("{runs}{}{ONE_FOR_ALL}", bound_in_words(finding))
        }
        Schedules::Bounded { .. } => format!("{}{ONE_FOR_ALL}", as_far_as_it_came(finding)),
        Schedules::All { .. } if finding.is_whole() => runs + &bound_in_words(finding),
        Schedules::All { .. } => as_far_as_it_came(finding),
        Schedules::Sample { seed, .. } => format!("{runs} drawn at random (seed {seed})"),
        Schedules::One(_) => runs,
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
fn confidence(finding: &Finding) -> String {
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
mod tests;
