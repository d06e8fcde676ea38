//! What visitors may ask of a lab: how large one run may be, and how many there may be at once.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::store::Kind;

/// What visitors may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The requests of one run.
    pub requests: u32,
    /// How long the release of a run's requests may take, and again the wait for an answer.
    pub duration: Duration,
    /// How long a strategy may think.
    pub delay: Duration,
    /// The instances of the service that one run has.
    pub instances: u32,
    /// The runs of one instance of the service at once.
    pub runs: usize,
    /// The runs of one caller at once.
    pub runs_of_a_caller: usize,
    /// The explorations of one instance of the service at once.
    pub explorations: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests: 500,
            duration: Duration::from_secs(60),
            delay: Duration::from_secs(10),
            instances: 2,
            runs: 2,
            runs_of_a_caller: 1,
            explorations: 1,
        }
    }
}

/// Why there is no place for another run or exploration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPlace {
    /// What is the case, and what to do.
    pub words: String,
    /// When to ask again.
    pub retry_after: Duration,
}

/// The runs and explorations under way in this instance of the service.
#[derive(Debug, Clone, Default)]
pub struct Places(Arc<Mutex<Vec<Occupant>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Occupant {
    kind: Kind,
    caller: IpAddr,
}

/// One run or exploration under way. Dropping it frees its place.
#[derive(Debug)]
pub struct TakenPlace {
    places: Places,
    occupant: Occupant,
}

impl Places {
    /// Takes a place for a run or an exploration.
    pub fn take(&self, limits: &Limits, kind: Kind, caller: IpAddr) -> Result<TakenPlace, NoPlace> {
        let occupant = Occupant { kind, caller };
        let mut occupants = self.occupants();
        let of_kind = occupants.iter().filter(|it| it.kind == kind).count();
        let own = occupants.iter().filter(|it| **it == occupant).count();
        match kind {
            Kind::Run if own >= limits.runs_of_a_caller => return Err(own_run()),
            Kind::Run if of_kind >= limits.runs => return Err(busy("runs", limits.runs)),
            Kind::Exploration if of_kind >= limits.explorations => {
                return Err(busy("explorations", limits.explorations));
            }
            Kind::Run | Kind::Exploration => {}
        }
        occupants.push(occupant);
        drop(occupants);
        Ok(TakenPlace {
            places: self.clone(),
            occupant,
        })
    }

    fn occupants(&self) -> MutexGuard<'_, Vec<Occupant>> {
        // Nothing panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TakenPlace {
    fn drop(&mut self) {
        let mut occupants = self.places.occupants();
        if let Some(place) = occupants.iter().position(|it| *it == self.occupant) {
            occupants.swap_remove(place);
        }
    }
}

fn own_run() -> NoPlace {
    NoPlace {
        words: "A run from your address is under way, and each address may have one at a time. \
                Wait until it has ended, or stop it."
            .to_owned(),
        retry_after: Duration::from_secs(5),
    }
}

fn busy(what: &str, most: usize) -> NoPlace {
    NoPlace {
        words: format!(
            "This lab is busy: as many {what} are under way as there may be at once ({most}). Ask \
             again in a moment."
        ),
        retry_after: Duration::from_secs(10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    #[test]
    fn a_caller_has_one_run_and_the_lab_two() {
        let (places, limits) = (Places::default(), Limits::default());
        let first = places.take(&limits, Kind::Run, address(1)).unwrap();
        let own = places.take(&limits, Kind::Run, address(1)).unwrap_err();
        assert!(own.words.contains("your address"), "{own:?}");
        let _second = places.take(&limits, Kind::Run, address(2)).unwrap();
        let busy = places.take(&limits, Kind::Run, address(3)).unwrap_err();
        assert!(busy.words.contains("at once (2)"), "{busy:?}");
        drop(first);
        assert!(places.take(&limits, Kind::Run, address(3)).is_ok());
    }

    #[test]
    fn explorations_have_places_of_their_own() {
        let (places, limits) = (Places::default(), Limits::default());
        let _run = places.take(&limits, Kind::Run, address(1)).unwrap();
        let _one = places.take(&limits, Kind::Exploration, address(1)).unwrap();
        let another = places.take(&limits, Kind::Exploration, address(2));
        assert!(another.is_err());
    }
}
