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
//! There is one row for each step, in the order in which the steps started. The time is the
//! server's clock since the first of the two requests arrived. A step gets a second row at its end
//! if it took long and the other client took steps meanwhile: so a wait for a lock shows.

use crate::pair::{Mark, Pair};
use crate::receipt::{Action, Receipt, Step};

/// Wide enough for a label with a large balance. Two columns and the time fit into 100 characters.
const WIDEST_COLUMN: usize = 42;
const WIDEST_MARK: usize = 2 * WIDEST_COLUMN + 2;
const TIME_WIDTH: usize = 9;
/// The duration of a step is shown from this on, in µs.
const SHORTEST_SHOWN: i64 = 1_000;

/// Draws the two requests, at most 100 columns wide. Each line ends in a newline.
///
/// If something went wrong between the two, a marked line says when and what. If a receipt has no
/// time of arrival, both are drawn as if they had arrived together.
#[must_use]
pub fn draw(pair: &Pair<'_>) -> String {
    let rows = rows(pair);
    let titles = [title("client A", pair.a), title("client B", pair.b)];
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
    /// How much later than client A it arrived, in µs.
    offset: i64,
}

impl Lane<'_> {
    fn start(&self, step: &Step) -> i64 {
        step.start(self.offset)
    }

    fn end(&self, step: &Step) -> i64 {
        step.end(self.offset)
    }

    fn steps(&self) -> impl Iterator<Item = &Step> {
        self.receipt.timeline.iter()
    }

    /// Whether any of this client's steps started strictly between the two moments.
    fn starts_a_step_between(&self, from: i64, to: i64) -> bool {
        self.steps()
            .map(|step| self.start(step))
            .any(|start| from < start && start < to)
    }
}

/// All rows of a drawing, in their order.
fn rows(pair: &Pair<'_>) -> Vec<Row> {
    let delay = match (pair.a.arrived_at_us, pair.b.arrived_at_us) {
        (Some(a), Some(b)) => b.saturating_sub(a),
        _ => 0,
    };
    let a = Lane {
        client: Client::A,
        receipt: pair.a,
        offset: 0,
    };
    let b = Lane {
        client: Client::B,
        receipt: pair.b,
        offset: delay,
    };

    let long = long_step(&a, &b);
    let mut rows = lane_rows(&a, &b, long);
    rows.extend(lane_rows(&b, &a, long));
    let origin = pair.a.arrived_at_us.unwrap_or(0);
    rows.extend(pair.mark.as_ref().map(|mark| mark_row(mark, origin)));
    // The sort is stable: steps at the same moment keep their order, and a mark comes last.
    rows.sort_by_key(|row| row.at);
    rows
}

fn mark_row(mark: &Mark, origin: i64) -> Row {
    Row {
        at: mark.at.saturating_sub(origin),
        place: Place::Mark,
        text: mark.text.clone(),
    }
}

/// The duration from which on a step is long in a drawing of these two: a twentieth of the whole.
fn long_step(a: &Lane, b: &Lane) -> i64 {
    let ends = |lane: &Lane| lane.steps().map(|step| lane.end(step)).max();
    let whole = ends(a).max(ends(b)).unwrap_or(0);
    (whole / 20).max(SHORTEST_SHOWN)
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
        let waited = may_wait(step.action)
            && step.duration_us >= long
            && other.starts_a_step_between(start, end);
        if waited {
            rows.push(row(start, format!("{} …", name(step))));
            rows.push(row(end, format!("…{} after {}", value(step), took(step))));
        } else if step.action == Action::Think {
            rows.push(row(start, format!("{} {}", name(step), took(step))));
        } else if step.duration_us >= SHORTEST_SHOWN {
            rows.push(row(start, format!("{} ({})", whole(step), took(step))));
        } else {
            rows.push(row(start, whole(step)));
        }
    }
    rows
}

/// Whether locks of another client can hold up the action. A commit takes long because of the
/// disk, and a think on purpose.
fn may_wait(action: Action) -> bool {
    match action {
        Action::Begin
        | Action::Read
        | Action::Write
        | Action::Lock
        | Action::Unlock
        | Action::Pause
        | Action::Other => true,
        Action::Think | Action::Commit | Action::Rollback => false,
    }
}

/// The step's label. If it has none, its action.
fn name(step: &Step) -> String {
    if step.label.is_empty() {
        format!("{:?}", step.action).to_lowercase()
    } else {
        step.label.clone()
    }
}

/// The step's name and value.
fn whole(step: &Step) -> String {
    format!("{}{}", name(step), value(step))
}

/// An arrow and the value that the step read or wrote, or that it found no row. Empty if it has
/// neither.
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
    let title = receipt.product().title();
    match receipt.attempts {
        Some(attempts) if attempts > 1 => format!("{client} {title}, {attempts} attempts"),
        _ => format!("{client} {title}"),
    }
}

/// The width of A's column: that of its widest text, so that B's column is close to it.
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
    use crate::receipt::Product;
    use crate::receipt::samples::{receipt, step, with_value};

    #[derive(Debug)]
    struct Deposit(i64);

    impl Product for Deposit {
        fn title(&self) -> String {
            format!("deposits {}", self.0)
        }

        fn csv_fields(&self) -> [String; 2] {
            unreachable!("no table is written")
        }
    }

    /// A deposit in a transaction, with its delay and the durations of its read and its write.
    fn deposit(arrived: i64, balance: i64, think: i64, read: i64, write: i64) -> Receipt {
        let (thinks, inserts) = (150 + read, 160 + read + think);
        let (writes, commits) = (inserts + 300, inserts + 320 + write);
        let timeline = vec![
            step(Action::Begin, "begin", 12, 90),
            with_value(step(Action::Read, "read balance", 110, read), balance),
            step(Action::Think, "think", thinks, think),
            step(Action::Write, "insert transaction", inserts, 200),
            with_value(
                step(Action::Write, "write balance", writes, write),
                balance + 100,
            ),
            step(Action::Commit, "commit", commits, 4_300),
        ];
        receipt(Deposit(100), arrived, timeline)
    }

    fn width(drawing: &str) -> usize {
        let widths = drawing.lines().map(|line| line.chars().count());
        widths.max().unwrap()
    }

    #[test]
    fn a_mark_stands_at_its_moment() {
        let a = deposit(1_763_804_000_000_000, 0, 54_000, 80, 150);
        let b = deposit(1_763_804_000_000_250, 0, 81_000, 90, 140);
        let text = "✗ B overwrites A's 100 unseen: A's deposit of 100 is lost";
        let pair = Pair::new(&b, &a).with_mark(1_763_804_000_081_940, text.to_owned());
        let drawing = draw(&pair);
        assert!(width(&drawing) <= 100, "{drawing}");
        insta::assert_snapshot!("marked", drawing);
    }

    #[test]
    fn a_wait_for_a_lock_has_a_beginning_and_an_end() {
        let a = deposit(1_763_804_000_000_000, 0, 54_000, 80, 150);
        let b = deposit(1_763_804_000_000_250, 100, 81_000, 58_900, 140);
        insta::assert_snapshot!("row_lock", draw(&Pair::new(&a, &b)));
    }

    #[test]
    fn a_write_that_found_no_row_says_so() {
        let mut a = deposit(1000, 0, 20_000, 80, 150);
        a.timeline[4] = Step {
            matched_no_row: true,
            ..step(Action::Write, "compare and swap", 20_540, 150)
        };
        let b = deposit(1250, 0, 20_000, 80, 150);
        let drawing = draw(&Pair::new(&a, &b));
        assert!(drawing.contains("compare and swap → no row"), "{drawing}");
    }

    #[test]
    fn attempts_and_long_labels_fit() {
        let timeline = deposit(1000, i64::MAX - 100, 20_000, 80, 150).timeline;
        let mut a = receipt(Deposit(i64::MAX), 1000, timeline);
        a.attempts = Some(1_000_000);
        a.timeline[3].label = "insert transaction ".repeat(9);
        let mut b = a.clone();
        b.arrived_at_us = Some(1900);
        let drawing = draw(&Pair::new(&a, &b));
        assert!(width(&drawing) <= 100, "{drawing}");
        let cut = "insert transaction insert transaction ins…";
        assert!(drawing.contains(cut), "{drawing}");
    }

    #[test]
    fn a_receipt_without_steps_leaves_its_column_empty() {
        let whole = deposit(1000, 0, 20_000, 80, 150);
        let mut empty = whole.clone();
        empty.timeline.clear();
        empty.arrived_at_us = None;
        assert_eq!(draw(&Pair::new(&whole, &empty)).lines().count(), 7);
    }

    #[test]
    fn times_that_make_no_sense_are_drawn_too() {
        let mut odd = deposit(1000, 0, 20_000, 80, 150);
        odd.timeline = vec![
            step(Action::Other, "", -5_000, -1),
            step(Action::Read, "read", i64::MAX, i64::MAX),
            with_value(step(Action::Write, "write", i64::MIN, 0), i64::MIN),
        ];
        let mut empty = odd.clone();
        empty.timeline.clear();
        let drawing = draw(&Pair::new(&odd, &empty));
        assert_eq!(drawing.lines().count(), 4, "{drawing}");
        assert!(drawing.contains("other"), "{drawing}");
    }
}
