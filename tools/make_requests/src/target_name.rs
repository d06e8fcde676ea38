//! The name of a target on the command line.

use std::str::FromStr;

use crate::exhibits::{DEFAULT, EXHIBITS};
use crate::invalid::Invalid;
use crate::race::{Exhibit, Target, TargetOptions};
use crate::strategy::Strategy;

/// A target as a person names it: a strategy of the deposits by its bare name, the others with
/// their exhibit in front, as in `orders/max_id_head_first`.
#[derive(Debug, Clone)]
pub struct TargetName {
    exhibit: &'static Exhibit,
    strategy: Strategy,
}

impl TargetName {
    /// The target with these options. An option that has no meaning for the target is refused, and
    /// so is a strategy that no request can be posted to.
    pub fn target(self, options: &TargetOptions) -> Result<Target, Invalid> {
        let Self { exhibit, strategy } = self;
        let useless = options
            .given()
            .find(|option| !exhibit.options.contains(option));
        let target = (exhibit.target)(strategy, options)?;
        let Some(option) = useless else {
            return Ok(target);
        };
        let kind = exhibit.prefix.unwrap_or(exhibit.route);
        Err(Invalid(format!(
            "{option} has no use for {kind}: leave it out, or choose another target than {target}"
        )))
    }
}

impl FromStr for TargetName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let with_prefix = |prefix: &str| {
            let mut exhibits = EXHIBITS.iter().copied();
            exhibits.find(|exhibit| exhibit.prefix == Some(prefix))
        };
        if with_prefix(text).is_some() {
            return Err(Invalid(format!(
                "{text} has several strategies: name one of them, as in {text}/NAME"
            )));
        }
        let prefixed = text
            .split_once('/')
            .and_then(|(prefix, strategy)| Some((with_prefix(prefix)?, strategy)));
        let (exhibit, strategy) = prefixed.unwrap_or((DEFAULT, text));
        let strategy = strategy.parse()?;
        Ok(Self { exhibit, strategy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["atomic", "other/x", "orders/x", "exports/x", "tables/x"];

    const REFUSED: &[&str] = &[
        "", "/x", "x/", "a//b", "..", "../x", "a/../b", "%2e%2e", "x?y", "x#y", "é", "a b",
    ];

    #[test]
    fn a_target_has_its_exhibit_in_front() {
        for name in NAMES {
            let parsed: TargetName = name.parse().unwrap();
            let target = parsed.target(&TargetOptions::default()).unwrap();
            assert_eq!(target.to_string(), *name);
        }
    }

    #[test]
    fn an_exhibit_alone_is_no_target() {
        let refused = "orders".parse::<TargetName>().unwrap_err().to_string();
        assert!(refused.contains("orders/NAME"), "{refused}");
    }

    #[test]
    fn a_target_cannot_leave_its_routes() {
        for bad in REFUSED {
            for name in [(*bad).to_owned(), format!("orders/{bad}")] {
                assert!(name.parse::<TargetName>().is_err(), "{name:?} was taken");
            }
        }
    }
}
