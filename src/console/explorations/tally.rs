//! How far an exploration is, and when that is worth telling.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::explore::Event;

/// How far an exploration is.
#[derive(Debug)]
pub(super) struct Tally {
    id: String,
    /// How many searches there are.
    searches: u64,
    ended: u64,
    /// How much of the search that is under way is done, in percent.
    percent: u64,
    text: String,
    verdicts: BTreeMap<String, u64>,
    told_at: Option<Instant>,
    /// The number of the last event.
    pub(super) event: u64,
}

impl Tally {
    /// How long nothing is told after something was, if only the counts have changed.
    const PAUSE: Duration = Duration::from_millis(200);

    pub(super) fn new(id: &str, searches: u64) -> Self {
        Self {
            id: id.to_owned(),
            searches,
            ended: 0,
            percent: 0,
            text: "a database of the explorer's own is made".to_owned(),
            verdicts: BTreeMap::new(),
            told_at: None,
            event: 0,
        }
    }

    /// Takes an event. Returns what there is to tell.
    pub(super) fn take(&mut self, event: &Event) -> Option<Json> {
        let is_worth_it = match event {
            Event::Rehearsing(exploring) => {
                self.percent = 0;
                self.text = format!(
                    "{} on {}: without a race first",
                    exploring.subject, exploring.engine
                );
                true
            }
            Event::Started(exploring) => {
                self.percent = 0;
                self.text = format!("{} on {}", exploring.subject, exploring.engine);
                true
            }
            Event::Progress {
                exploring,
                schedules,
                verdicts,
                done,
            } => {
                self.percent = (done.clamp(0.0, 1.0) * 100.0) as u64;
                let verdicts = verdicts.iter();
                self.verdicts = verdicts
                    .map(|(verdict, count)| (verdict.to_string(), *count))
                    .collect();
                self.text = format!(
                    "{} on {}: {schedules} schedules run",
                    exploring.subject, exploring.engine
                );
                self.told_at.is_none_or(|it| it.elapsed() >= Self::PAUSE)
            }
            Event::Found(finding) => {
                self.ended += 1;
                self.percent = 0;
                self.text = format!(
                    "{}: {} schedules run",
                    finding.about.name, finding.tally.schedules
                );
                true
            }
            Event::Missing(_) | Event::Note(_) | Event::Ended(_) => false,
        };
        if !is_worth_it {
            return None;
        }
        self.told_at = Some(Instant::now());
        Some(self.progress())
    }

    /// How far it is, as events and the store have it.
    pub(super) fn progress(&self) -> Json {
        let of = self.searches.max(self.ended) * 100;
        json!({
            "id": self.id,
            "state": "running",
            "done": (self.ended * 100 + self.percent).min(of),
            "of": of,
            "text": self.text,
            "verdicts": self.verdicts,
            "event": self.event,
        })
    }
}
