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
pub struct Screen(Kind);

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
    /// Standard output, whichever kind it is.
    pub fn on_stdout() -> Self {
        Self(match io::stdout().is_terminal() {
            true => Kind::Terminal {
                picture: picture(),
                figures: String::new(),
            },
            false => Kind::Pipe {
                has_header: false,
                last_complaint: String::new(),
            },
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

    /// Says why there are no newer figures: on a terminal above the last ones, otherwise once, on standard
    /// error.
    pub(super) fn complain(&mut self, complaint: &str) {
        match &mut self.0 {
            Kind::Terminal { picture, figures } => {
                picture.set_message(format!("{complaint}\n{figures}").trim_end().to_owned());
            }
            Kind::Pipe { last_complaint, .. } if last_complaint != complaint => {
                // If nobody reads it, there is nobody to tell.
                let _ = writeln!(io::stderr(), "{complaint}");
                complaint.clone_into(last_complaint);
            }
            Kind::Pipe { .. } => {}
        }
    }

    /// Leaves the last figures where they are.
    pub fn leave(self) {
        if let Kind::Terminal { picture, .. } = self.0 {
            picture.abandon();
        }
    }
}

/// Done when standard output has no reader any more: its terminal is gone, or the pipe's reader.
/// The system tells, so that nothing has to be written to notice it. It does so even where the
/// signal for the end of a terminal is ignored. A file always has a reader: there it is never done.
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

/// A progress bar is a text that is redrawn in place; this one has no bar.
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
