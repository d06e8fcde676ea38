//! A live view of what the strategies of a running service do.
//!
//! It knows the service as any client does: it fetches `/metrics` in
//! intervals, and shows what has changed in between.
//!
//! | file | |
//! |---|---|
//! | `service` | where the service is, and its answer |
//! | `exposition` | the answer as samples |
//! | `flow` | totals and rates of a strategy's requests |
//! | `commits` | totals and rates of commits to tables of files |
//! | `instances` | one instance or several, together |
//! | `table`, `screen` | the figures as lines, and where they appear |

mod commits;
mod exposition;
mod flow;
mod instances;
mod screen;
mod service;
mod table;

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

pub use exposition::{MalformedLine, Sample, parse};
pub(crate) use screen::Screen;
pub(crate) use service::ServiceUrl;

use instances::{Instances, Reading};

/// An instance that has not answered in this number of readings is forgotten.
const READINGS_UNTIL_GONE: u32 = 10;

/// What to watch.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    /// The service.
    pub(crate) service: ServiceUrl,
    /// How long to wait between two readings.
    pub(crate) interval: Duration,
    /// Whether to end after the first figures.
    pub(crate) once: bool,
}

impl Watch {
    /// Shows figures until the terminal or the pipe's reader is gone. If the service is gone, it
    /// waits for it; with `once`, that is an error.
    pub(crate) async fn run(&self, screen: &mut Screen) -> Result<(), Box<dyn Error>> {
        tokio::select! {
            result = self.show_on(screen) => result,
            () = screen::reader_left() => Ok(()),
        }
    }

    async fn show_on(&self, screen: &mut Screen) -> Result<(), Box<dyn Error>> {
        let mut instances = Instances::new(self.interval * READINGS_UNTIL_GONE);
        let mut turns = interval(self.interval);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            if let Err(why) = self.read_into(&mut instances).await {
                if self.once {
                    return Err(why.into());
                }
                screen.complain(&format!("{why}; trying again"));
                continue;
            }
            let Some(summary) = instances.summary() else {
                continue;
            };
            match screen.show(&summary) {
                // The reader has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                Err(error) => return Err(error.into()),
                Ok(()) if self.once => return Ok(()),
                Ok(()) => {}
            }
        }
    }

    async fn read_into(&self, instances: &mut Instances) -> Result<(), String> {
        let answer = self.service.metrics().await?;
        let at = Instant::now();
        let samples = parse(&answer.text).map_err(|error| format!("{}: {error}", self.service))?;
        instances.hear(answer.instance, Reading::of(&samples), at);
        Ok(())
    }
}
