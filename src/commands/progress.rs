//! How far an exploration is, on one line of standard error. It shows nothing if that is no
//! terminal.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::complain;
use crate::explore::Exploring;
use crate::verdict::Verdict;

/// A bar with the schedules that were run, what they led to, and an estimate of what is left.
pub(super) struct ProgressLine {
    bar: ProgressBar,
    /// What is being explored, and since when.
    now: Mutex<(String, Instant)>,
}

/// The bar's length: it counts in thousandths.
const LENGTH: u64 = 1000;

/// The spinner turns while nothing is told: otherwise the program would seem to hang.
const BETWEEN_TURNS: Duration = Duration::from_millis(120);

impl ProgressLine {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} [{bar:20}] {percent}% {wide_msg}");
        let bar = ProgressBar::new(LENGTH);
        Self {
            bar: bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())),
            now: Mutex::new((String::new(), Instant::now())),
        }
    }

    /// The exploration of a subject begins, or what comes before it.
    pub(super) fn begin(&self, exploring: &Exploring, phase: &str) {
        let name = format!("{} on {}", exploring.subject, exploring.engine);
        self.bar.set_position(0);
        self.bar.set_message(format!("{phase}: {name}"));
        self.bar.enable_steady_tick(BETWEEN_TURNS);
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = (name, Instant::now());
    }

    /// A run was judged.
    pub(super) fn show(&self, schedules: u64, verdicts: &BTreeMap<Verdict, u64>, done: f64) {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, since) = &*now;
        let counts = verdicts
            .iter()
            .map(|(verdict, count)| format!("{count} {verdict}"));
        let counts: Vec<_> = counts.collect();
        // The name comes last, because a narrow terminal cuts the line off.
        let message = format!(
            "{schedules} run: {}{}; {name}",
            counts.join(", "),
            left(schedules, done, since.elapsed())
        );
        self.bar.set_position(thousandths(done));
        self.bar.set_message(message);
        self.bar.tick();
    }

    /// Writes a line above the bar.
    pub(super) fn note(&self, line: &str) {
        self.bar.suspend(|| complain(line));
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// The share in thousandths. A share lies between 0 and 1.
fn thousandths(done: f64) -> u64 {
    (done.clamp(0.0, 1.0) * LENGTH as f64) as u64
}

/// What is left, by the share that is done. Empty while that says too little.
fn left(schedules: u64, done: f64, elapsed: Duration) -> String {
    if done <= 0.0 || schedules < 10 {
        return String::new();
    }
    let all = (schedules as f64 / done).round();
    let seconds = (elapsed.as_secs_f64() * (1.0 - done) / done)
        .max(0.0)
        .ceil();
    format!("; of about {all}, about {seconds} s left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_the_share_that_is_done() {
        let ten = Duration::from_secs(10);
        assert_eq!(left(50, 0.25, ten), "; of about 200, about 30 s left");
        assert_eq!(left(200, 1.0, ten), "; of about 200, about 0 s left");
        assert_eq!(left(3, 0.5, ten), "", "three runs say too little");
        assert_eq!(thousandths(0.5), 500);
        assert_eq!(thousandths(1.000_001), 1000);
    }
}
