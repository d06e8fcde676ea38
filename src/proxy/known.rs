//! What runs have taught of an application's statements. The proxies of all lanes share it.
//!
//! A statement is known by its shape, which is its text without its values. In a warm-up run one
//! request is under way at a time, so it is certain whose each statement is. Most lessons are of
//! such runs:
//!
//! - What each client sends ([`learn`](Known::learn), with each statement): its shapes, which one
//!   follows which, and those that came after the answer to its request, the tail. `seats` tells by
//!   them whose a statement is. `run` tells by the tail when a client has sent all.
//! - What it sends from its first statement to its last ([`learn_end`](Known::learn_end), with its
//!   end). `signs` holds a statement of a later warm-up run the longer, the more there is to learn
//!   from it ([`news`](Known::news)).
//! - How long a program takes until its first sign ([`learn_start`](Known::learn_start)). `signs`
//!   gives it that time in all runs.
//!
//! Others come at any time:
//!
//! - Strangers ([`hear`](Known::hear)): what comes while no request is under way, and the lab
//!   listens. For `seats` and `claims` such a statement is nobody's, unless its shape is a client's
//!   too and the application works for that client. Reports list them.
//! - What comes when all requests were answered ([`learn_late`](Known::learn_late)): it belongs to
//!   the tails of the clients that send such a one.
//! - That a client sends several statements at once ([`learn_overlap`](Known::learn_overlap)).
//!   `signs` then waits until all have come, and `seats` takes a late one into account.
//!
//! What is only noted changes nothing here: reports say it. One note decides elsewhere: after
//! [`beyond`](Known::beyond), one instance is at work at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::Isolation;
use crate::explore::Client;

/// What is known of the statements of an application.
#[derive(Debug, Default)]
pub struct Known(Mutex<Lessons>);

#[derive(Debug, Default)]
struct Lessons {
    /// Whether runs teach whose statements have which shape.
    learns: bool,
    /// The shapes of statements that came while no request was under way, or that were nobody's
    /// later, and how often.
    strangers: BTreeMap<String, u64>,
    /// Those of them that came while no request was under way.
    heard: BTreeSet<String>,
    clients: BTreeMap<Client, Shapes>,
    /// How long each client that is a program has taken until its first sign: the most.
    starts: BTreeMap<Client, Duration>,
    /// Whether a client has sent a statement while another one of its own was under way.
    overlaps: bool,
    /// The levels of the clients' transactions.
    levels: BTreeSet<Isolation>,
    /// How often a client's first statement came only after another client had ended.
    one_at_a_time: u64,
    /// How often a client's query was several statements.
    several: u64,
    /// How often it could not be told whose a statement was.
    unclear: u64,
    /// A statement that reaches beyond its database. None if none does.
    beyond: Option<String>,
}

/// What one client sends.
#[derive(Debug, Default)]
struct Shapes {
    all: BTreeSet<String>,
    /// What came in each run that has ended, from its first statement to its last, and in how many
    /// runs.
    whole: BTreeMap<Vec<String>, usize>,
    /// What came first, and what came after each shape.
    after: BTreeMap<Option<String>, BTreeSet<String>>,
    /// How often each came after its request was answered: the most in one run.
    tail: BTreeMap<String, usize>,
    /// The most statements after the answer in a run that has ended.
    longest_tail: usize,
    /// What came before the answer in such runs. In the others the answer may have been noticed
    /// late.
    before_the_tail: BTreeSet<String>,
}

/// How much there is to learn from a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// It has come at this place in runs before.
    None,
    /// It is new here.
    Some,
    /// It is among the last of its client's: the answer to the request may come before it.
    Much,
}

/// How often each of these is there.
fn counts(shapes: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for shape in shapes {
        *counts.entry(shape.as_str()).or_default() += 1;
    }
    counts
}

impl Known {
    fn lessons(&self) -> MutexGuard<'_, Lessons> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether runs teach from here on.
    pub fn learn_from_runs(&self, learns: bool) {
        self.lessons().learns = learns;
    }

    pub(super) fn learns(&self) -> bool {
        self.lessons().learns
    }

    /// The statements that belonged to nobody, by their shape, and how often each came.
    pub fn strangers(&self) -> BTreeMap<String, u64> {
        self.lessons().strangers.clone()
    }

    /// The isolation levels at which the clients' transactions ran, as their statements set them.
    pub fn levels(&self) -> Vec<Isolation> {
        self.lessons().levels.iter().copied().collect()
    }

    /// How often a client's first statement came only after another client had come to its end,
    /// although it was let begin before.
    pub fn one_at_a_time(&self) -> u64 {
        self.lessons().one_at_a_time
    }

    /// How often it could not be told whose a statement was, so that a run said nothing.
    pub fn unclear(&self) -> u64 {
        self.lessons().unclear
    }

    pub(super) fn note_unclear(&self) {
        self.lessons().unclear += 1;
    }

    /// How often a client's query was several statements: the proxy holds them together.
    pub fn several(&self) -> u64 {
        self.lessons().several
    }

    pub(super) fn note_several(&self) {
        self.lessons().several += 1;
    }

    /// A statement came while no request was under way.
    pub(super) fn hear(&self, shape: &str) {
        self.lessons().heard.insert(shape.to_owned());
        self.note_stranger(shape);
    }

    /// A statement was nobody's.
    pub(super) fn note_stranger(&self, shape: &str) {
        *self
            .lessons()
            .strangers
            .entry(shape.to_owned())
            .or_default() += 1;
    }

    /// A statement that reaches beyond its database, so that instances with a database each would
    /// meet. None if none was seen.
    pub fn beyond(&self) -> Option<String> {
        self.lessons().beyond.clone()
    }

    pub(super) fn note_beyond(&self, shape: &str) {
        self.lessons()
            .beyond
            .get_or_insert_with(|| shape.to_owned());
    }

    pub(super) fn note_level(&self, level: Isolation) {
        self.lessons().levels.insert(level);
    }

    pub(super) fn note_one_at_a_time(&self) {
        self.lessons().one_at_a_time += 1;
    }

    /// Learns the last statement of this client's run: all that it has sent so far, and what of it
    /// came after its request was answered.
    pub(super) fn learn(&self, client: Client, sent: &[String], tail: &[String]) {
        let mut lessons = self.lessons();
        let shapes = lessons.clients.entry(client).or_default();
        let Some((last, before)) = sent.split_last() else {
            return;
        };
        shapes.all.insert(last.clone());
        let after = shapes.after.entry(before.last().cloned()).or_default();
        after.insert(last.clone());
        for (shape, count) in counts(tail) {
            let most = shapes.tail.entry(shape.to_owned()).or_default();
            *most = count.max(*most);
        }
    }

    /// A run of this client has ended: all that it has sent, and what of it came after its request
    /// was answered.
    pub(super) fn learn_end(&self, client: Client, sent: &[String], tail: &[String]) {
        let mut lessons = self.lessons();
        if let Some(shapes) = lessons.clients.get_mut(&client) {
            *shapes.whole.entry(sent.to_vec()).or_default() += 1;
            if tail.len() > shapes.longest_tail {
                shapes.longest_tail = tail.len();
                shapes.before_the_tail.clear();
            }
            if tail.len() == shapes.longest_tail {
                let before = &sent[..sent.len().saturating_sub(tail.len())];
                shapes.before_the_tail.extend(before.iter().cloned());
            }
        }
    }

    /// A statement came when all requests were answered: each client that sends such a one may send
    /// it after its answer.
    pub(super) fn learn_late(&self, shape: &str) {
        let mut lessons = self.lessons();
        for shapes in lessons.clients.values_mut() {
            if shapes.all.contains(shape) && !shapes.tail.contains_key(shape) {
                shapes.tail.insert(shape.to_owned(), 1);
            }
        }
    }

    /// A client that is a program has shown its first sign this long after its start.
    pub(super) fn learn_start(&self, client: Client, took: Duration) {
        let mut lessons = self.lessons();
        let most = lessons.starts.entry(client).or_default();
        *most = took.max(*most);
    }

    /// The longest that this client has taken until its first sign. None if it was not run yet.
    pub(super) fn longest_start(&self, client: Client) -> Option<Duration> {
        self.lessons().starts.get(&client).copied()
    }

    pub(super) fn learn_overlap(&self) {
        self.lessons().overlaps = true;
    }

    pub(super) fn is_of_a_stranger(&self, shape: &str) -> bool {
        self.lessons().heard.contains(shape)
    }

    /// Whether this client has sent such a statement before.
    pub(super) fn expects(&self, client: Client, shape: &str) -> bool {
        let lessons = self.lessons();
        let shapes = lessons.clients.get(&client);
        shapes.is_some_and(|it| it.all.contains(shape))
    }

    /// How much there is to learn from this statement of this client's, which comes after those
    /// that it has sent.
    pub(super) fn news(&self, client: Client, sent: &[String], shape: &str) -> News {
        const LAST: usize = 4;
        /// Two statements that were sent at once may have come apart in one run.
        const ENOUGH_RUNS: usize = 2;
        let lessons = self.lessons();
        let Some(shapes) = lessons.clients.get(&client) else {
            return News::Some;
        };
        let is_near_an_end = |it: &Vec<String>| sent.len() + LAST >= it.len();
        let begins_so = |(it, _): &(&Vec<String>, &usize)| {
            let next = it.get(sent.len()).is_some_and(|it| it == shape);
            next && it.starts_with(sent)
        };
        let begun = || shapes.whole.iter().filter(begins_so);
        let is_known = begun().map(|(_, runs)| runs).sum::<usize>() >= ENOUGH_RUNS;
        let mut likely: Vec<_> = begun().map(|(it, _)| it).collect();
        if likely.is_empty() {
            // Another way than ever. It may be as long as the longest one.
            likely.extend(shapes.whole.keys().max_by_key(|it| it.len()));
        }
        if likely.into_iter().any(is_near_an_end) {
            News::Much
        } else if is_known {
            News::None
        } else {
            News::Some
        }
    }

    /// Whether this client has sent such a statement after its request was answered.
    pub(super) fn is_in_the_tail(&self, client: Client, shape: &str) -> bool {
        let lessons = self.lessons();
        let shapes = lessons.clients.get(&client);
        shapes.is_some_and(|it| it.tail.contains_key(shape))
    }

    /// Whether such a statement has followed the last one of these in a warm-up run.
    pub(super) fn expects_next(&self, client: Client, sent: &[String], shape: &str) -> bool {
        let lessons = self.lessons();
        let after = lessons.clients.get(&client).map(|it| &it.after);
        let next = after.and_then(|it| it.get(&sent.last().cloned()));
        next.is_some_and(|it| it.contains(shape))
    }

    /// Whether this client has sent all that it sends after its request was answered. `sent` is all
    /// that it has sent, and `tail` what of it came after the answer.
    ///
    /// An answer may be noticed late, when the first of these statements have come already. They
    /// count as well, unless the client sends such statements before its answer too.
    pub(super) fn is_whole_tail(&self, client: Client, sent: &[String], tail: &[String]) -> bool {
        let lessons = self.lessons();
        let Some(shapes) = lessons.clients.get(&client) else {
            return true;
        };
        let is_told_apart = shapes
            .tail
            .keys()
            .all(|it| !shapes.before_the_tail.contains(it));
        let length = shapes.tail.values().sum::<usize>().max(tail.len());
        let last = match is_told_apart {
            true => &sent[sent.len().saturating_sub(length)..],
            false => tail,
        };
        let here = counts(last);
        let has = |(shape, count): (&String, &usize)| {
            here.get(shape.as_str()).is_some_and(|it| it >= count)
        };
        shapes.tail.iter().all(has)
    }

    /// Whether a client sends several statements at once.
    pub(super) fn overlaps(&self) -> bool {
        self.lessons().overlaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAID: &str = "COMMIT";
    const MAIL: &str = "INSERT mail";
    const LOG: &str = "INSERT log";

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|it| (*it).to_owned()).collect()
    }

    /// What a run has taught in which these statements came, the last ones after the answer.
    fn taught(sent: &[&str], after: usize) -> (Known, Client) {
        let known = Known::default();
        let client = Client::first(1).last().unwrap();
        let sent = owned(sent);
        for number in 1..=sent.len() {
            let late = (number + after).saturating_sub(sent.len());
            known.learn(client, &sent[..number], &sent[number - late..number]);
        }
        known.learn_end(client, &sent, &sent[sent.len() - after..]);
        (known, client)
    }

    #[test]
    fn an_answer_that_is_noticed_late_hides_nothing_of_the_tail() {
        let (known, client) = taught(&[PAID, MAIL, LOG], 2);
        let whole = |sent: &[&str], after: usize| {
            let sent = owned(sent);
            known.is_whole_tail(client, &sent, &sent[sent.len() - after..])
        };
        assert!(whole(&[PAID, MAIL, LOG], 2));
        assert!(whole(&[PAID, MAIL, LOG], 1), "the answer came after MAIL");
        assert!(whole(&[PAID, LOG, MAIL], 0));
        assert!(!whole(&[PAID, MAIL], 1));
        assert!(!whole(&[PAID], 0));
    }

    #[test]
    fn a_run_that_taught_too_little_of_the_tail_is_made_good_by_another_one() {
        let (known, client) = taught(&[PAID, MAIL, LOG], 1);
        let sent = owned(&[PAID, MAIL, LOG]);
        known.learn(client, &sent, &sent[1..]);
        known.learn_end(client, &sent, &sent[1..]);
        assert!(known.is_whole_tail(client, &sent, &sent[2..]));
        assert!(!known.is_whole_tail(client, &sent[..2], &sent[1..2]));
    }

    #[test]
    fn what_also_comes_before_the_answer_counts_only_after_it() {
        let (known, client) = taught(&[MAIL, PAID, MAIL], 1);
        let sent = owned(&[PAID, MAIL]);
        assert!(!known.is_whole_tail(client, &sent, &[]));
        assert!(known.is_whole_tail(client, &sent, &sent[1..]));
    }
}
