//! The three steps that lose something: a read, a write that it did not see, and the write over it.

use super::ScheduleLoss;
use crate::explore::report::{ExampleData, StepData};
use crate::step::Action;

/// The three steps. None if nothing was lost in this way.
pub(super) fn of(example: &ExampleData) -> Option<ScheduleLoss> {
    if !example.verdict.is_anomaly() {
        return None;
    }
    let overwrite = example.highlight.as_ref()?.index;
    let steps = &example.steps;
    let (last, written) = (&steps[overwrite], written(&steps[overwrite])?);
    let read = steps[..overwrite]
        .iter()
        .rposition(|it| it.client == last.client && value_read(it).is_some())?;
    let between = steps.iter().enumerate().take(overwrite).skip(read);
    let (overwritten, unseen) = between
        .filter(|(_, it)| it.client != last.client)
        .filter_map(|(index, it)| Some((index, it)).filter(|_| self::written(it).is_some()))
        .next_back()?;
    let was_read = value_read(&steps[read])?;
    let gone = self::written(unseen)?;
    let (client, other) = (last.client, unseen.client);
    let sentence = if last.label.starts_with("write balance") {
        let amount = gone - base_of(steps, overwritten).unwrap_or(0);
        format!(
            "{client} read {was_read} before {other} wrote {gone}; {client} then wrote {written}: \
             {other}'s {amount} is gone."
        )
    } else {
        format!(
            "{client} read {was_read} before {other} wrote {gone}; {client} then wrote {written}, \
             as if {other} had written nothing."
        )
    };
    Some(ScheduleLoss {
        read,
        overwritten,
        overwrite,
        sentence,
    })
}

/// The value that a client had read before it wrote in this step.
fn base_of(steps: &[StepData], write: usize) -> Option<i64> {
    let client = steps[write].client;
    let mut before = steps[..write].iter().rev();
    before.find_map(|it| value_read(it).filter(|_| it.client == client))
}

/// What the step has read. None if it is no read, or if it waits.
fn value_read(step: &StepData) -> Option<i64> {
    step.value
        .filter(|_| step.action == Action::Read && !step.wait)
}

/// What the step has written.
fn written(step: &StepData) -> Option<i64> {
    step.value
        .filter(|_| step.action == Action::Write && !step.wait)
}
