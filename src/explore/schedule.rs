//! Which client moved when: clients and schedules, as people write them.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// One of the clients of a run, named by a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Client(u8);

impl Client {
    /// The largest number of clients. More have more schedules than can be waited for.
    pub const MOST: usize = 8;

    /// The first clients, this number of them: A, B, C, …
    pub fn first(count: usize) -> impl Iterator<Item = Self> + Clone {
        (0..Self::MOST as u8).take(count).map(Self)
    }

    /// Its place among the clients: 0 for A.
    pub fn index(self) -> usize {
        self.0.into()
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", char::from(b'A' + self.0))
    }
}

impl Serialize for Client {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Client {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let named = Self::first(Self::MOST).find(|it| it.to_string() == text);
        named.ok_or_else(|| D::Error::custom("a client is one letter from A to H"))
    }
}

/// The order in which the steps of several clients were let go, as a sequence of their names.
///
/// A step that has to wait is named where it was let go, not where its wait ended. Three kinds of
/// steps have no place in a schedule. Thinking touches nothing, so it does not matter when it
/// happens. The rollback after a refusal belongs to the refused step. Giving up a lock in the
/// process belongs to the step before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Schedule(pub Vec<Client>);

impl Schedule {
    /// Reads `A A B`, also with commas or with nothing in between.
    ///
    /// # Errors
    /// What is wrong and where, for people.
    pub fn parse(text: &str, clients: usize) -> Result<Self, String> {
        let mut schedule = Vec::new();
        for (number, letter) in (1..).zip(text.chars()) {
            if letter.is_whitespace() || letter == ',' {
                continue;
            }
            let named =
                |client: &Client| letter.to_ascii_uppercase() == char::from(b'A' + client.0);
            let client = Client::first(clients).find(named).ok_or_else(|| {
                let names: Vec<_> = Client::first(clients).map(|it| it.to_string()).collect();
                format!(
                    "character {number}, {letter:?}, is no client; there are {}, as in \"A A B A B B\"",
                    names.join(", ")
                )
            })?;
            schedule.push(client);
        }
        if schedule.is_empty() {
            return Err(
                "it names no client; give one letter for each step, as in \"A A B A B B\""
                    .to_owned(),
            );
        }
        Ok(Self(schedule))
    }

    /// How often it goes from one client to another.
    pub fn switches(&self) -> usize {
        self.0.windows(2).filter(|two| two[0] != two[1]).count()
    }

    /// What makes one schedule with this number of preemptions simpler than another: fewer
    /// preemptions, then fewer steps, then fewer switches between the clients, then the order of
    /// the alphabet, so that of several the same is always taken.
    pub fn simplicity(&self, preemptions: usize) -> Simplicity<'_> {
        (preemptions, self.0.len(), self.switches(), self)
    }
}

/// The smallest belongs to the simplest schedule.
pub type Simplicity<'s> = (usize, usize, usize, &'s Schedule);

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, client) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            client.fmt(f)?;
        }
        Ok(())
    }
}

impl Serialize for Schedule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        Self::parse(&text, Client::MOST).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_read_as_it_is_written() {
        for text in ["A A B", "AAB", "a, a, b", " A\tA B\n"] {
            assert_eq!(Schedule::parse(text, 2).unwrap().to_string(), "A A B");
        }
    }

    #[test]
    fn a_malformed_schedule_says_where() {
        let error = Schedule::parse("A A C", 2).unwrap_err();
        assert!(error.starts_with("character 5, 'C',"), "{error}");
        assert!(error.contains("A, B"), "{error}");
        assert!(Schedule::parse("A A C", 3).is_ok());
        assert!(
            Schedule::parse("A é", 2)
                .unwrap_err()
                .contains("character 3, 'é'")
        );
        assert!(
            Schedule::parse(" ", 2)
                .unwrap_err()
                .contains("names no client")
        );
    }

    #[test]
    fn the_simplest_has_the_fewest_preemptions_then_steps_then_switches() {
        let schedule = |text| Schedule::parse(text, 2).unwrap();
        let (short, calm, nervous) = (schedule("AB"), schedule("AABB"), schedule("ABAB"));
        assert!(nervous.simplicity(0) < short.simplicity(1));
        assert!(short.simplicity(1) < calm.simplicity(1));
        assert!(calm.simplicity(1) < nervous.simplicity(1));
        assert!(calm.simplicity(1) < schedule("BBAA").simplicity(1));
    }
}
