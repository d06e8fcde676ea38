//! The record of a run, from the report of its requests.

use std::time::{SystemTime, UNIX_EPOCH};

use make_requests::{Outcome, ProblemCount, Report, Verdict};
use serde_json::Value as Json;

use super::collisions::{self, Made};
use super::id::RecordId;
use super::lanes;
use super::losses::{self, Balances};
use super::waits::Samples;
use super::words;
use crate::console::record::{
    Lane, Loss, RefusalKind, RunPlan, RunRecord, RunVerdict, State, VERSION, VerdictKind,
};

/// What is known of a run beside its report.
#[derive(Debug)]
pub(super) struct Circumstances {
    pub(super) id: RecordId,
    pub(super) plan: RunPlan,
    /// The engine, as reports have it.
    pub(super) engine: Json,
    pub(super) started: SystemTime,
    pub(super) state: State,
    /// What a reader of the figures should know, from the run itself.
    pub(super) notes: Vec<String>,
    /// The numbers of the orders, by the request, if their answers do not say them.
    pub(super) numbers: Vec<(u32, String)>,
    /// Who waited for whom.
    pub(super) samples: Samples,
}

/// A record without a result: of a run that is under way, or that failed.
pub fn without_result(
    id: &RecordId,
    plan: RunPlan,
    state: State,
    created_at: i64,
    error: Option<String>,
) -> RunRecord {
    RunRecord {
        version: VERSION,
        kind: "run".to_owned(),
        id: id.to_string(),
        state,
        plan,
        engine: Json::Null,
        started_at: utc(created_at / 1000),
        took_us: 0,
        error,
        verdict: None,
        refusals: Vec::new(),
        lanes: Vec::new(),
        losses: Vec::new(),
        notes: Vec::new(),
    }
}

/// The record of a run that came to its end, or was stopped.
pub(super) fn record(about: Circumstances, report: &Report) -> RunRecord {
    let (mut lanes, left_out) = lanes::of_report(report, &about.plan);
    about.samples.add_to(&mut lanes, report);
    let figures = Figures::of(report);
    let losses = losses(&about, report, &figures, &lanes);
    for loss in &losses {
        lanes[loss.lost].lost = true;
    }
    let mut notes = about.notes;
    notes.extend(report.remarks());
    notes.extend(about.samples.note());
    notes.extend(figures.note(&losses, about.plan.amount));
    if left_out > 0 {
        notes.push(format!(
            "{left_out} steps in the middle of long requests are left out."
        ));
    }
    let verdict = verdict(&about.plan, report, &figures, &losses);
    let since_epoch = about.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    RunRecord {
        version: VERSION,
        kind: "run".to_owned(),
        id: about.id.to_string(),
        state: about.state,
        plan: about.plan,
        engine: about.engine,
        started_at: utc(i64::try_from(since_epoch.as_secs()).unwrap_or_default()),
        took_us: lanes.iter().map(|lane| lane.answered_us).max().unwrap_or(0),
        error: None,
        verdict: Some(verdict),
        refusals: refusals(report),
        lanes,
        losses,
        notes,
    }
}

/// The balances before and after, as the audit read them.
#[derive(Debug, Clone, Copy)]
struct Figures {
    before: Option<i64>,
    actual: Option<i64>,
    missing: Option<i64>,
    /// The transactions that another client has added meanwhile. None if there are none.
    of_others: Option<i64>,
}

impl Figures {
    fn of(report: &Report) -> Self {
        let figures = report.figures();
        let figure = |name: &str| figures[name].as_i64();
        let (before, actual) = (figure("balance_before"), figure("balance"));
        let by_answers = figure("expected_balance")
            .zip(actual)
            .map(|(all, is)| all - is);
        // What an account says of itself, or what the answers say, if that is more.
        let missing = figure("lost").map(|lost| lost.max(by_answers.unwrap_or(lost)));
        let of_others = figure("transactions_of_others");
        Self {
            before,
            actual,
            // What is missing may be the other client's.
            missing: missing.filter(|_| of_others.is_none()),
            of_others,
        }
    }

    /// What the losses do not explain. None if they explain all that is missing.
    fn note(&self, losses: &[Loss], amount: i64) -> Option<String> {
        let missing = self.missing.filter(|missing| *missing > 0)?;
        let explained = amount.saturating_mul(i64::try_from(losses.len()).ok()?);
        (explained != missing).then(|| {
            format!("The steps of this run explain {explained} of the {missing} that are missing.")
        })
    }
}

fn losses(about: &Circumstances, report: &Report, figures: &Figures, lanes: &[Lane]) -> Vec<Loss> {
    let anomaly = matches!(report.verdict(), Verdict::Anomaly { .. });
    match (about.plan.exhibit.as_str(), figures.actual) {
        ("deposits", Some(actual)) if figures.missing.is_some_and(|it| it > 0) => {
            let amount = about.plan.amount;
            losses::of_deposits(lanes, Balances { actual, amount })
        }
        ("orders", ..) if anomaly => collisions::of_orders(lanes, &made(about, report, 0)),
        ("exports", ..) if anomaly => collisions::of_exports(lanes, &made(about, report, 1)),
        _ => Vec::new(),
    }
}

/// What each request made: the field in this column, or the number that the book has.
fn made(about: &Circumstances, report: &Report, column: usize) -> Vec<Made> {
    let answers = report.answers.iter().enumerate();
    answers
        .filter_map(|(lane, answer)| {
            let [first, second] = answer.receipt()?.fields();
            let name = if column == 0 { first } else { second };
            let numbered = about.numbers.iter().find(|it| it.0 == answer.request);
            let name = numbered.map_or(name, |(_, number)| number.clone());
            Some(Made { lane, name })
        })
        .collect()
}

fn verdict(plan: &RunPlan, report: &Report, figures: &Figures, losses: &[Loss]) -> RunVerdict {
    let verdict = report.verdict();
    let refused: usize = report.answers.refused().iter().map(|it| it.requests).sum();
    let acknowledged = report.answers.acknowledged();
    let unclear = report.answers.len() - refused - acknowledged;
    let missing = figures.missing.filter(|_| plan.exhibit == "deposits");
    let (kind, title) = match &verdict {
        Verdict::Anomaly { .. } if figures.of_others.is_some() => (
            VerdictKind::Unclear,
            "Another client used the account".to_owned(),
        ),
        Verdict::Anomaly { explanation, .. } => {
            let title = lost_title(plan, missing, losses, acknowledged);
            (
                VerdictKind::Anomaly,
                title.unwrap_or_else(|| explanation.clone()),
            )
        }
        Verdict::Refused => {
            let title = format!(
                "{refused} of {} requests refused, nothing lost",
                plan.requests
            );
            (VerdictKind::Refused, title)
        }
        Verdict::Safe => (VerdictKind::Safe, safe_title(plan, report.answers.len())),
        Verdict::CouldNotTell(_) => (VerdictKind::Unclear, "This run proves nothing".to_owned()),
    };
    let sentence = match (&verdict, figures.of_others, losses.first()) {
        (Verdict::Anomaly { .. }, Some(others), _) => format!(
            "{others} transactions in the account are not from this run, so what is missing may be \
             theirs. Choose an account that no other client uses."
        ),
        (Verdict::Anomaly { .. }, None, Some(loss)) => loss.sentence.clone(),
        (Verdict::Anomaly { explanation, .. }, None, None) => example(report, explanation),
        (Verdict::Safe, ..) => "Every request was acknowledged, and nothing went wrong.".to_owned(),
        (Verdict::Refused, ..) => {
            "Some requests were refused, and nothing was kept of them. Nothing went wrong."
                .to_owned()
        }
        (Verdict::CouldNotTell(doubt), ..) => capitalised(&doubt.to_string()),
    };
    RunVerdict {
        kind,
        title,
        sentence,
        before: figures.before,
        expected: figures
            .actual
            .zip(missing)
            .map(|(actual, missing)| actual + missing),
        actual: figures.actual,
        missing,
        acknowledged: small(acknowledged),
        refused: small(refused),
        unclear: small(unclear),
    }
}

/// `9 of 10 deposits lost`.
fn lost_title(
    plan: &RunPlan,
    missing: Option<i64>,
    losses: &[Loss],
    acknowledged: usize,
) -> Option<String> {
    match plan.exhibit.as_str() {
        "deposits" => {
            let missing = missing.filter(|missing| *missing > 0)?;
            Some(if missing % plan.amount == 0 {
                let lost = missing / plan.amount;
                format!("{lost} of {acknowledged} deposits lost")
            } else {
                format!("{missing} lost")
            })
        }
        "orders" if !losses.is_empty() => Some(match losses.len() {
            1 => "One order has the number of another".to_owned(),
            several => format!("{several} orders have the number of another"),
        }),
        "exports" if !losses.is_empty() => Some(match losses.len() {
            1 => "Two exports wrote one file at the same time".to_owned(),
            several => format!("{several} exports wrote a file that another one was writing"),
        }),
        _ => None,
    }
}

fn safe_title(plan: &RunPlan, requests: usize) -> String {
    let what = match plan.exhibit.as_str() {
        "deposits" => "deposits kept, nothing lost",
        "orders" => "orders written, each with its own number",
        _ => "files written, each whole",
    };
    format!("{requests} of {requests} {what}")
}

/// One occurrence, as the audit tells it.
fn example(report: &Report, otherwise: &str) -> String {
    let anomalies = report.anomalies();
    let example = anomalies
        .iter()
        .filter(|it| it.is_wrong())
        .find_map(|it| it.example.as_ref());
    capitalised(example.map_or(otherwise, String::as_str))
}

fn refusals(report: &Report) -> Vec<RefusalKind> {
    let mut kinds: Vec<RefusalKind> = Vec::new();
    for ProblemCount {
        fault,
        code,
        requests,
        ..
    } in report.answers.refused()
    {
        let words = match (&fault, strategys_own_words(report)) {
            (None, Some(detail)) => detail,
            (fault, _) => words::of_refusal(fault.as_deref()).to_owned(),
        };
        kinds.push(RefusalKind {
            fault,
            code,
            requests: small(requests),
            words,
        });
    }
    kinds
}

/// What a refusal without a fault says of itself.
fn strategys_own_words(report: &Report) -> Option<String> {
    report
        .answers
        .iter()
        .find_map(|answer| match &answer.outcome {
            Outcome::Refused(problem) if problem.fault.is_none() => problem.detail.clone(),
            _ => None,
        })
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|it| it.to_uppercase().to_string());
    let sentence = format!("{}{}", first.unwrap_or_default(), letters.as_str());
    if sentence.ends_with('.') {
        sentence
    } else {
        format!("{sentence}.")
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A second since 1970 as `2026-11-29T17:00:00Z`.
fn utc(second: i64) -> String {
    let (days, time) = (second.div_euclid(86_400), second.rem_euclid(86_400));
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    // Years begin in March here, so that a leap day is a year's last one.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_a_date() {
        for (second, date) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_971_661, "2026-11-29T17:01:01Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(second), date);
        }
    }
}
