//! Two requests that show what happened between clients.

use crate::receipt::Receipt;

/// Two requests that were in the server at the same time. A is the one that arrived first.
#[derive(Debug, Clone)]
pub struct Pair<'a> {
    /// The receipt of client A.
    pub a: &'a Receipt,
    /// The receipt of client B.
    pub b: &'a Receipt,
    /// What went wrong between the two. None if nothing did.
    pub(crate) mark: Option<Mark>,
}

/// What went wrong between two clients, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// When it went wrong, in µs since 1970.
    pub(crate) at: i64,
    pub(crate) text: String,
}

impl<'a> Pair<'a> {
    pub(crate) fn new(one: &'a Receipt, other: &'a Receipt) -> Self {
        let arrivals = one.arrived_at_us.zip(other.arrived_at_us);
        let is_later = arrivals.is_some_and(|(one, other)| other < one);
        let (a, b) = if is_later { (other, one) } else { (one, other) };
        Self { a, b, mark: None }
    }

    pub(crate) fn with_mark(self, at: i64, text: String) -> Self {
        let mark = Some(Mark { at, text });
        Self { mark, ..self }
    }
}

/// A time span, in µs since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeSpan {
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl TimeSpan {
    /// The whole time that a request was in the server.
    pub(crate) fn of(receipt: &Receipt) -> Option<Self> {
        Some(Self {
            start: receipt.arrived_at_us?,
            end: receipt.end()?,
        })
    }

    fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// What a request claimed for itself alone, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// What both clients did if both claimed it, e.g. `both have order number 1`.
    pub(crate) collision: String,
    pub(crate) span: TimeSpan,
}

/// Finds two requests that were in the server at the same time. Of several pairs it takes the one
/// that took the least time together.
pub(crate) fn overlap<'a>(receipts: &[&'a Receipt]) -> Option<Pair<'a>> {
    let stays = stays(receipts, |_| Some(()));
    let (one, other) = shortest(meetings(&stays))?;
    Some(Pair::new(one.receipt, other.receipt))
}

/// Finds two requests that claimed the same thing at the same time. Of several pairs it takes the
/// one that took the least time together.
pub(crate) fn collision<'a>(
    receipts: &[&'a Receipt],
    claim: impl Fn(&Receipt) -> Option<Claim>,
) -> Option<Pair<'a>> {
    let stays = stays(receipts, claim);
    let collide = |(one, other): &Meeting<'a, '_, Claim>| {
        one.claim.collision == other.claim.collision && one.claim.span.overlaps(other.claim.span)
    };
    let (one, other) = shortest(meetings(&stays).filter(collide))?;
    let text = format!("✗ A and B {}", one.claim.collision);
    let end = one.span.end.max(other.span.end);
    Some(Pair::new(one.receipt, other.receipt).with_mark(end, text))
}

/// A request's time in the server.
#[derive(Debug)]
struct Stay<'a, C> {
    receipt: &'a Receipt,
    span: TimeSpan,
    claim: C,
}

type Meeting<'a, 's, C> = (&'s Stay<'a, C>, &'s Stay<'a, C>);

/// The requests that have a claim and whose times are known, in the order of their arrival.
fn stays<'a, C>(
    receipts: &[&'a Receipt],
    claim: impl Fn(&Receipt) -> Option<C>,
) -> Vec<Stay<'a, C>> {
    let stay = |receipt: &&'a Receipt| {
        Some(Stay {
            receipt,
            span: TimeSpan::of(receipt)?,
            claim: claim(receipt)?,
        })
    };
    let mut stays: Vec<_> = receipts.iter().filter_map(stay).collect();
    stays.sort_by_key(|stay| stay.span.start);
    stays
}

/// All pairs of requests that were in the server at the same time.
fn meetings<'a, 's, C>(stays: &'s [Stay<'a, C>]) -> impl Iterator<Item = Meeting<'a, 's, C>> {
    stays.iter().enumerate().flat_map(|(at, one)| {
        // They are in the order of arrival: all after the first that came too late did so too.
        let later = stays.iter().skip(at + 1);
        later
            .take_while(|other| other.span.start < one.span.end)
            .map(move |other| (one, other))
    })
}

fn shortest<'a, 's, C>(
    meetings: impl Iterator<Item = Meeting<'a, 's, C>>,
) -> Option<Meeting<'a, 's, C>>
where
    'a: 's,
    C: 's,
{
    meetings.min_by_key(|(one, other)| {
        let end = one.span.end.max(other.span.end);
        end.saturating_sub(one.span.start)
    })
}
