//! The table of a schedule's steps: everything that the picture shows.

use maud::{Markup, html};

use crate::console::pages::parts::scroll;
use crate::console::stepped::{Cell, SteppedRun, SteppedStep};

/// The table of all steps, with a column for each client.
pub(super) fn steps(run: &SteppedRun) -> Markup {
    let table = html! {
        table #steps {
            caption { "What each client does, and what is stored after it" }
            thead {
                tr {
                    th scope="col" { "Step" }
                    @for client in &run.clients {
                        th scope="col" {
                            "Client " (client.letter)
                            @if let Some(name) = &client.name { ", " (name) }
                        }
                    }
                    th scope="col" { "What happens" }
                    th scope="col" { "Stored" }
                    th scope="col" { "In hand" }
                }
            }
            tbody {
                (start(run))
                @for (at, step) in run.steps.iter().enumerate() { (row(run, at, step)) }
            }
        }
    };
    scroll("Steps", &table)
}

fn start(run: &SteppedRun) -> Markup {
    html! {
        tr #s-0 {
            th scope="row" { a href="#s=0" { "Start" } }
            @for _ in &run.clients { td {} }
            td { "Nothing has happened yet." }
            td { (stored(&run.start.row)) }
            td {}
        }
    }
}

fn row(run: &SteppedRun, at: usize, step: &SteppedStep) -> Markup {
    let place = at + 1;
    html! {
        tr id={ "s-" (place) } {
            th scope="row" { a href={ "#s=" (place) } { (place) } }
            @for (number, client) in run.clients.iter().enumerate() {
                @if client.letter == step.client {
                    td class=(class(number)) { (does(step)) }
                } @else {
                    td {}
                }
            }
            td { (happens(run, at, step)) }
            td { (stored(&step.row)) }
            td { (hands(step)) }
        }
    }
}

/// A client's class. From the fifth client on they share the last one.
fn class(number: usize) -> &'static str {
    match number {
        0 => "client-a",
        1 => "client-b",
        2 => "client-c",
        _ => "client-d",
    }
}

fn does(step: &SteppedStep) -> Markup {
    html! {
        @if let Some(number) = step.resumes {
            "goes on with step " (number)
        } @else {
            (step.text)
        }
        @if !step.result.is_empty() { " " b { (step.result) } }
    }
}

fn happens(run: &SteppedRun, at: usize, step: &SteppedStep) -> Markup {
    let highlight = run.highlight.as_ref().filter(|it| it.index == at);
    html! {
        (step.sentence)
        @if step.waits { " " span.tag { "waits" } }
        @if let Some(refusal) = &step.refusal { " " span.tag.refused { (refusal) } }
        @for (waiting, holder) in &step.waiting {
            " " small {
                (waiting) " waits"
                @if let Some(holder) = holder { " for " (holder) }
                "."
            }
        }
        @if let Some(highlight) = highlight { " " span.lost { (highlight.words) } }
        @if let Some(words) = part_of_the_loss(run, at) { " " small { (words) } }
    }
}

/// What a step has to do with what was lost.
fn part_of_the_loss(run: &SteppedRun, at: usize) -> Option<&'static str> {
    let loss = run.loss.as_ref()?;
    match at {
        _ if at == loss.read => Some("This read does not see the other client's write."),
        _ if at == loss.overwritten => Some("This write will be overwritten."),
        _ if at == loss.overwrite => Some("This write overwrites the other client's."),
        _ => None,
    }
}

fn stored(row: &[Cell]) -> Markup {
    html! {
        @for (at, cell) in row.iter().enumerate() {
            @if at > 0 { ", " }
            (cell.name) " "
            @if cell.changed { b { (cell.value) } " (changed)" } @else { (cell.value) }
        }
    }
}

fn hands(step: &SteppedStep) -> Markup {
    html! {
        @for (at, (client, hand)) in step.hands.iter().enumerate() {
            @if at > 0 { "; " }
            (client) ": " (hand.as_deref().unwrap_or("nothing"))
            @if step.changed_hands.contains(client) { " (changed)" }
            @if step.open.get(client) == Some(&true) { ", in a transaction" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::lost_update;
    use super::*;

    #[test]
    fn every_step_has_a_row_with_the_state_after_it() {
        let table = steps(&lost_update()).into_string();
        assert_eq!(table.matches("<tr id=\"s-").count(), 4, "{table}");
        assert!(table.contains(r##"<a href="#s=3">3</a>"##));
        assert!(table.contains("balance <b>100</b> (changed)"));
        assert!(
            table.contains("A: balance 0, in a transaction; B: nothing"),
            "{table}"
        );
        assert!(
            table.contains(r#"<span class="lost">B's 100 is lost</span>"#)
                || table.contains("B&#39;s 100"),
            "{table}"
        );
    }
}
