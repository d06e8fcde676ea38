//! `racy watch`: shows live what the strategies of a running service do.

use std::process::ExitCode;
use std::time::Duration;

use super::CommandResult;
use super::signals::Signals;
use super::times::duration;
use crate::watch::{Screen, ServiceUrl, Watch};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Watching")]
pub(super) struct Args {
    /// The address of the service.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: ServiceUrl,

    /// How long to wait between two readings.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = watch_interval)]
    interval: Duration,

    /// Show the figures of one interval, and end. It is then an error if the service does not
    /// answer.
    #[arg(long)]
    once: bool,
}

impl Args {
    pub(super) async fn run(self, mut signals: Signals) -> CommandResult {
        let watch = Watch {
            service: self.url,
            interval: self.interval,
            once: self.once,
        };
        let mut screen = Screen::on_stdout();
        let result = tokio::select! {
            result = watch.run(&mut screen) => result,
            // This is how the command normally ends.
            _ = signals.nth(1) => Ok(()),
        };
        screen.leave();
        result.map(|()| ExitCode::SUCCESS)
    }
}

/// A shorter interval would change what is measured.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

fn watch_interval(text: &str) -> Result<Duration, String> {
    let interval = duration(text)?;
    if interval < SHORTEST_INTERVAL {
        return Err(format!("it has to be {SHORTEST_INTERVAL:?} or longer"));
    }
    Ok(interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_not_watched_too_often() {
        assert_eq!(watch_interval("100ms"), Ok(Duration::from_millis(100)));
        let complaint = watch_interval("99ms").unwrap_err();
        assert!(complaint.contains("100ms or longer"), "{complaint}");
        assert!(watch_interval("often").is_err());
    }
}
