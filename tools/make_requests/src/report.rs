//! What a run found: the facts as they were observed, and what follows from them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::answer::{Answer, Inspection, Outcome, Problem, Receipt};
use crate::audit::Anomaly;
use crate::consumer::Consumption;
use crate::error::Error;
use crate::evidence::{Books, Evidence, OrderBook, anomalies_seen};
use crate::pair;
use crate::plan::Plan;
use crate::target::{Exhibit, Target};
use crate::timeline;
use crate::transport::TransportErrorKind;
use crate::verdict::{Doubt, Verdict};
use crate::volley::Volley;

/// The facts of one run. The methods derive everything else.
#[derive(Debug)]
pub struct Report {
    /// What was asked for.
    pub plan: Plan,
    /// What the audits said.
    pub evidence: Evidence,
    /// One answer per request, in the order of release.
    pub answers: Vec<Answer>,
    /// A burst's moments: one before the first release, and one after each. Empty where the
    /// requests were spaced out.
    pub releases: Vec<Instant>,
}

/// Refusals of the same kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problems {
    /// The class of the database's refusal, where it was the database.
    pub fault: Option<String>,
    /// The database's own code.
    pub code: Option<String>,
    /// The HTTP status.
    pub status: u16,
    /// A short sentence.
    pub title: String,
    /// How many requests ended like this.
    pub requests: usize,
}

/// Transport errors of the same kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransportErrors {
    /// The kind.
    pub kind: TransportErrorKind,
    /// The cause of one of them.
    pub detail: String,
    /// How many requests ended like this.
    pub requests: usize,
}

/// How the latencies of the answered requests are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// The fastest answer.
    pub min: Duration,
    /// The median.
    pub p50: Duration,
    /// Nine in ten answers took no longer.
    pub p90: Duration,
    /// Ninety-nine in a hundred answers took no longer.
    pub p99: Duration,
    /// The slowest answer.
    pub max: Duration,
}

impl Report {
    pub(crate) fn new(plan: Plan, evidence: Evidence, fired: Volley) -> Self {
        let Volley {
            mut answers,
            releases,
        } = fired;
        answers.sort_by_key(|answer| answer.request);
        Self {
            plan,
            evidence,
            answers,
            releases,
        }
    }

    /// How many requests the service promised to keep.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Acknowledged { .. }))
    }

    /// The requests that were turned away, by kind.
    #[must_use]
    pub fn refused(&self) -> Vec<Problems> {
        self.problems(|outcome| match outcome {
            Outcome::Refused(problem) => Some(problem),
            _ => None,
        })
    }

    /// The requests that failed half way, by kind.
    #[must_use]
    pub fn partial(&self) -> Vec<Problems> {
        self.problems(|outcome| match outcome {
            Outcome::Partial(problem) => Some(problem),
            _ => None,
        })
    }

    /// The requests whose outcome the service does not know, by kind.
    #[must_use]
    pub fn unknown(&self) -> Vec<Problems> {
        self.problems(|outcome| match outcome {
            Outcome::Unknown(problem) => Some(problem),
            _ => None,
        })
    }

    /// The requests that were not answered, by kind.
    #[must_use]
    pub fn transport_errors(&self) -> Vec<TransportErrors> {
        let mut kinds: BTreeMap<TransportErrorKind, TransportErrors> = BTreeMap::new();
        for answer in &self.answers {
            let Outcome::NoAnswer(error) = &answer.outcome else {
                continue;
            };
            kinds
                .entry(error.kind)
                .or_insert_with(|| TransportErrors {
                    kind: error.kind,
                    detail: error.detail.clone(),
                    requests: 0,
                })
                .requests += 1;
        }
        kinds.into_values().collect()
    }

    /// The account around the run, where the requests were deposits.
    #[must_use]
    pub fn books(&self) -> Option<&Books> {
        match &self.evidence {
            Evidence::Deposits(books) => Some(books),
            _ => None,
        }
    }

    /// What the account should hold after the run: the balance before, plus every deposit that
    /// was acknowledged; at most also those that may have been kept. `None` where the requests were
    /// no deposits.
    #[must_use]
    pub fn expected_balance(&self) -> Option<RangeInclusive<i128>> {
        let Target::Deposits(deposits) = &self.plan.target else {
            return None;
        };
        let amount = i128::from(deposits.amount.get());
        let sum = |requests: usize| amount * i128::try_from(requests).unwrap_or(i128::MAX);
        let least = self.books()?.before.balance + sum(self.acknowledged());
        Some(least..=least + sum(self.count(may_have_been_kept)))
    }

    /// What was lost during the run: by how much the account's balance fell behind its
    /// transactions. `None` where the account could not be read afterwards, or there is none.
    #[must_use]
    pub fn lost(&self) -> Option<i128> {
        self.books()?.lost()
    }

    /// What the audits looked for in a book of orders or in exported files, with how often it was
    /// found; for files that is in how many looks at them. Empty where the requests were deposits.
    #[must_use]
    pub fn anomalies(&self) -> Vec<Anomaly> {
        match &self.evidence {
            Evidence::Deposits(_) => Vec::new(),
            Evidence::Orders(book) => book.anomalies(),
            Evidence::Exports(_) => anomalies_seen(self.inspections()),
        }
    }

    /// The anomalies that were found and are wrong.
    fn wrongs(&self) -> Vec<Anomaly> {
        let some_may_be_running = self.count(may_have_been_kept) > 0;
        let mut anomalies = self.anomalies();
        // An order that is being written at this moment looks incomplete.
        anomalies
            .retain(|it| it.is_wrong() && !(it.name == "incomplete_order" && some_may_be_running));
        anomalies
    }

    /// The looks at exported files: on the spot, and at the end.
    pub fn inspections(&self) -> impl Iterator<Item = &Inspection> {
        let last = match &self.evidence {
            Evidence::Exports(files) => files.last.as_slice(),
            _ => &[],
        };
        let on_the_spot = self.answers.iter().filter_map(|it| it.inspection.as_ref());
        on_the_spot.chain(last)
    }

    /// How often requests were sent again, all together.
    #[must_use]
    pub fn sent_again(&self) -> u64 {
        let again = self.answers.iter().map(|answer| answer.sent - 1);
        again.map(u64::from).sum()
    }

    /// How many deposits were made more than once, where some were sent more than once: transactions that no
    /// request is left for.
    #[must_use]
    pub fn doubled(&self) -> Option<u64> {
        self.foreign_transactions()
            .filter(|_| self.sent_again() > 0)
    }

    /// The time from the first release of a burst to the last; `None` where there was no burst.
    #[must_use]
    pub fn spread(&self) -> Option<Duration> {
        Some(
            self.releases
                .last()?
                .duration_since(*self.releases.first()?),
        )
    }

    /// The latencies of the requests that were answered; `None` where none was.
    #[must_use]
    pub fn latency(&self) -> Option<Latency> {
        let answered = self
            .answers
            .iter()
            .filter(|answer| answer.status().is_some());
        let mut sorted: Vec<_> = answered.map(Answer::latency).collect();
        sorted.sort_unstable();
        Some(Latency {
            min: *sorted.first()?,
            p50: percentile(&sorted, 50)?,
            p90: percentile(&sorted, 90)?,
            p99: percentile(&sorted, 99)?,
            max: *sorted.last()?,
        })
    }

    /// The time from the start of the first request to the end of the last.
    #[must_use]
    pub fn wall(&self) -> Duration {
        let end = self.answers.iter().map(|answer| answer.ended).max();
        end.zip(self.started())
            .map_or(Duration::ZERO, |(end, start)| end.duration_since(start))
    }

    /// When the first request started.
    pub(crate) fn started(&self) -> Option<Instant> {
        self.answers.iter().map(|answer| answer.started).min()
    }

    /// What the run says about its target.
    ///
    /// Something wrong is a finding whatever else happened. That nothing went wrong is only a
    /// finding when the outcome of every request is known and there was something to go wrong.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if let Some(error) = self.missing_audit() {
            return Verdict::CouldNotTell(Doubt::NoAudit(error.clone()));
        }
        if let Some(lost) = self.lost().filter(|lost| *lost != 0) {
            return Verdict::LostUpdate { lost };
        }
        if let Some(deposits) = self.vanished()
            && self.books().is_some_and(Books::keep_what_they_had)
        {
            return Verdict::LostDeposits { deposits };
        }
        if let Some(deposits) = self.doubled() {
            return Verdict::DoubleDeposits { deposits };
        }
        let wrongs = self.wrongs();
        if !wrongs.is_empty() {
            return Verdict::Anomalies(wrongs);
        }
        if let Some(doubt) = self.doubt() {
            return Verdict::CouldNotTell(doubt);
        }
        if self.acknowledged() < self.answers.len() {
            Verdict::Refused
        } else {
            Verdict::Safe
        }
    }

    /// Why the one audit of the whole run could not be read, where there is one and it could not.
    fn missing_audit(&self) -> Option<&Error> {
        match &self.evidence {
            Evidence::Deposits(books) => books.after.as_ref().err(),
            Evidence::Orders(book) => book.after.as_ref().err(),
            Evidence::Exports(_) => None,
        }
    }

    fn doubt(&self) -> Option<Doubt> {
        let clear =
            |outcome: &_| matches!(outcome, Outcome::Acknowledged { .. } | Outcome::Refused(_));
        let unclear = self.answers.len() - self.count(clear);

        if unclear > 0 {
            Some(Doubt::Unclear { requests: unclear })
        } else if let Some(requests) = self.vanished() {
            let exhibit = self.plan.target.exhibit();
            Some(Doubt::Vanished { exhibit, requests })
        } else if let Some(detail) = self.all_not_found() {
            Some(Doubt::UnknownTarget {
                url: self.plan.post_url().to_string(),
                detail,
            })
        } else if self.acknowledged() == 0 {
            Some(Doubt::NoneAcknowledged)
        } else {
            self.unseen()
        }
    }

    /// How many acknowledged requests left no trace; `None` where all did, or it cannot be counted.
    fn vanished(&self) -> Option<u64> {
        let kept = match &self.evidence {
            Evidence::Deposits(books) => books.new_transactions().unwrap_or(0),
            Evidence::Orders(book) => book.new_orders()?,
            Evidence::Exports(_) => return None,
        };
        let acknowledged = u64::try_from(self.acknowledged()).unwrap_or(u64::MAX);
        Some(acknowledged.saturating_sub(kept)).filter(|vanished| *vanished > 0)
    }

    /// What nobody has looked at, although something could have been wrong with it.
    fn unseen(&self) -> Option<Doubt> {
        match &self.evidence {
            Evidence::Deposits(_) => None,
            Evidence::Orders(book) => {
                let after = &book.consumption.as_ref()?.after;
                Some(Doubt::NothingShipped(after.as_ref().err()?.clone()))
            }
            Evidence::Exports(_) if self.inspections().next().is_none() => Some(Doubt::NoFiles),
            Evidence::Exports(_) => {
                let failures = || self.inspections().filter_map(Inspection::failure);
                Some(Doubt::Unseen {
                    cause: failures().next()?.clone(),
                    looks: failures().count(),
                })
            }
        }
    }

    /// What the service said with its 404, where every answer was one.
    fn all_not_found(&self) -> Option<Option<String>> {
        let mut detail = None;
        for answer in &self.answers {
            match &answer.outcome {
                Outcome::Refused(problem) if problem.status == 404 => {
                    detail.clone_from(&problem.detail);
                }
                _ => return None,
            }
        }
        Some(detail)
    }

    /// What a reader of the figures should know about them.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        let in_doubt = self.count(may_have_been_kept);
        if in_doubt > 0 {
            remarks.push(format!(
                "{in_doubt} of the requests may or may not have been kept, and some may still be \
                 running: {}.",
                match &self.evidence {
                    Evidence::Deposits(_) =>
                        "the expected balance is a range, and the account may still change",
                    Evidence::Orders(_) => "the book may still change",
                    Evidence::Exports(_) => "the files may still change",
                }
            ));
        }
        match &self.evidence {
            Evidence::Deposits(books) => remarks.extend(self.remarks_on_books(books)),
            Evidence::Orders(book) => remarks.extend(remarks_on_orders(book)),
            Evidence::Exports(_) => remarks.extend(self.remark_on_rows()),
        }
        if self.answers.len() > 1 && self.acknowledged() == 1 {
            let exhibit = self.plan.target.exhibit();
            remarks.push(format!(
                "Only one {} was acknowledged, and {} needs two.",
                exhibit.one(),
                match exhibit {
                    Exhibit::Deposits => "a lost update",
                    Exhibit::Orders | Exhibit::Exports => "a collision",
                }
            ));
        }
        if self.answers.len() > 1 && !self.any_in_flight_together() {
            remarks.push(
                "No two requests were in flight at the same time, so nothing raced: \
                 shorten the wait, or choose 0 to release all together."
                    .to_owned(),
            );
        }
        remarks
    }

    fn remark_on_rows(&self) -> Option<String> {
        let receipts = self.receipts();
        let mut exports = receipts.iter().filter_map(|it| it.export()).peekable();
        exports.peek()?;
        let empty = exports.all(|export| export.rows == 0);
        empty.then(|| {
            "The account has no transactions, so that no rows could be mixed: deposit first, or \
             choose another --account."
                .to_owned()
        })
    }

    fn remarks_on_books(&self, books: &Books) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(others) = self.foreign_transactions()
            && self.doubled().is_none()
        {
            remarks.push(format!(
                "Transactions that are not from this run: {others}. Somebody else used the account."
            ));
        }
        if books.before.lost() != 0 {
            remarks.push(format!(
                "The account had already lost {} before this run.",
                books.before.lost()
            ));
        }
        remarks
    }

    /// How many more transactions the account has than this run can have made.
    fn foreign_transactions(&self) -> Option<u64> {
        let new = self.books()?.new_transactions()?;
        let own = self.acknowledged() + self.count(may_have_been_kept);
        new.checked_sub(u64::try_from(own).ok()?)
            .filter(|others| *others > 0)
    }

    /// Requests are numbered by their start, so an overlap is one of a request with the latest
    /// end of those before it.
    fn any_in_flight_together(&self) -> bool {
        let mut latest_end = None;
        self.answers.iter().any(|answer| {
            let overlaps = latest_end.is_some_and(|end| answer.started < end);
            latest_end = latest_end.max(Some(answer.ended));
            overlaps
        })
    }

    /// Two receipts of which the second overwrote the first's balance without having seen it.
    /// `None` also where the audit says that nothing was lost, whatever the receipts seem to say.
    #[must_use]
    pub fn lost_update(&self) -> Option<(&Receipt, &Receipt)> {
        if self.lost() == Some(0) {
            return None;
        }
        pair::lost_update(&self.receipts())
    }

    /// Two receipts that were given the same order number, or that wrote the same file at the same
    /// time, where the audits found something wrong.
    #[must_use]
    pub fn collision(&self) -> Option<(&Receipt, &Receipt)> {
        if self.wrongs().is_empty() {
            return None;
        }
        pair::collision(&self.receipts())
    }

    /// Two receipts whose requests were in the server at the same time, and did each other no harm.
    #[must_use]
    pub fn overlap(&self) -> Option<(&Receipt, &Receipt)> {
        match &self.evidence {
            Evidence::Deposits(_) => pair::overlap(&self.receipts()),
            Evidence::Orders(_) | Evidence::Exports(_) => pair::meeting(&self.receipts()),
        }
    }

    /// A drawing of two requests: of a lost update or a collision if there is one, else of two
    /// that overlapped.
    #[must_use]
    pub fn timeline(&self) -> Option<String> {
        if let Some((first, second)) = self.collision() {
            return Some(timeline::draw_collision(first, second));
        }
        let (first, second) = self.lost_update().or_else(|| self.overlap())?;
        Some(timeline::draw(first, second))
    }

    fn receipts(&self) -> Vec<&Receipt> {
        self.answers.iter().filter_map(Answer::receipt).collect()
    }

    pub(crate) fn count(&self, which: impl Fn(&Outcome) -> bool) -> usize {
        self.answers
            .iter()
            .filter(|answer| which(&answer.outcome))
            .count()
    }

    fn problems<'a>(&'a self, which: impl Fn(&'a Outcome) -> Option<&'a Problem>) -> Vec<Problems> {
        let mut kinds = BTreeMap::new();
        for problem in self
            .answers
            .iter()
            .filter_map(|answer| which(&answer.outcome))
        {
            let kind = Problems {
                fault: problem.fault.clone(),
                code: problem.code.clone(),
                status: problem.status,
                title: problem.title.clone(),
                requests: 0,
            };
            *kinds.entry(kind).or_default() += 1;
        }
        kinds
            .into_iter()
            .map(|(kind, requests)| Problems { requests, ..kind })
            .collect()
    }
}

fn remarks_on_orders(book: &OrderBook) -> Vec<String> {
    let mut remarks = Vec::new();
    if book.before.orders > 0 {
        remarks.push(format!(
            "The book had {} orders before this run.",
            book.before.orders
        ));
    }
    if let Some(Consumption {
        in_between: Err(error),
        ..
    }) = &book.consumption
    {
        remarks.push(format!(
            "The consumer could not ship while orders were being written: {error}."
        ));
    }
    remarks
}

/// Whether what was not acknowledged may have been kept all the same.
fn may_have_been_kept(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Acknowledged { .. } | Outcome::Refused(_) => false,
        Outcome::Partial(_) | Outcome::Unknown(_) => true,
        Outcome::NoAnswer(error) => error.was_sent(),
    }
}

/// The smallest value that is not exceeded by `percent` in a hundred of the sorted values.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.fault, &self.code) {
            (Some(fault), Some(code)) => write!(f, "{fault} ({code})"),
            (Some(fault), None) => f.write_str(fault),
            (None, _) => write!(f, "{} {}", self.status, self.title),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::Account;
    use crate::target::Deposits;

    const MS: Duration = Duration::from_millis(1);

    fn account(balance: i128, transactions: u64, transactions_sum: i128) -> Account {
        Account {
            balance,
            opening_balance: 0,
            transactions,
            transactions_sum,
        }
    }

    /// A report of acknowledged requests, each with its start and end in ms.
    fn report(requests: &[(u32, u32)], after: Account) -> Report {
        let origin = Instant::now();
        let plan = Plan {
            base_url: "http://bank".parse().unwrap(),
            target: Deposits {
                strategy: "x".parse().unwrap(),
                account: 1,
                amount: 100.try_into().unwrap(),
                retry_timeouts: false,
                idempotency: false,
            }
            .into(),
            pace: crate::Pace::Every(MS),
            requests: u32::try_from(requests.len()).unwrap().try_into().unwrap(),
            timeout: MS,
        };
        let answer = |(request, &(start, end)): (u32, &(u32, u32))| Answer {
            request,
            sent: 1,
            started: origin + MS * start,
            ended: origin + MS * end,
            outcome: Outcome::Acknowledged {
                status: 200,
                receipt: None,
            },
            inspection: None,
        };
        let fired = Volley {
            answers: (1..).zip(requests).map(answer).collect(),
            releases: Vec::new(),
        };
        let books = Books {
            before: account(0, 0, 0),
            after: Ok(after),
        };
        Report::new(plan, Evidence::Deposits(books), fired)
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let sorted = |n: u32| (1..=n).map(|n| MS * n).collect::<Vec<_>>();
        assert_eq!(percentile(&sorted(100), 50), Some(50 * MS));
        assert_eq!(percentile(&sorted(100), 99), Some(99 * MS));
        assert_eq!(percentile(&sorted(10), 50), Some(5 * MS));
        assert_eq!(percentile(&sorted(10), 90), Some(9 * MS));
        assert_eq!(percentile(&sorted(10), 99), Some(10 * MS));
        assert_eq!(percentile(&sorted(1), 50), Some(MS));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn times_follow_from_the_instants() {
        let report = report(&[(0, 30), (10, 20), (20, 70)], account(300, 3, 300));
        assert_eq!(report.wall(), 70 * MS);
        let latency = report.latency().unwrap();
        assert_eq!(
            (latency.min, latency.p50, latency.max),
            (10 * MS, 30 * MS, 50 * MS)
        );
        assert_eq!(report.spread(), None);
        assert_eq!(report.remarks(), [""; 0]);
    }

    #[test]
    fn requests_that_never_overlap_are_remarked() {
        let apart = report(&[(0, 10), (10, 20), (30, 40)], account(300, 3, 300));
        assert!(apart.remarks()[0].starts_with("No two requests were in flight"));
        let overlapping = report(&[(0, 35), (10, 20), (30, 40)], account(300, 3, 300));
        assert!(overlapping.remarks().is_empty());
    }

    #[test]
    fn a_balance_that_is_too_high_is_found_too() {
        let report = report(&[(0, 9), (0, 9)], account(300, 2, 200));
        assert_eq!(report.verdict(), Verdict::LostUpdate { lost: -100 });
        assert_eq!(
            report.verdict().to_string(),
            "lost update: the balance is 100 more than the account's own transactions add up to"
        );
    }

    #[test]
    fn deposits_that_nobody_kept_are_lost_unless_somebody_changed_the_account() {
        let made = || report(&[(0, 9), (0, 9)], account(100, 1, 100));
        let lost = Verdict::LostDeposits { deposits: 1 };
        assert_eq!(made().verdict(), lost);
        assert_eq!((lost.name(), lost.exit_status()), ("lost_deposits", 1));

        let mut deleted = made();
        books_of(&mut deleted).after = Ok(Account {
            opening_balance: 100,
            ..account(200, 1, 100)
        });
        let mut reset = made();
        books_of(&mut reset).before = account(300, 3, 300);
        for (report, requests) in [(deleted, 1), (reset, 2)] {
            let exhibit = Exhibit::Deposits;
            let doubt = Doubt::Vanished { exhibit, requests };
            assert_eq!(report.verdict(), Verdict::CouldNotTell(doubt));
        }
    }

    fn books_of(report: &mut Report) -> &mut Books {
        match &mut report.evidence {
            Evidence::Deposits(books) => books,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn extreme_accounts_are_counted_without_overflow() {
        let mut report = report(&[(0, 9), (0, 9)], account(i64::MIN.into(), 2, i128::MAX));
        books_of(&mut report).before = account(i64::MAX.into(), u64::MAX, i128::MIN);
        assert_eq!(report.lost(), Some(i128::MAX));
        assert_eq!(
            *report.expected_balance().unwrap().start(),
            i128::from(i64::MAX) + 200
        );
        assert_eq!(report.verdict(), Verdict::LostUpdate { lost: i128::MAX });
        assert_eq!(report.foreign_transactions(), None);
    }

    #[test]
    fn problems_are_named_by_fault_or_else_by_status() {
        let name = |fault: Option<&str>, code: Option<&str>| {
            let (fault, code) = (fault.map(str::to_owned), code.map(str::to_owned));
            let title = "Conflict".to_owned();
            Problems {
                fault,
                code,
                status: 409,
                title,
                requests: 1,
            }
            .to_string()
        };
        assert_eq!(name(Some("deadlock"), Some("1213")), "deadlock (1213)");
        assert_eq!(name(Some("busy"), None), "busy");
        assert_eq!(name(None, Some("1")), "409 Conflict");
    }
}
