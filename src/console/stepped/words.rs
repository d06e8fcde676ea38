//! What a step does, in plain English.

use crate::explore::report::{AnswerData, ExampleData, FindingData, StepData};
use crate::step::Action;

/// The client that a waiting step waits for: the one after whose step it goes on.
pub(super) fn waits_for(example: &ExampleData, step: &StepData) -> Option<String> {
    let until = step.waited_until.filter(|_| step.wait)?;
    let other = example.steps.iter().find(|it| it.step == Some(until))?;
    (other.client != step.client).then(|| other.client.to_string())
}

/// What happened, in one sentence.
pub(super) fn sentence(finding: &FindingData, step: &StepData, waits_for: Option<&str>) -> String {
    let client = step.client.to_string();
    let is_scenario = finding.title.is_some();
    let what = what(step, is_scenario);
    if step.wait {
        let other = waits_for.unwrap_or("another client");
        return format!("{client} wants to {what}, and waits for {other}.");
    }
    let subject = match step.resumes {
        Some(_) => format!("{client}'s wait is over: {client}"),
        None => client,
    };
    if let Some(refusal) = &step.refusal {
        let refusal = refusal.trim_end_matches('.');
        return format!("{subject} wants to {what}, and is refused: {refusal}.");
    }
    format!("{subject} {}{}.", third_person(&what), outcome(step))
}

/// What the step does, without its subject: `read balance`.
fn what(step: &StepData, is_scenario: bool) -> String {
    match step.action {
        Action::Begin => "begin a transaction".to_owned(),
        Action::Commit => "commit".to_owned(),
        Action::Rollback => "roll back".to_owned(),
        Action::Think => "think: time passes".to_owned(),
        Action::Pause => "pause before the next attempt".to_owned(),
        Action::Request => format!("send {}", step.label),
        Action::Answer => format!("be {}", step.label),
        Action::Outside => "wait for something outside the database".to_owned(),
        Action::Read | Action::Write | Action::Lock | Action::Unlock if is_scenario => {
            let verb = match step.action {
                Action::Read => "read",
                Action::Write => "write",
                Action::Lock => "lock",
                _ => "unlock",
            };
            match step.label.split_once(", ") {
                Some((statement, line)) => format!("{verb} with the {statement} in {line}"),
                None => format!("{verb} ({})", step.label),
            }
        }
        Action::Read | Action::Write | Action::Lock | Action::Unlock => {
            let values = step.values.iter().map(|value| format!(" {value}"));
            format!("{}{}", step.label, values.collect::<String>())
        }
    }
}

/// What came of it, to be put behind the verb.
fn outcome(step: &StepData) -> String {
    if step.matched_no_row {
        return ", but no row matches, and nothing changes".to_owned();
    }
    match (&step.answer, step.value, step.action) {
        (Some(answer), _, Action::Read) => format!(": {}", in_hand(answer)),
        (Some(answer), _, Action::Write) => match answer.row_count {
            0 => ": no row changes".to_owned(),
            1 => ": 1 row changes".to_owned(),
            several => format!(": {several} rows change"),
        },
        (Some(answer), _, Action::Answer) => {
            let body = answer.rows.first().and_then(|row| row.first());
            let body = body.and_then(Option::as_deref).filter(|it| !it.is_empty());
            body.map(|it| format!(": {it}")).unwrap_or_default()
        }
        (None, Some(value), Action::Read | Action::Write) => format!(": {value}"),
        _ => String::new(),
    }
}

/// What a read leaves in the client's hand: `balance 0`. None if it does not say.
pub(super) fn taken(step: &StepData) -> Option<String> {
    if let Some(answer) = &step.answer {
        return Some(in_hand(answer));
    }
    let value = step.value?;
    let verbs = ["lock and read ", "read ", "look at ", "sum up ", "lock "];
    let named = verbs.iter().find_map(|verb| step.label.strip_prefix(verb));
    Some(format!("{} {value}", named.unwrap_or(&step.label)))
}

/// The first row of an answer, with its columns' names, or how many rows there are.
fn in_hand(answer: &AnswerData) -> String {
    match (&answer.rows[..], answer.row_count) {
        ([], _) => "no row".to_owned(),
        ([row], 0 | 1) => {
            let values = row.iter().map(|it| it.as_deref().unwrap_or("NULL"));
            let named = answer.columns.iter().zip(values);
            let named: Vec<_> = named
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            named.join(", ")
        }
        (rows, count) => {
            let firsts = rows.iter().filter_map(|row| row.first());
            let firsts: Vec<_> = firsts.map(|it| it.as_deref().unwrap_or("NULL")).collect();
            format!("{count} rows ({})", firsts.join(", "))
        }
    }
}

/// The words with their first verb, and one that `and` joins to it, in the third person.
fn third_person(what: &str) -> String {
    let mut words = what.split(' ').map(str::to_owned).collect::<Vec<_>>();
    words[0] = inflected(&words[0]);
    if words.get(1).is_some_and(|it| it == "and")
        && let Some(second) = words.get_mut(2)
    {
        *second = inflected(second);
    }
    words.join(" ")
}

fn inflected(verb: &str) -> String {
    if verb == "be" {
        return "is".to_owned();
    }
    let (stem, rest) = match verb.split_once(':') {
        Some((stem, _)) => (stem, ":"),
        None => (verb, ""),
    };
    let hisses = ["s", "x", "z", "ch", "sh", "o"]
        .iter()
        .any(|it| stem.ends_with(it));
    let vowel_before_y = ["ay", "ey", "oy", "uy"].iter().any(|it| stem.ends_with(it));
    match stem.strip_suffix('y') {
        Some(without) if !vowel_before_y => format!("{without}ies{rest}"),
        _ if hisses => format!("{stem}es{rest}"),
        _ => format!("{stem}s{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::third_person;

    #[test]
    fn what_a_client_does_is_in_the_third_person() {
        let cases = [
            ("read balance", "reads balance"),
            ("compare and swap", "compares and swaps"),
            ("open and empty x.csv", "opens and empties x.csv"),
            ("think: time passes", "thinks: time passes"),
            ("roll back", "rolls back"),
            ("take ticket", "takes ticket"),
            ("leave", "leaves"),
        ];
        for (what, does) in cases {
            assert_eq!(third_person(what), does);
        }
    }
}
