//! Where the figures appear: redrawn in place on a terminal, line after line into a pipe.

use std::future::pending;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::instances::Summary;
use super::table;

/// Standard output.
#[derive(Debug)]
pub(crate) struct Screen(Kind);

#[derive(Debug)]
enum Kind {
    Terminal {
        picture: ProgressBar,
        figures: String,
    },
    Pipe {
        has_header: bool,
        last_complaint: String,
    },
}

impl Screen {
    /// Standard output: a terminal or a pipe.
    pub(crate) fn on_stdout() -> Self {
        Self(if io::stdout().is_terminal() {
            Kind::Terminal {
                picture: picture(),
                figures: String::new(),
            }
        } else {
            Kind::Pipe {
                has_header: false,
                last_complaint: String::new(),
            }
        })
    }

    /// Shows the newest figures.
    pub(super) fn show(&mut self, summary: &Summary<'_>) -> io::Result<()> {
        match &mut self.0 {
            Kind::Terminal { picture, figures } => {
                *figures = table::picture(summary).join("\n");
                picture.set_message(figures.clone());
                Ok(())
            }
            Kind::Pipe {
                has_header,
                last_complaint,
            } => {
                last_complaint.clear();
                let mut text = String::new();
                if !*has_header {
                    text = format!("{:8}  {}\n", "UTC", table::header(summary));
                }
                *has_header = true;
                let time = time_of_day();
                for line in table::lines(summary) {
                    text.push_str(&format!("{time}  {line}\n"));
                }
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes())?;
                out.flush()
            }
        }
    }

    /// Says why there are no newer figures. On a terminal it appears above the last figures.
    /// Otherwise it is written to standard error, once for each new complaint.
    pub(super) fn complain(&mut self, complaint: &str) {
        match &mut self.0 {
            Kind::Terminal { picture, figures } => {
                picture.set_message(format!("{complaint}\n{figures}").trim_end().to_owned());
            }
            Kind::Pipe { last_complaint, .. } if last_complaint != complaint => {
                // If that fails, there is no place left for a complaint.
                let _ = writeln!(io::stderr(), "{complaint}");
                complaint.clone_into(last_complaint);
            }
            Kind::Pipe { .. } => {}
        }
    }

    /// Leaves the last figures where they are.
    pub(crate) fn leave(self) {
        if let Kind::Terminal { picture, .. } = self.0 {
            picture.abandon();
        }
    }
}

/// Waits until standard output has no reader any more: its terminal or the pipe's reader is gone.
/// The system reports this even if nothing is written, and even if the process ignores the signal
/// for the end of a terminal. A file always has a reader, so there it waits forever.
#[expect(
    deprecated,
    reason = "what replaces it is unsafe, and standard output is open as long as the process lives"
)]
pub(super) async fn reader_left() {
    let interest = Interest::WRITABLE | Interest::ERROR;
    if let Ok(out) = AsyncFd::with_interest(io::stdout(), interest)
        && out.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    pending::<()>().await;
}

/// A text that is redrawn in place: a progress bar without its bar.
fn picture() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg}");
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn time_of_day() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = now.unwrap_or_default().as_secs();
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}", seconds % 60)
}
