//! What a client holds while it runs its script: its variables, and which of them it has captured.

use super::script::Variables;
use crate::answer::{Answer, Datum, DatumKind};
use crate::engine::Fault;

/// The variables of one attempt.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) variables: Variables,
    /// The names that a \gset or a \set has set, in order.
    captured: Vec<String>,
    /// Those of them that are no answer to what the client has asked for.
    incidental: Vec<String>,
}

impl Held {
    /// Forgets all, for another attempt.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Sets a variable. It is incidental if it is no answer to what the client has asked for.
    pub(super) fn capture(&mut self, name: String, value: Datum, is_incidental: bool) {
        self.captured.retain(|it| *it != name);
        self.captured.push(name.clone());
        self.incidental.retain(|it| *it != name);
        if is_incidental {
            self.incidental.push(name.clone());
        }
        self.variables.set(name, value);
    }

    /// Whether a \gset or a \set has set anything.
    pub(super) fn has_captured(&self) -> bool {
        !self.captured.is_empty()
    }

    /// What was captured and is still held, in order.
    pub(super) fn captured(&self) -> Vec<(String, Datum)> {
        let held = self.captured.iter().filter_map(|name| {
            let value = self.variables.get(name)?;
            Some((name.clone(), value.clone()))
        });
        held.collect()
    }

    /// The captured names that are no answer.
    pub(super) fn incidental(&self) -> &[String] {
        &self.incidental
    }

    /// Sets the variables that tell how the last statement ended.
    pub(super) fn note_ending(&mut self, answer: &Result<Answer, Fault>) {
        let is_error = Datum::Value {
            text: answer.is_err().to_string(),
            kind: DatumKind::Boolean,
        };
        let (count, state, code, fault) = match answer {
            Ok(answer) => (answer.row_count, "00000", "", ""),
            Err(fault) => (
                0,
                fault.state.as_deref().unwrap_or_default(),
                fault.code.as_deref().unwrap_or_default(),
                fault.kind.name(),
            ),
        };
        self.variables.set("ERROR", is_error);
        self.variables.set("ROW_COUNT", Datum::number(count));
        self.variables.set("SQLSTATE", Datum::text(state));
        self.variables.set("ERROR_CODE", Datum::text(code));
        self.variables.set("FAULT", Datum::text(fault));
    }
}
