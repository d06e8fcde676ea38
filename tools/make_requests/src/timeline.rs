//! Two requests drawn side by side, from their receipts.
//!
//! ```text
//!       ms  client A deposits 100   client B deposits 100
//!     0.10  read balance → 0
//!     0.21  think 54 ms
//!     0.36                          read balance → 0
//!        …
//! ```
//!
//! One row per step, in the order in which the steps started, by the server's clock since the
//! first of the two arrived. A step that took long *and* during which the other client went on
//! gets a second row where it ended: that is where a wait for a lock shows.

use crate::answer::{Action, Made, Receipt, Step};
use crate::pair;

/// Wide enough for a label with a large balance; two of them and the time stay below 100.
const WIDEST_COLUMN: usize = 42;
const WIDEST_MARK: usize = 2 * WIDEST_COLUMN + 2;
const TIME_WIDTH: usize = 9;
/// A step shorter than this, in µs, is not worth a word about how long it took.
const WORTH_TELLING: i64 = 1_000;

/// Draws the two requests, at most 100 columns wide, each line ending in a newline.
///
/// A is whichever arrived first. If one overwrote the other's balance without having seen it, a
/// marked line says at which moment, and whose deposit was lost.
///
/// Whatever the receipts lack is left out: without a time of arrival the two start together.
#[must_use]
pub fn draw(first: &Receipt, second: &Receipt) -> String {
    drawing(first, second, loss)
}

/// Draws two requests that were both given the same number or the same file, as [`draw`] does; the
/// marked line says what both have.
#[must_use]
pub fn draw_collision(first: &Receipt, second: &Receipt) -> String {
    drawing(first, second, collision)
}

/// The line that says what happened between the two, where there is something to say.
type Mark = fn(&Lane, &Lane) -> Option<Row>;

fn drawing(first: &Receipt, second: &Receipt, mark: Mark) -> String {
    let arrivals = first.arrived_at_us.zip(second.arrived_at_us);
    let swapped = arrivals.is_some_and(|(first, second)| second < first);
    let (a, b) = if swapped {
        (second, first)
    } else {
        (first, second)
    };
    let rows = rows(a, b, mark);
    let titles = [title("client A", a), title("client B", b)];
    let width = column_width(&titles[0], &rows);

    let mut drawing = columns(width, "ms", &titles[0], &titles[1]);
    for row in &rows {
        drawing.push_str(&line(width, row));
    }
    drawing
}

/// The two clients, and the column of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    A,
    B,
}

#[derive(Debug)]
struct Row {
    /// In µs since the first arrival.
    at: i64,
    place: Place,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Column(Client),
    /// Across both columns, without a time.
    Mark,
}

/// One client's steps on the drawing's clock.
struct Lane<'a> {
    client: Client,
    receipt: &'a Receipt,
    /// How much later than the other it arrived, in µs.
    offset: i64,
}

impl Lane<'_> {
    fn start(&self, step: &Step) -> i64 {
        self.offset.saturating_add(step.start_us)
    }

    fn end(&self, step: &Step) -> i64 {
        self.start(step).saturating_add(step.duration_us.max(0))
    }

    fn steps(&self) -> impl DoubleEndedIterator<Item = &Step> {
        self.receipt.timeline.iter()
    }

    /// Whether any of this client's steps started strictly between the two moments.
    fn goes_on_between(&self, from: i64, to: i64) -> bool {
        self.steps()
            .map(|step| self.start(step))
            .any(|start| from < start && start < to)
    }
}

/// All rows of a drawing, in their order.
fn rows(a: &Receipt, b: &Receipt, mark: Mark) -> Vec<Row> {
    let delay = match (a.arrived_at_us, b.arrived_at_us) {
        (Some(a), Some(b)) => b.saturating_sub(a),
        _ => 0,
    };
    let a = Lane {
        client: Client::A,
        receipt: a,
        offset: 0,
    };
    let b = Lane {
        client: Client::B,
        receipt: b,
        offset: delay,
    };

    let long = long_step(&a, &b);
    let mut rows = lane_rows(&a, &b, long);
    rows.extend(lane_rows(&b, &a, long));
    rows.extend(mark(&a, &b));
    // Stable: at the same moment a client's steps keep their order, and a mark comes last.
    rows.sort_by_key(|row| row.at);
    rows
}

/// What counts as long in a drawing of these two: a twentieth of the whole.
fn long_step(a: &Lane, b: &Lane) -> i64 {
    let ends = |lane: &Lane| lane.steps().map(|step| lane.end(step)).max();
    let whole = ends(a).max(ends(b)).unwrap_or(0);
    (whole / 20).max(WORTH_TELLING)
}

fn lane_rows(lane: &Lane, other: &Lane, long: i64) -> Vec<Row> {
    let row = |at, text| Row {
        at,
        place: Place::Column(lane.client),
        text,
    };
    let mut rows = Vec::new();
    for step in lane.steps() {
        let (start, end) = (lane.start(step), lane.end(step));
        let waited =
            may_wait(step.action) && step.duration_us >= long && other.goes_on_between(start, end);
        if waited {
            rows.push(row(start, format!("{} …", name(step))));
            rows.push(row(end, format!("…{} after {}", value(step), took(step))));
        } else if step.action == Action::Think {
            rows.push(row(start, format!("{} {}", name(step), took(step))));
        } else if step.duration_us >= WORTH_TELLING {
            rows.push(row(start, format!("{} ({})", whole(step), took(step))));
        } else {
            rows.push(row(start, whole(step)));
        }
    }
    rows
}

/// Whether an action can be held up by another client's locks. A commit takes its time for the
/// disk, a think by intention.
fn may_wait(action: Action) -> bool {
    match action {
        Action::Begin | Action::Read | Action::Write | Action::Other => true,
        Action::Think | Action::Commit | Action::Rollback => false,
    }
}

/// The line that says that one has just overwritten what the other wrote.
fn loss(a: &Lane, b: &Lane) -> Option<Row> {
    overwriting(a, b).or_else(|| overwriting(b, a))
}

/// The line that says, where both have ended, what both were given.
fn collision(a: &Lane, b: &Lane) -> Option<Row> {
    let text = match (&a.receipt.made, &b.receipt.made) {
        (Made::Order(order), Made::Order(_)) => {
            format!("✗ A and B both have order number {}", order.order.as_ref()?)
        }
        (Made::Export(export), Made::Export(_)) => {
            format!("✗ A and B have both written {}", export.file)
        }
        _ => return None,
    };
    let ends = |lane: &Lane| lane.steps().map(|step| lane.end(step)).max();
    Some(Row {
        at: ends(a).max(ends(b))?,
        place: Place::Mark,
        text,
    })
}

fn overwriting(by: &Lane, lost: &Lane) -> Option<Row> {
    if !pair::overwrote(by.receipt, lost.receipt) {
        return None;
    }
    let write = last_write(by)?;
    let over = last_write(lost)?.value?;
    let text = format!(
        "✗ {by:?} overwrites {lost:?}'s {over} unseen: {lost:?}'s deposit of {amount} is lost",
        by = by.client,
        lost = lost.client,
        amount = lost.receipt.deposit()?.amount,
    );
    Some(Row {
        at: by.end(write),
        place: Place::Mark,
        text,
    })
}

fn last_write<'a>(lane: &'a Lane) -> Option<&'a Step> {
    lane.steps()
        .rfind(|step| step.action == Action::Write && step.value.is_some())
}

/// The step's label, or its action where it has none.
fn name(step: &Step) -> String {
    if step.label.is_empty() {
        format!("{:?}", step.action).to_lowercase()
    } else {
        step.label.clone()
    }
}

/// The step's name with the value it read or wrote.
fn whole(step: &Step) -> String {
    format!("{}{}", name(step), value(step))
}

/// The value that the step read or wrote, with an arrow, or that it found no row to write to; nothing where
/// there is neither.
fn value(step: &Step) -> String {
    match step.value {
        Some(value) if step.action == Action::Write => format!(" ← {value}"),
        Some(value) => format!(" → {value}"),
        None if step.matched_no_row => " → no row".to_owned(),
        None => String::new(),
    }
}

fn took(step: &Step) -> String {
    match step.duration_us {
        short @ ..10_000 => format!("{}.{} ms", short / 1000, short % 1000 / 100),
        long => format!("{} ms", long / 1000),
    }
}

fn milliseconds(us: i64) -> String {
    let sign = if us < 0 { "-" } else { "" };
    let us = us.unsigned_abs();
    format!("{sign}{}.{:02}", us / 1000, us % 1000 / 10)
}

fn title(client: &str, receipt: &Receipt) -> String {
    let what = match &receipt.made {
        Made::Deposit(deposited) => format!("deposits {}", deposited.amount),
        Made::Order(ordered) => format!("orders for customer {}", ordered.customer_no),
        Made::Export(exported) => format!("writes export {}", exported.export),
    };
    match receipt.attempts {
        Some(attempts) if attempts > 1 => format!("{client} {what}, {attempts} attempts"),
        _ => format!("{client} {what}"),
    }
}

/// As wide as the widest text of client A, so that B's column is no further away than needed.
fn column_width(title: &str, rows: &[Row]) -> usize {
    let in_a = rows
        .iter()
        .filter(|row| row.place == Place::Column(Client::A));
    let texts = in_a.map(|row| row.text.as_str()).chain([title]);
    texts
        .map(|text| text.chars().count())
        .max()
        .unwrap_or(0)
        .min(WIDEST_COLUMN)
}

fn line(width: usize, row: &Row) -> String {
    match row.place {
        Place::Column(Client::A) => columns(width, &milliseconds(row.at), &row.text, ""),
        Place::Column(Client::B) => columns(width, &milliseconds(row.at), "", &row.text),
        Place::Mark => format!("{:>TIME_WIDTH$}  {}\n", "", fitted(&row.text, WIDEST_MARK)),
    }
}

fn columns(width: usize, time: &str, a: &str, b: &str) -> String {
    let a = fitted(a, width);
    let b = fitted(b, WIDEST_COLUMN);
    let line = format!("{time:>TIME_WIDTH$}  {a:width$}  {b}");
    format!("{}\n", line.trim_end())
}

fn fitted(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars()
        .take(width.saturating_sub(1))
        .chain(['…'])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::{Deposited, Exported, Ordered};
    use crate::audit::Id;

    fn step(action: Action, label: &str, start_us: i64, duration_us: i64) -> Step {
        Step {
            action,
            label: label.to_owned(),
            start_us,
            duration_us,
            value: None,
            matched_no_row: false,
        }
    }

    fn with_value(step: Step, value: i64) -> Step {
        Step {
            value: Some(value),
            ..step
        }
    }

    fn deposited(amount: i64) -> Made {
        Made::Deposit(Deposited {
            amount,
            balance_read: None,
            balance_written: None,
        })
    }

    fn receipt(arrived_at_us: i64, timeline: Vec<Step>) -> Receipt {
        Receipt {
            made: deposited(100),
            attempts: Some(1),
            arrived_at_us: Some(arrived_at_us),
            timeline,
        }
    }

    /// A deposit in a transaction, with its delay and how long its read and its write took.
    fn atomic(arrived: i64, balance: i64, think: i64, read: i64, write: i64) -> Receipt {
        let (thinks, inserts) = (150 + read, 160 + read + think);
        let (writes, commits) = (inserts + 300, inserts + 320 + write);
        receipt(
            arrived,
            vec![
                step(Action::Begin, "begin", 12, 90),
                with_value(step(Action::Read, "read balance", 110, read), balance),
                step(Action::Think, "think", thinks, think),
                step(Action::Write, "insert transaction", inserts, 200),
                with_value(
                    step(Action::Write, "write balance", writes, write),
                    balance + 100,
                ),
                step(Action::Commit, "commit", commits, 4_300),
            ],
        )
    }

    fn width(drawing: &str) -> usize {
        drawing
            .lines()
            .map(|line| line.chars().count())
            .max()
            .unwrap()
    }

    #[test]
    fn a_lost_update_is_marked_where_it_happens() {
        let a = atomic(1_763_804_000_000_000, 0, 54_000, 80, 150);
        let b = atomic(1_763_804_000_000_250, 0, 81_000, 90, 140);
        let drawing = draw(&b, &a);
        assert!(width(&drawing) <= 100, "{drawing}");
        insta::assert_snapshot!("lost_update", drawing);
    }

    #[test]
    fn two_orders_of_one_number_are_marked_at_their_end() {
        let order = |arrived, customer_no| Receipt {
            made: Made::Order(Ordered {
                order: Some(Id::Number(17.into())),
                customer_no,
            }),
            ..receipt(
                arrived,
                vec![
                    with_value(step(Action::Read, "read highest number", 10, 50), 16),
                    step(Action::Write, "insert head", 80, 120),
                    step(Action::Write, "insert line", 220, 110),
                ],
            )
        };
        let drawing = draw_collision(&order(1_030, 2), &order(1_000, 1));
        insta::assert_snapshot!("duplicate_number", drawing);
        assert!(!draw(&order(1_030, 2), &order(1_000, 1)).contains('✗'));
    }

    #[test]
    fn two_exports_into_one_file_are_marked() {
        let export = |arrived, export: i64| Receipt {
            made: Made::Export(Exported {
                export: Id::Number(export.into()),
                file: "t.csv".to_owned(),
                url: "/exports/t.csv".to_owned(),
                rows: 1,
            }),
            ..receipt(arrived, vec![step(Action::Write, "write rows", 10, 100)])
        };
        let drawing = draw_collision(&export(1_000, 7), &export(1_030, 8));
        assert!(drawing.contains("client B writes export 8"), "{drawing}");
        assert!(
            drawing.ends_with("✗ A and B have both written t.csv\n"),
            "{drawing}"
        );
    }

    #[test]
    fn a_wait_for_a_lock_has_a_beginning_and_an_end() {
        let a = atomic(1_763_804_000_000_000, 0, 54_000, 80, 150);
        let b = atomic(1_763_804_000_000_250, 100, 81_000, 58_900, 140);
        insta::assert_snapshot!("row_lock", draw(&a, &b));
    }

    #[test]
    fn a_write_that_found_no_row_says_so() {
        let mut a = atomic(1000, 0, 20_000, 80, 150);
        a.timeline[4] = Step {
            matched_no_row: true,
            ..step(Action::Write, "compare and swap", 20_540, 150)
        };
        let drawing = draw(&a, &atomic(1250, 0, 20_000, 80, 150));
        assert!(drawing.contains("compare and swap → no row"), "{drawing}");
    }

    #[test]
    fn attempts_and_long_labels_fit() {
        let mut a = atomic(1000, i64::MAX - 100, 20_000, 80, 150);
        a.attempts = Some(1_000_000);
        a.made = deposited(i64::MAX);
        a.timeline[3].label = "insert transaction ".repeat(9);
        let mut b = a.clone();
        b.arrived_at_us = Some(1900);
        let drawing = draw(&a, &b);
        assert!(width(&drawing) <= 100, "{drawing}");
        assert!(
            drawing.contains("insert transaction insert transaction ins…"),
            "{drawing}"
        );
    }

    #[test]
    fn odd_receipts_are_drawn_as_far_as_they_go() {
        let whole = atomic(1000, 0, 20_000, 80, 150);
        let mut empty = whole.clone();
        empty.timeline.clear();
        empty.arrived_at_us = None;
        assert_eq!(draw(&whole, &empty).lines().count(), 7);

        let mut nameless = whole;
        nameless.timeline = vec![
            step(Action::Other, "", -5_000, -1),
            step(Action::Read, "read", i64::MAX, i64::MAX),
            with_value(step(Action::Write, "write", i64::MIN, 0), i64::MIN),
        ];
        let drawing = draw(&nameless, &empty);
        assert_eq!(drawing.lines().count(), 4, "{drawing}");
        assert!(drawing.contains("other"), "{drawing}");
    }
}
