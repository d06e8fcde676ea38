//! Why a reduced search may leave schedules out: what each statement touches, and which pairs of
//! statements were taken for independent.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::policy::Relation;
use super::super::{Client, Finding, Reduction, SeenStep};
use crate::footprint::{Access, Thing, Touch};
use crate::step::Effect;

/// What a reduced search takes for independent, whether or not this one was reduced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReductionData {
    /// The statements that the search has seen, by client. One that touched different things in
    /// different runs is there once for each.
    pub statements: Vec<StatementData>,
    /// Each two statements of different clients.
    pub pairs: Vec<PairData>,
}

/// A statement, and what it touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatementData {
    /// The client.
    #[schema(value_type = String)]
    pub client: Client,
    /// A few words for people, e.g. `UPDATE, line 4`.
    pub label: String,
    /// The statement as it was seen first. Null for a step without one.
    pub sql: Option<String>,
    /// What it touches. Null if that was not worked out.
    pub touches: Option<Vec<TouchData>>,
    /// What it does to other clients, in words.
    pub effect: String,
}

/// One thing that a statement touches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TouchData {
    /// The table, `what is committed` or `everything`.
    pub thing: String,
    /// Whether it is written or locked, or else only read.
    pub written: bool,
    /// Why it counts, in words.
    pub why: String,
}

/// Two statements of different clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairData {
    /// The index in `statements` of the first.
    pub one: usize,
    /// The index in `statements` of the second.
    pub other: usize,
    /// Whether they were taken for independent, so that one of their two orders is enough.
    pub independent: bool,
    /// Why they were or were not, in words.
    pub because: String,
}

impl ReductionData {
    pub(super) fn of(finding: &Finding) -> Self {
        let steps: Vec<_> = finding.seen.steps().collect();
        let mut pairs = Vec::new();
        for (one, first) in steps.iter().enumerate() {
            for (other, second) in steps.iter().enumerate().skip(one) {
                if first.client != second.client {
                    let (independent, because) = judged(first, second);
                    pairs.push(PairData {
                        one,
                        other,
                        independent,
                        because,
                    });
                }
            }
        }
        Self {
            statements: steps.into_iter().map(StatementData::of).collect(),
            pairs,
        }
    }

    fn name(&self, index: usize) -> String {
        format!("{}'s {}", self.statements[index].client, self.label(index))
    }

    /// A statement's label. Where a client has it with several footprints, they are numbered.
    fn label(&self, index: usize) -> String {
        let it = &self.statements[index];
        let is_same =
            |other: &&StatementData| (other.client, &other.label) == (it.client, &it.label);
        let before = self.statements[..index].iter().filter(is_same).count();
        let all = self.statements.iter().filter(is_same).count();
        match all {
            1 => it.label.clone(),
            _ => format!("{}, footprint {}", it.label, before + 1),
        }
    }

    /// The explanation for a terminal.
    pub(super) fn text(&self) -> String {
        let (statements, pairs) = (self.statements_in_words(), self.pairs_in_words());
        format!("\n{TOUCHES}:\n\n{statements}\n{PAIRS}:\n\n{pairs}\n{EXCEPTIONS}\n\n")
    }

    /// The explanation as Markdown.
    pub(super) fn markdown(&self) -> String {
        let (statements, pairs) = (self.statements_in_words(), self.pairs_in_words());
        format!(
            "### {TOUCHES}\n\n```text\n{statements}```\n\n### {PAIRS}\n\n```text\n{pairs}```\n\n\
             {EXCEPTIONS}\n\n"
        )
    }

    /// The statements and what they touch, as lines.
    fn statements_in_words(&self) -> String {
        let mut text = String::new();
        for (index, statement) in self.statements.iter().enumerate() {
            let sql = statement.sql.as_deref().map(shortened);
            let sql = sql.map(|it| format!(": {it}")).unwrap_or_default();
            let _ = writeln!(text, "{}{sql}", self.name(index));
            match statement.touches.as_deref() {
                None => {
                    let _ = writeln!(text, "  {}", statement.effect);
                }
                Some([]) => text.push_str("  touches nothing that another client could notice\n"),
                Some(touches) => {
                    for touch in touches {
                        let _ = writeln!(text, "  {}", touch.in_words());
                    }
                }
            }
        }
        text
    }

    /// What each statement depends on, and what it is independent of, as lines.
    fn pairs_in_words(&self) -> String {
        let mut text = String::new();
        for one in 0..self.statements.len() {
            let pairs: Vec<_> = self.pairs.iter().filter(|it| it.one == one).collect();
            if pairs.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{}", self.name(one));
            for (because, others) in self.by_reason(&pairs, false) {
                let _ = writeln!(text, "  depends on {others}: {because}");
            }
            for (because, others) in self.by_reason(&pairs, true) {
                let _ = writeln!(text, "  is independent of {others}: {because}");
            }
        }
        text
    }

    /// The reasons, and the statements to which each applies.
    fn by_reason<'p>(&self, pairs: &[&'p PairData], independent: bool) -> Vec<(&'p str, String)> {
        let mut reasons: Vec<(&str, Vec<usize>)> = Vec::new();
        for pair in pairs.iter().filter(|it| it.independent == independent) {
            match reasons.iter_mut().find(|(it, _)| *it == pair.because) {
                Some((_, others)) => others.push(pair.other),
                None => reasons.push((&pair.because, vec![pair.other])),
            }
        }
        let reasons = reasons.into_iter();
        reasons
            .map(|(because, others)| (because, self.names(&others)))
            .collect()
    }

    /// Several statements. A client's name is before the first of its own.
    fn names(&self, indices: &[usize]) -> String {
        let mut last = None;
        let names = indices.iter().map(|index| {
            let client = self.statements[*index].client;
            let is_same = last.replace(client) == Some(client);
            if is_same {
                self.label(*index)
            } else {
                self.name(*index)
            }
        });
        names.collect::<Vec<_>>().join("; ")
    }
}

const TOUCHES: &str = "What each statement touches";
const PAIRS: &str = "Which statements depend on each other, and which are independent";

/// What is said below the pairs.
const EXCEPTIONS: &str = "While a client waits for a lock, nothing is taken for independent. \
     A step that touches nothing shared, such as\na begin that takes no lock, has no place of its own: \
     it happens at once.";

impl StatementData {
    fn of(seen: &SeenStep) -> Self {
        let step = &seen.step;
        let touches = step.footprint.as_ref();
        let effect = match step.effect {
            Effect::Local => "touches nothing that another client could notice",
            Effect::Reads => "only reads",
            Effect::Conflicts => "may change or lock something that another client touches",
        };
        Self {
            client: seen.client,
            label: step.label.clone().into_owned(),
            sql: step.sql.clone().map(|it| it.into_owned()),
            touches: touches.map(|it| it.touches().map(TouchData::of).collect()),
            effect: effect.to_owned(),
        }
    }
}

impl TouchData {
    fn of(touch: &Touch) -> Self {
        Self {
            thing: touch.thing.to_string(),
            written: touch.access == Access::Writes,
            why: why(touch),
        }
    }

    fn in_words(&self) -> String {
        let does = if self.written {
            "writes or locks"
        } else {
            "reads"
        };
        format!("{does} {}: {}", self.thing, self.why)
    }
}

/// Why a touch counts.
fn why(touch: &Touch) -> String {
    match &*touch.because {
        "" => touch.rule.in_words().to_owned(),
        because => format!("{} ({because})", touch.rule.in_words()),
    }
}

/// Whether two steps are independent while no client waits, and why.
fn judged(one: &SeenStep, other: &SeenStep) -> (bool, String) {
    let relation = Reduction::default().between(&one.step, &other.step);
    let because = match &relation {
        Relation::Local => "one of them touches nothing shared".to_owned(),
        Relation::BothRead => "both only read".to_owned(),
        Relation::Apart => "neither writes or locks what the other touches".to_owned(),
        Relation::Meet(touch, its) => meeting((one.client, touch), (other.client, its)),
        Relation::NotWorkedOut => {
            "one of them may change or lock something, and what it touches was not worked out"
                .to_owned()
        }
    };
    (relation.is_independent(), because)
}

/// Why the order of two statements matters that touch this.
fn meeting((one, touch): (Client, &Touch), (other, its): (Client, &Touch)) -> String {
    match (&touch.thing, &its.thing) {
        (Thing::Everything, _) => format!("{one} may touch everything: {}", why(touch)),
        (_, Thing::Everything) => format!("{other} may touch everything: {}", why(its)),
        (Thing::Published, Thing::Published) => match touch.access {
            Access::Reads => format!("{one} sees what {other} publishes: {}", why(touch)),
            Access::Writes => format!("{other} sees what {one} publishes: {}", why(its)),
        },
        (thing, _) => {
            let writes = |client, touch| {
                format!(
                    "both touch {thing}, and {client} writes or locks it: {}",
                    why(touch)
                )
            };
            match (touch.access, its.access) {
                (Access::Writes, Access::Writes) => format!(
                    "both write or lock {thing}: {one}: {}; {other}: {}",
                    why(touch),
                    why(its)
                ),
                (Access::Writes, Access::Reads) => writes(one, touch),
                (Access::Reads, _) => writes(other, its),
            }
        }
    }
}

/// A statement in one line.
fn shortened(sql: &str) -> String {
    const WIDTH: usize = 80;
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= WIDTH {
        return line;
    }
    let begin: String = line.chars().take(WIDTH - 2).collect();
    format!("{begin} …")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::footprint::Rule;
    use crate::step::{Action, Step};

    fn seen(client: usize, label: &'static str, touches: &[(&str, Access, Rule)]) -> SeenStep {
        let touches = touches.iter();
        let touches = touches.map(|(table, access, rule)| Touch::table(*table, *access, *rule));
        let clients: Vec<_> = Client::first(2).collect();
        SeenStep {
            client: clients[client],
            step: Step {
                action: Action::Write,
                label: label.into(),
                sql: None,
                args: Vec::new(),
                effect: Effect::Conflicts,
                footprint: Some(std::sync::Arc::new(touches.collect())),
                at: None,
            },
            place: 1,
        }
    }

    #[test]
    fn two_statements_depend_on_each_other_for_a_reason() {
        let reads = seen(
            0,
            "SELECT, line 4",
            &[("voucher", Access::Reads, Rule::Named)],
        );
        let locks = [("voucher", Access::Writes, Rule::LockingRead)];
        let locks = seen(1, "SELECT, line 6", &locks);
        let apart = seen(
            1,
            "UPDATE, line 8",
            &[("shop", Access::Writes, Rule::Named)],
        );
        let (independent, because) = judged(&reads, &locks);
        assert!(!independent);
        assert_eq!(
            because,
            "both touch voucher, and B writes or locks it: a locking read counts as a write"
        );
        let (independent, because) = judged(&reads, &apart);
        assert!(independent, "{because}");
    }

    #[test]
    fn pairs_with_one_reason_share_a_line() {
        let statements = [
            seen(
                0,
                "SELECT, line 4",
                &[("voucher", Access::Reads, Rule::Named)],
            ),
            seen(
                1,
                "UPDATE, line 6",
                &[("shop", Access::Writes, Rule::Named)],
            ),
            seen(
                1,
                "UPDATE, line 7",
                &[("shop", Access::Writes, Rule::Named)],
            ),
        ];
        let pair = |other| {
            let (independent, because) = judged(&statements[0], &statements[other]);
            PairData {
                one: 0,
                other,
                independent,
                because,
            }
        };
        let data = ReductionData {
            statements: statements.iter().map(StatementData::of).collect(),
            pairs: vec![pair(1), pair(2)],
        };
        assert_eq!(
            data.pairs_in_words(),
            "A's SELECT, line 4\n  is independent of B's UPDATE, line 6; UPDATE, line 7: neither \
             writes or locks what the other touches\n"
        );
        assert!(
            data.statements_in_words()
                .starts_with("A's SELECT, line 4\n  reads voucher: the statement names it\n")
        );
    }

    #[test]
    fn a_long_statement_is_shown_in_one_line() {
        let sql = "SELECT a,\n    b\nFROM t";
        assert_eq!(shortened(sql), "SELECT a, b FROM t");
        let long = format!("SELECT {}", "a, ".repeat(50));
        assert!(shortened(&long).ends_with('…'));
    }
}
