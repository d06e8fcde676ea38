//! Which steps the permutations of a `.spec` file mean.

use std::collections::HashMap;

use super::parser::{Name, NamedBlocker, NamedPermutation, NamedStep, Parsed};
use super::{Blocker, Permutation, PermutationStep, Spec, SpecError, SpecSession};

/// Replaces the names in the permutations by the steps that they stand for.
pub(super) fn resolve(parsed: Parsed) -> Result<Spec, SpecError> {
    let steps = Steps::of(&parsed)?;
    let permutations = parsed.permutations.iter();
    let permutations = permutations
        .map(|it| steps.permutation(it))
        .collect::<Result<_, _>>()?;
    Ok(Spec {
        permutations,
        setup: parsed.setup,
        teardown: parsed.teardown,
        sessions: parsed.sessions,
    })
}

/// The steps by their names.
struct Steps<'p> {
    sessions: &'p [SpecSession],
    places: HashMap<&'p str, (usize, usize)>,
}

impl<'p> Steps<'p> {
    fn of(parsed: &'p Parsed) -> Result<Self, SpecError> {
        let mut places = HashMap::new();
        let mut lines = HashMap::new();
        let mut step_places = parsed.step_places.iter();
        for (session, it) in parsed.sessions.iter().enumerate() {
            for ((step, it), place) in it.steps.iter().enumerate().zip(&mut step_places) {
                if let Some(first) = lines.insert(&it.name, place.line) {
                    let name = &it.name;
                    return Err(SpecError::new(
                        *place,
                        format!(
                            "a second step \"{name}\", beside the one in line {first}; a step's \
                             name is its own in the whole file"
                        ),
                    ));
                }
                places.insert(it.name.as_str(), (session, step));
            }
        }
        Ok(Self {
            sessions: &parsed.sessions,
            places,
        })
    }

    fn permutation(&self, named: &NamedPermutation) -> Result<Permutation, SpecError> {
        let steps = named.steps.iter();
        let mut steps: Vec<_> = steps.map(|it| self.step(it)).collect::<Result<_, _>>()?;
        for (at, it) in named.steps.iter().enumerate() {
            let blockers = it.blockers.iter();
            let blockers = blockers.map(|blocker| self.blocker(blocker, it, named, &steps));
            steps[at].blockers = blockers.collect::<Result<_, _>>()?;
        }
        Ok(Permutation {
            steps,
            line: Some(named.place.line),
        })
    }

    fn step(&self, named: &NamedStep) -> Result<PermutationStep, SpecError> {
        let Name { text, place } = &named.name;
        match self.places.get(text.as_str()) {
            Some((session, step)) => Ok(PermutationStep {
                session: *session,
                step: *step,
                blockers: Vec::new(),
            }),
            None => Err(SpecError::new(
                *place,
                format!("there is no step \"{text}\"; there are {}", self.all()),
            )),
        }
    }

    /// Every step, for people.
    fn all(&self) -> String {
        let steps = self.sessions.iter().flat_map(|it| &it.steps);
        let names: Vec<_> = steps.map(|it| it.name.as_str()).collect();
        names.join(", ")
    }

    /// An annotation means a step of the same permutation, since no other can be under way.
    fn blocker(
        &self,
        blocker: &NamedBlocker,
        of: &NamedStep,
        within: &NamedPermutation,
        steps: &[PermutationStep],
    ) -> Result<Blocker, SpecError> {
        let (name, count) = match blocker {
            NamedBlocker::Once => return Ok(Blocker::Once),
            NamedBlocker::Step(name) => (name, None),
            NamedBlocker::Notices(name, count) => (name, Some(*count)),
        };
        let Name { text, place } = name;
        let found = within.steps.iter().position(|it| it.name.text == *text);
        let Some(PermutationStep { session, step, .. }) = found.map(|at| &steps[at]) else {
            return Err(SpecError::new(
                *place,
                format!(
                    "step \"{text}\" is not in this permutation; an annotation names another step of \
                     its own permutation"
                ),
            ));
        };
        let (session, step) = (*session, *step);
        let is_same = |own: &(usize, usize)| own.0 == session;
        if self.places.get(of.name.text.as_str()).is_some_and(is_same) {
            return Err(SpecError::new(
                *place,
                format!(
                    "step \"{}\" cannot wait for step \"{text}\" of its own session \"{}\"; an \
                     annotation names a step of another session",
                    of.name.text, self.sessions[session].name
                ),
            ));
        }
        Ok(match count {
            None => Blocker::Step { session, step },
            Some(count) => Blocker::Notices { session, count },
        })
    }
}
