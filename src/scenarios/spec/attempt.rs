//! One permutation, step by step, with isolationtester's meaning of waiting.
//!
//! - After a step was sent, the tester looks at it until it has ended or waits: the engine says so,
//!   or an annotation. Then it looks at the steps that wait, in the order in which they were sent.
//! - A step whose session still waits is not sent before that session has ended its step.
//!
//! It is another meaning than the explorer's, which rests until a deadlock is resolved. Here a step
//! waits as soon as it is seen to, and deadlocks are broken later.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::seat::News;
use super::sessions::{LONGEST_BLOCK, Sessions, silent};
use super::{
    Blocker, BrokenOff, NotHere, Permutation, PermutationReport, PermutationStep, SpecEvent,
};
use crate::engine::{Fault, Flavour, Standstill};

/// Why a permutation ended early.
pub(super) enum Stopped {
    BrokenOff(BrokenOff),
    Engine(Fault),
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Engine(fault)
    }
}

/// How long nothing has to happen before the engine is asked whether a step waits.
const LOOK: Duration = Duration::from_millis(10);

/// How long to look at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// Until it has ended or waits for a lock.
    UntilItWaits,
    /// Until it has ended, unless nothing can end it.
    ToItsEnd,
}

/// Whether a step was looked at before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    First,
    Again,
}

/// A step that was sent and is not reported as ended yet.
struct UnderWay {
    /// Its place in the permutation.
    place: usize,
    /// What it has returned. It is told when the step is reported as ended.
    returned: Vec<SpecEvent>,
    /// How many answers there are among it.
    answers: usize,
    /// How it ended.
    ended: Option<Result<(), Fault>>,
    /// The number of notices that the session of each annotation has to reach.
    enough_notices: Vec<Option<usize>>,
}

/// A permutation on its way.
pub(super) struct Attempt<'a, 't> {
    sessions: &'a mut Sessions<'t>,
    permutation: &'a Permutation,
    report: &'a mut PermutationReport,
    /// What each session does.
    under_way: Vec<Option<UnderWay>>,
    /// How many notices each session has received.
    notices: Vec<usize>,
    /// The places of the steps that wait, in the order in which they were sent.
    waiting: Vec<usize>,
    /// Counts what has happened.
    happened: usize,
    /// Since when nothing can happen any more, and what had happened by then.
    hopeless_since: Option<(Instant, usize)>,
}

impl<'a, 't> Attempt<'a, 't> {
    /// Runs the steps.
    pub(super) async fn run(
        sessions: &'a mut Sessions<'t>,
        permutation: &'a Permutation,
        report: &'a mut PermutationReport,
    ) -> Result<(), Stopped> {
        let count = sessions.seats.len();
        let mut attempt = Self {
            sessions,
            permutation,
            report,
            under_way: (0..count).map(|_| None).collect(),
            notices: vec![0; count],
            waiting: Vec::new(),
            happened: 0,
            hopeless_since: None,
        };
        for place in 0..permutation.steps.len() {
            attempt.until_idle(place).await?;
            attempt.send(place);
            let waits = attempt
                .look(place, Patience::UntilItWaits, Look::First)
                .await?;
            attempt.look_at_waiting(Patience::UntilItWaits).await?;
            if waits {
                attempt.waiting.push(place);
            }
        }
        attempt.until_all_have_ended().await
    }

    fn step(&self, place: usize) -> &'a PermutationStep {
        &self.permutation.steps[place]
    }

    fn name(&self, place: usize) -> String {
        self.sessions.spec.step(self.step(place)).name.clone()
    }

    fn send(&mut self, place: usize) {
        let step = self.step(place);
        let enough = step.blockers.iter().map(|blocker| match blocker {
            Blocker::Notices { session, count } => {
                Some(self.notices[*session] + usize::try_from(*count).unwrap_or(usize::MAX))
            }
            Blocker::Once | Blocker::Step { .. } => None,
        });
        self.under_way[step.session] = Some(UnderWay {
            place,
            returned: Vec::new(),
            answers: 0,
            ended: None,
            enough_notices: enough.collect(),
        });
        self.report.sent = place + 1;
        let sql = &self.sessions.spec.step(step).sql.text;
        self.sessions.seats[step.session].send(sql);
    }

    /// Waits until the session of this step has ended its step before.
    async fn until_idle(&mut self, next: usize) -> Result<(), Stopped> {
        let session = self.step(next).session;
        while let Some(place) = self.place_of(session) {
            let before = self.happened;
            let looked = self.look(place, Patience::ToItsEnd, Look::Again).await;
            if !looked.map_err(|stopped| self.because_of(next, stopped))? {
                self.waiting.retain(|it| *it != place);
            }
            self.look_at_waiting(Patience::UntilItWaits).await?;
            if self.happened == before && self.place_of(session).is_some() {
                let given_up = self.give_up(Some(session)).await;
                given_up.map_err(|stopped| self.because_of(next, stopped))?;
            }
        }
        Ok(())
    }

    fn place_of(&self, session: usize) -> Option<usize> {
        self.under_way[session].as_ref().map(|it| it.place)
    }

    /// What is told of a permutation whose next step cannot be sent.
    fn because_of(&self, next: usize, stopped: Stopped) -> Stopped {
        let session = self.step(next).session;
        match (stopped, self.place_of(session)) {
            (Stopped::BrokenOff(BrokenOff::StillWaiting { .. }), Some(waits_in)) => {
                Stopped::BrokenOff(BrokenOff::SessionWaits {
                    step: self.name(next),
                    session: self.sessions.spec.sessions[session].name.clone(),
                    waits_in: self.name(waits_in),
                })
            }
            (stopped, _) => stopped,
        }
    }

    async fn until_all_have_ended(&mut self) -> Result<(), Stopped> {
        while !self.waiting.is_empty() {
            let before = self.happened;
            self.look_at_waiting(Patience::ToItsEnd).await?;
            if self.happened == before && !self.waiting.is_empty() {
                self.give_up(None).await?;
            }
        }
        Ok(())
    }

    /// Nothing has happened. On SQLite a session gives up: this one if there is one, else the one
    /// that has waited for the longest time. Elsewhere a timeout or the end of a deadlock may come.
    async fn give_up(&mut self, session: Option<usize>) -> Result<(), Stopped> {
        let sessions = self.waiting.iter().map(|place| self.step(*place).session);
        let mut held_up = session.into_iter().chain(sessions);
        let held_up = held_up.find(|it| self.sessions.seats[*it].is_held_up());
        if let Some(session) = held_up {
            self.sessions.seats[session].answer_held_up(false);
            self.happened += 1;
            return Ok(());
        }
        if self.is_hopeless().await? {
            return Err(self.still_waiting());
        }
        sleep(LOOK).await;
        Ok(())
    }

    fn still_waiting(&self) -> Stopped {
        let under_way = self.under_way.iter().flatten();
        Stopped::BrokenOff(BrokenOff::StillWaiting {
            steps: under_way.map(|it| self.name(it.place)).collect(),
        })
    }

    /// Looks at the steps that wait. An annotation of one may be met by another one's end, or by a
    /// notice. So it looks again as long as something happens.
    async fn look_at_waiting(&mut self, patience: Patience) -> Result<(), Stopped> {
        loop {
            let before = self.happened;
            let mut is_annotated = false;
            for place in self.waiting.clone() {
                if self.look(place, patience, Look::Again).await? {
                    is_annotated |= !self.step(place).blockers.is_empty();
                } else {
                    self.waiting.retain(|it| *it != place);
                }
            }
            if !is_annotated || self.happened == before {
                return Ok(());
            }
        }
    }

    /// Looks at a step. Returns whether it waits.
    async fn look(
        &mut self,
        place: usize,
        patience: Patience,
        look: Look,
    ) -> Result<bool, Stopped> {
        let step = self.step(place);
        let is_once = look == Look::First && step.blockers.contains(&Blocker::Once);
        let waits = is_once
            || self.is_seen_to_wait(step.session, patience, look).await?
            || self.is_annotated_to_wait(place);
        match (waits, look) {
            (true, Look::First) => self.tell_sent(place, true),
            (true, Look::Again) => {}
            (false, Look::First) => {
                self.tell_sent(place, false);
                self.complete(place)?;
            }
            (false, Look::Again) => {
                let step = self.name(place);
                self.report.events.push(SpecEvent::Completed { step });
                self.complete(place)?;
            }
        }
        Ok(waits)
    }

    fn tell_sent(&mut self, place: usize, waits: bool) {
        let step = self.sessions.spec.step(self.step(place));
        self.report.events.push(SpecEvent::Sent {
            step: step.name.clone(),
            sql: step.sql.text.clone(),
            waits,
        });
    }

    /// Tells what a step has returned. Its session is idle then.
    fn complete(&mut self, place: usize) -> Result<(), Stopped> {
        self.happened += 1;
        let step = self.step(place);
        let Some(under_way) = self.under_way[step.session].take() else {
            return Ok(());
        };
        self.report.events.extend(under_way.returned);
        let Some(Err(fault)) = under_way.ended else {
            return Ok(());
        };
        let flavour = self.sessions.database.engine().flavour;
        if flavour != Flavour::Postgres && fault.is_of_another_dialect() {
            let not_here = NotHere::step(self.sessions.spec, step, fault);
            return Err(Stopped::BrokenOff(BrokenOff::NotHere(not_here)));
        }
        self.report.events.push(SpecEvent::Refused(fault));
        Ok(())
    }

    fn has_ended(&self, session: usize) -> bool {
        let under_way = self.under_way[session].as_ref();
        under_way.is_none_or(|it| it.ended.is_some())
    }

    /// Takes in what a session says until its step has ended, and returns false. True if it waits.
    async fn is_seen_to_wait(
        &mut self,
        session: usize,
        patience: Patience,
        look: Look,
    ) -> Result<bool, Stopped> {
        let begun = Instant::now();
        if look == Look::Again {
            self.sessions.seats[session].answer_held_up(true);
        }
        while !self.has_ended(session) {
            let news = self.sessions.seats[session].news_within(LOOK).await?;
            let is_silent = news.is_none();
            if let Some(news) = news {
                self.take_in(session, news);
            }
            if self.sessions.seats[session].is_held_up() {
                return Ok(true);
            }
            if !is_silent {
                continue;
            }
            match patience {
                Patience::UntilItWaits if self.is_blocked(session).await? => {
                    // What has come meanwhile was said before the wait.
                    while let Some(news) = self.sessions.seats[session].news_so_far() {
                        self.take_in(session, news);
                    }
                    return Ok(!self.has_ended(session));
                }
                Patience::ToItsEnd if self.is_hopeless().await? => {
                    return Err(self.still_waiting());
                }
                _ if begun.elapsed() >= LONGEST_BLOCK => {
                    let place = self.place_of(session).unwrap_or_default();
                    return Err(silent(&format!("step {}", self.name(place))).into());
                }
                Patience::UntilItWaits | Patience::ToItsEnd => {}
            }
        }
        Ok(false)
    }

    fn take_in(&mut self, session: usize, news: News) {
        let Some(under_way) = &mut self.under_way[session] else {
            return;
        };
        match news {
            News::Notice(notice) => {
                self.notices[session] += 1;
                self.happened += 1;
                let session = self.sessions.spec.sessions[session].name.clone();
                let told = SpecEvent::Told { session, notice };
                // libpq hands a notice out before the result that it follows.
                match under_way.returned.len() {
                    0 | 1 => self.report.events.push(told),
                    results => under_way.returned.insert(results - 1, told),
                }
            }
            News::Answer(mut answer) => {
                let step = self
                    .sessions
                    .spec
                    .step(&self.permutation.steps[under_way.place]);
                let statement = under_way.answers;
                self.sessions
                    .name_columns(&step.sql.text, statement, &mut answer);
                under_way.answers += 1;
                under_way.returned.push(SpecEvent::Returned(answer));
            }
            News::HeldUp(_) => {}
            News::Ended(ended) => {
                self.happened += 1;
                under_way.ended = Some(ended);
            }
        }
    }

    /// Whether the engine says that the session waits for another one of the file.
    async fn is_blocked(&self, session: usize) -> Result<bool, Fault> {
        let seats = &self.sessions.seats;
        let Some(connection) = seats[session].connection else {
            return Ok(false);
        };
        let all: Vec<_> = seats.iter().filter_map(|it| it.connection).collect();
        self.sessions.database.is_blocked(connection, &all).await
    }

    /// Whether an annotation of this step is not met yet.
    fn is_annotated_to_wait(&self, place: usize) -> bool {
        let step = self.step(place);
        let Some(under_way) = &self.under_way[step.session] else {
            return false;
        };
        let mut blockers = step.blockers.iter().zip(&under_way.enough_notices);
        blockers.any(|(blocker, enough)| match blocker {
            Blocker::Once => false,
            Blocker::Step { session, step } => self.place_of(*session).is_some_and(|place| {
                let other = self.step(place);
                (other.session, other.step) == (*session, *step)
            }),
            Blocker::Notices { session, .. } => {
                enough.is_some_and(|enough| self.notices[*session] < enough)
            }
        })
    }

    /// Whether nothing more can happen: every step that is under way waits for a session that is
    /// idle, or has ended and waits for an annotation.
    async fn is_hopeless(&mut self) -> Result<bool, Fault> {
        let sessions = (0..self.under_way.len()).filter(|it| !self.has_ended(*it));
        let connections = sessions.map(|it| self.sessions.seats[it].connection);
        let connections: Vec<_> = connections.flatten().collect();
        let stands = connections.is_empty()
            || matches!(
                self.sessions.database.standstill(&connections).await?,
                Standstill::Queue | Standstill::MayBeOver
            );
        let since = match self.hopeless_since {
            Some((since, happened)) if happened == self.happened => since,
            _ => Instant::now(),
        };
        self.hopeless_since = stands.then_some((since, self.happened));
        Ok(stands && since.elapsed() >= self.sessions.spec.waits_end_within())
    }
}
