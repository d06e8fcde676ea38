//! What a visitor's form asks for, read field by field.

use std::fmt;

use crate::console::record::RunPlan;
use crate::engine::{Flavour, Isolation};
use crate::exhibits::{self, Specimen};

use super::limits::Limits;

/// A field that cannot be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadField {
    /// Its name.
    pub name: &'static str,
    /// What it holds. None if it is missing.
    pub value: Option<String>,
    /// What would be right.
    pub right: String,
}

impl fmt::Display for BadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, right } = self;
        match value {
            None => write!(f, "The field {name:?} is missing; it has to be {right}."),
            Some(value) => write!(f, "The field {name:?} is {value:?}; it has to be {right}."),
        }
    }
}

/// The names of the form's fields. `id` and `token` name the record, and `pace` and `release` say
/// the same. `unsure` and `reveal` matter only to a form that is shown again.
pub const FIELDS: &[&str] = &[
    "id",
    "token",
    "exhibit",
    "strategy",
    "requests",
    "pace",
    "release",
    "wait_ms",
    "delay_ms",
    "account",
    "amount",
    "instances",
    "isolation",
    "predicted",
    "unsure",
    "reveal",
];

/// The exhibits whose strategies write, each with its name.
const WRITING: [&str; 3] = ["deposits", "orders", "exports"];

/// The largest amount. Far more deposits than a run has still fit into a balance.
const MOST_AMOUNT: i64 = 1_000_000_000;

/// Reads the fields of a form. `take` returns a field's text; an empty one counts as missing.
pub fn parse(
    mut take: impl FnMut(&'static str) -> Option<String>,
    limits: &Limits,
    flavour: Flavour,
) -> Result<RunPlan, BadField> {
    let mut text = |name| {
        let text = take(name).map(|it| it.trim().to_owned());
        text.filter(|it| !it.is_empty())
    };
    let exhibit = text("exhibit");
    let (exhibit, strategy) = strategy(exhibit.as_deref(), text("strategy"))?;
    let mut number = |name, default, least, most| number(name, text(name), default, least, most);
    let requests = number("requests", Some(10), 1, limits.requests.into())?;
    let delay_ms = number("delay_ms", Some(150), 0, milliseconds(limits.delay))?;
    let account = number("account", Some(1), 0, i64::MAX)?;
    let amount = number("amount", Some(100), 1, MOST_AMOUNT)?;
    let instances = number("instances", Some(1), 1, limits.instances.into())?;
    let predicted = match text("predicted") {
        None => None,
        Some(predicted) => Some(self::number(
            "predicted",
            Some(predicted),
            None,
            i64::MIN,
            i64::MAX,
        )?),
    };
    let pace = text("pace").or_else(|| text("release"));
    let wait_ms = wait(pace, text("wait_ms"), requests, limits)?;
    Ok(RunPlan {
        exhibit: exhibit.to_owned(),
        strategy: strategy.to_owned(),
        requests: small(requests),
        wait_ms,
        delay_ms: delay_ms.unsigned_abs(),
        account,
        amount,
        instances: small(instances),
        isolation: isolation(text("isolation"), flavour)?.map(|level| level.sql().to_owned()),
        predicted,
    })
}

/// The strategy that a plan is about.
pub fn specimen(plan: &RunPlan) -> Option<&'static dyn Specimen> {
    let exhibit = exhibits::EXHIBITS
        .iter()
        .find(|it| it.name == plan.exhibit)?;
    let mut specimens = (exhibit.specimens)().into_iter();
    specimens.find(|it| it.name() == plan.strategy)
}

/// The exhibit and the strategy's name within it.
fn strategy(
    exhibit: Option<&str>,
    strategy: Option<String>,
) -> Result<(&'static str, &'static str), BadField> {
    if let Some(name) = exhibit
        && !WRITING.contains(&name)
    {
        return Err(BadField {
            name: "exhibit",
            value: Some(name.to_owned()),
            right: format!("one of {}", WRITING.join(", ")),
        });
    }
    let known = exhibits::EXHIBITS
        .iter()
        .filter(|it| WRITING.contains(&it.name) && exhibit.is_none_or(|name| name == it.name));
    let known = known.flat_map(|it| (it.specimens)().into_iter().map(|one| (it.name, one)));
    let known: Vec<_> = known.collect();
    let found = strategy.as_deref().and_then(|name| {
        let mut known = known.iter();
        known.find(|(_, one)| one.full_name() == name || (exhibit.is_some() && one.name() == name))
    });
    found
        .map(|(exhibit, one)| (*exhibit, one.name()))
        .ok_or_else(|| {
            let names: Vec<_> = known.iter().map(|(_, one)| one.full_name()).collect();
            BadField {
                name: "strategy",
                value: strategy,
                right: format!("one of {}", names.join(", ")),
            }
        })
}

fn number(
    name: &'static str,
    text: Option<String>,
    default: Option<i64>,
    least: i64,
    most: i64,
) -> Result<i64, BadField> {
    let value = match &text {
        Some(text) => text.parse().ok(),
        None => default,
    };
    value
        .filter(|value| (least..=most).contains(value))
        .ok_or_else(|| BadField {
            name,
            value: text,
            right: match (least, most) {
                (i64::MIN, _) => "a whole number".to_owned(),
                (_, i64::MAX) => format!("a whole number, at least {least}"),
                _ => format!("a whole number from {least} to {most}"),
            },
        })
}

/// The wait between two requests. None if all are released together.
fn wait(
    pace: Option<String>,
    wait_ms: Option<String>,
    requests: i64,
    limits: &Limits,
) -> Result<Option<u64>, BadField> {
    match pace.as_deref() {
        None | Some("together") => return Ok(None),
        Some("wait") => {}
        Some(_) => {
            return Err(BadField {
                name: "pace",
                value: pace,
                right: "together or wait".to_owned(),
            });
        }
    }
    let longest = milliseconds(limits.duration);
    let wait = number("wait_ms", wait_ms, None, 1, longest)?;
    if wait.saturating_mul(requests - 1) > longest {
        return Err(BadField {
            name: "wait_ms",
            value: Some(wait.to_string()),
            right: format!(
                "at most {} for {requests} requests, so that all are sent within {} seconds",
                longest / (requests - 1).max(1),
                limits.duration.as_secs()
            ),
        });
    }
    Ok(Some(wait.unsigned_abs()))
}

/// The isolation level. None for the lab's own.
pub(in crate::console) fn isolation(
    text: Option<String>,
    flavour: Flavour,
) -> Result<Option<Isolation>, BadField> {
    let Some(name) = text else {
        return Ok(None);
    };
    let levels = flavour.isolation_levels();
    match name.parse() {
        Ok(level) if levels.contains(&level) => Ok(Some(level)),
        Ok(_) | Err(_) => {
            let levels: Vec<_> = levels.iter().map(|level| level.sql()).collect();
            Err(BadField {
                name: "isolation",
                value: Some(name),
                right: format!("one of {}, or nothing for the lab's own", levels.join(", ")),
            })
        }
    }
}

fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(fields: &[(&str, &str)]) -> Result<RunPlan, BadField> {
        let take = |name: &'static str| {
            let field = fields.iter().find(|(field, _)| *field == name);
            field.map(|(_, text)| (*text).to_owned())
        };
        parse(take, &Limits::default(), Flavour::Postgres)
    }

    #[test]
    fn a_strategy_alone_is_enough() {
        let plan = parsed(&[("strategy", "orders/bakery")]).unwrap();
        assert_eq!(
            (plan.exhibit.as_str(), plan.strategy.as_str()),
            ("orders", "bakery")
        );
        assert_eq!((plan.requests, plan.wait_ms, plan.instances), (10, None, 1));
        let named = parsed(&[("exhibit", "orders"), ("strategy", "bakery")]).unwrap();
        assert_eq!(named, plan);
    }

    #[test]
    fn a_complaint_names_the_field_the_value_and_what_would_be_right() {
        let deposits = ("strategy", "atomic_no_delay");
        for (name, value, right) in [
            ("requests", "501", "from 1 to 500"),
            ("requests", "many", "from 1 to 500"),
            ("delay_ms", "10001", "from 0 to 10000"),
            ("amount", "0", "from 1 to"),
            ("instances", "3", "from 1 to 2"),
            ("isolation", "READ UNCOMMITTED", "READ COMMITTED"),
            ("pace", "soon", "together or wait"),
            ("exhibit", "statements", "deposits, orders"),
            ("predicted", "1.5", "a whole number"),
        ] {
            let bad = parsed(&[deposits, (name, value)]).unwrap_err();
            assert_eq!((bad.name, bad.value.as_deref()), (name, Some(value)));
            assert!(bad.right.contains(right), "{bad:?}");
        }
    }

    #[test]
    fn the_requests_of_a_run_fit_into_its_time() {
        let fields = [
            ("strategy", "atomic_no_delay"),
            ("requests", "101"),
            ("pace", "wait"),
        ];
        let with = |wait| parsed(&[&fields[..], &[("wait_ms", wait)]].concat());
        assert_eq!(with("600").unwrap().wait_ms, Some(600));
        let bad = with("601").unwrap_err();
        assert!(bad.right.starts_with("at most 600 for 101"), "{bad:?}");
        assert_eq!(with("").unwrap_err().name, "wait_ms");
    }

    #[test]
    fn a_level_is_spelled_in_either_way() {
        for text in ["repeatable-read", "REPEATABLE READ", "Repeatable Read"] {
            let plan = parsed(&[("strategy", "atomic_no_delay"), ("isolation", text)]).unwrap();
            assert_eq!(plan.isolation.as_deref(), Some("REPEATABLE READ"));
        }
    }
}
