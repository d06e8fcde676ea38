//! Statements as they are shown while they come.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::clients::{Cutter, Each, numbered, on_connection};
use super::noise::noise_of_all;
use crate::answer::Answer;
use crate::engine::{ConnectionId, Flavour, StatementPiece, UserStatement};
use crate::proxy::Heard;

/// Shows statements, grouped by connection and by request.
#[derive(Debug)]
pub struct Listing {
    flavour: Flavour,
    hides_values: bool,
    began: Instant,
    cutter: Option<Cutter>,
    request: usize,
    /// The heading under which the next line would stand: a connection's, and a request's if the
    /// line is a part of one.
    heading: Option<(ConnectionId, Option<usize>)>,
}

impl Listing {
    /// A listing that begins now.
    pub fn new(flavour: Flavour, each: Each, hides_values: bool) -> Self {
        let cutter = match each {
            Each::Pause(pause) => Some(Cutter::new(pause)),
            Each::Connection | Each::Transaction => None,
        };
        Self {
            flavour,
            hides_values,
            began: Instant::now(),
            cutter,
            request: 0,
            heading: None,
        }
    }

    /// The lines for this statement, each with its end.
    pub fn lines(&mut self, heard: &Heard) -> String {
        let request = self.request(heard);
        let mut lines = String::new();
        let heading = (heard.connection, request);
        if self.heading != Some(heading) {
            self.heading = Some(heading);
            let client = request.map(numbered);
            let name = on_connection(client.as_deref(), heard.connection);
            let _ = writeln!(lines, "\n{name}");
        }
        let came = heard.came.saturating_duration_since(self.began);
        let took = heard.answered.saturating_duration_since(heard.came);
        let _ = writeln!(
            lines,
            "{:>9.3} s {:>8.1} ms  {}{}",
            came.as_secs_f64(),
            milliseconds(took),
            self.statement(heard),
            self.answer(heard)
        );
        lines
    }

    /// The request to which this statement belongs. None if it comes between two requests: it was
    /// sent for the driver or the pool. Also None if requests are not told apart.
    fn request(&mut self, heard: &Heard) -> Option<usize> {
        let is_noise = noise_of_all(heard, self.flavour).is_some();
        let cutter = self.cutter.as_mut()?;
        if is_noise {
            return (!cutter.is_after_a_pause(heard)).then_some(self.request);
        }
        if cutter.begins_another(heard) {
            self.request += 1;
            self.heading = None;
        }
        Some(self.request)
    }

    fn statement(&self, heard: &Heard) -> String {
        let sent = &heard.sent;
        if self.hides_values {
            return UserStatement::new(&sent.text, self.flavour).shape(self.flavour);
        }
        let pieces = UserStatement::pieces(&sent.text, &sent.arguments, "", self.flavour);
        let text = |it: StatementPiece| match it {
            StatementPiece::Text(text) => text,
            StatementPiece::Value(value) => value.literal,
        };
        pieces.into_iter().map(text).collect()
    }

    fn answer(&self, heard: &Heard) -> String {
        match &heard.answer {
            Err(fault) if self.hides_values => format!(" ✗ {}", fault.kind.name()),
            Err(fault) => format!(" ✗ {fault}"),
            Ok(answer) => self.rows(answer),
        }
    }

    fn rows(&self, answer: &Answer) -> String {
        match answer.rows.as_slice() {
            [row] if answer.row_count == 1 && !self.hides_values => {
                let values: Vec<_> = row.iter().map(ToString::to_string).collect();
                format!(" → {}", values.join(" | "))
            }
            [] if !answer.has_rows() && answer.row_count == 0 => String::new(),
            _ => match answer.row_count {
                1 => " → 1 row".to_owned(),
                count => format!(" → {count} rows"),
            },
        }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
