//! `racy watch`: how the strategies of a running service fare, live.
//!
//! It knows the service as any client does: it fetches [`/metrics`](crate::observe::metrics) again and
//! again, and shows what has changed in between.

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

pub use exposition::{Malformed, Sample, parse};
pub use screen::Screen;
pub use service::ServiceUrl;

use instances::{Instances, Reading};

/// An instance that was not heard of in so many readings is taken for gone.
const READINGS_UNTIL_GONE: u32 = 10;

/// What to watch.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The service.
    pub service: ServiceUrl,
    /// How long to wait between two readings.
    pub interval: Duration,
    /// Whether to end after the first figures.
    pub once: bool,
}

impl Watch {
    /// Shows figures until the terminal or the pipe's reader is gone. A service that is gone is
    /// waited for.
    ///
    /// # Errors
    /// Where nothing can be written; where only one look is wanted, also why there was none.
    pub async fn run(&self, screen: &mut Screen) -> Result<(), Box<dyn Error>> {
        tokio::select! {
            ended = self.show_on(screen) => ended,
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
                // Whoever read it has seen enough.
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
