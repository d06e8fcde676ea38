//! What happens when a statement is answered: its client's gate is told, and the answer is held.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::sleep;

use super::link::Link;
use super::seats::Phase;
use super::signs::LEARNING;
use super::turns::{Answered, Besides, StepTurn, Turns};
use crate::answer::{Answer, Datum};
use crate::step::{Ending, Observer as _, Record, Step};

impl Turns {
    /// The record of a step that has just ended.
    fn record_of(&self, step: Step, started: Instant, answered: &Answered) -> Record {
        Record {
            step,
            started,
            ended: Instant::now(),
            ending: self.ending(answered),
        }
    }

    /// How a statement has ended, as reports may show it.
    fn ending(&self, answered: &Answered) -> Ending {
        match answered {
            Ok(answer) if self.settings().hides_values => Ending::Answered(Answer {
                // Rows that are hidden must not read as none.
                columns: answer
                    .columns
                    .first()
                    .map(|_| "hidden".to_owned())
                    .into_iter()
                    .collect(),
                rows: answer
                    .rows
                    .first()
                    .map(|_| vec![Datum::text("…")])
                    .into_iter()
                    .collect(),
                row_count: answer.row_count,
            }),
            Ok(answer) => Ending::Answered(answer.clone()),
            Err(fault) => Ending::Failed {
                kind: fault.kind.name(),
                code: fault.code.clone(),
                refusal: if self.settings().hides_values {
                    fault.kind.name().to_owned()
                } else {
                    fault.to_string()
                },
            },
        }
    }
}

impl Besides {
    /// It was answered.
    pub(super) fn answered(self, turns: &Arc<Turns>, answered: &Answered) {
        let (client, run) = (self.claimed.client, self.claimed.run);
        let record = turns.record_of(self.step, self.started, answered);
        self.claimed.gate.after(&record);
        turns.of_seat(client, run, |seats| {
            let seat = seats.seats.get_mut(&client)?;
            seat.besides = seat.besides.saturating_sub(1);
            if seat.besides == 0 && seat.phase == Phase::Computes {
                turns.wait_for_a_sign(client, run, seat);
            }
            Some(())
        });
        turns.has_changed();
        self.claimed.done();
    }
}

impl StepTurn {
    /// It was answered. The future is done when the application may have the answer.
    pub(super) async fn answered(
        self,
        turns: &Arc<Turns>,
        link: &Link,
        answered: &Answered,
        has_changed_for_good: bool,
    ) {
        let (client, run) = (self.claimed.client, self.claimed.run);
        let record = turns.record_of(self.step, self.started, answered);
        self.claimed.gate.after(&record);
        let flavour = turns.settings().flavour;
        turns.of_seat(client, run, |seats| {
            let seat = seats.seats.get_mut(&client)?;
            seat.last_answer = Some(Instant::now());
            let seen = &mut seat.seen;
            seen.has_changed_for_good |= has_changed_for_good;
            seen.tries_locks |= self.statement.does_not_wait(flavour);
            if let Err(fault) = answered {
                seen.fault = Some(fault.clone());
            }
            Some(())
        });
        turns.known.note_level(link.level());
        if turns.known.learns() && !link.is_of_one_client() {
            // The answer to the request may come first: then this was sent after it. And what the
            // client sends meanwhile, it sends together with this.
            sleep(LEARNING).await;
        }
        tokio::select! {
            () = self.claimed.gate.hold_answer() => {}
            () = self.over.cancelled() => {}
        }
        turns.goes_on(client, run);
        self.claimed.done();
        drop(self.queue);
    }
}
