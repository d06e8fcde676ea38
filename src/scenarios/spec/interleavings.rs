//! Every interleaving of the sessions' steps.

use super::{Permutation, PermutationStep};

/// All interleavings, in the order in which isolationtester runs them: those that begin with the
/// first session come first, and so on at every step. They are made one by one.
#[derive(Debug, Clone)]
pub struct Interleavings {
    /// Which session moves when, in the next interleaving. None after the last.
    next: Option<Vec<usize>>,
}

impl Interleavings {
    /// Of sessions with these numbers of steps.
    pub(super) fn new(steps: impl Iterator<Item = usize>) -> Self {
        let steps = steps.enumerate();
        let first = steps.flat_map(|(session, steps)| std::iter::repeat_n(session, steps));
        Self {
            next: Some(first.collect()),
        }
    }
}

impl Iterator for Interleavings {
    type Item = Permutation;

    fn next(&mut self) -> Option<Permutation> {
        let sessions = self.next.take()?;
        self.next = following(&sessions);
        Some(permutation(&sessions))
    }
}

/// The next larger order of the same sessions. None if this is the largest.
fn following(sessions: &[usize]) -> Option<Vec<usize>> {
    let rise = sessions.windows(2).rposition(|two| two[0] < two[1])?;
    let larger = sessions
        .iter()
        .rposition(|session| *session > sessions[rise])?;
    let mut following = sessions.to_vec();
    following.swap(rise, larger);
    following[rise + 1..].reverse();
    Some(following)
}

fn permutation(sessions: &[usize]) -> Permutation {
    let earlier = |at: usize| {
        let before = sessions[..at].iter();
        before.filter(|it| **it == sessions[at]).count()
    };
    let steps = sessions.iter().enumerate().map(|(at, session)| {
        let step = earlier(at);
        PermutationStep {
            session: *session,
            step,
            blockers: Vec::new(),
        }
    });
    Permutation {
        steps: steps.collect(),
        line: None,
    }
}
