//! Standard output, standard error, and the terminal's mode.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::{Command, Stdio};

/// Writes to standard output. It is no error if the reader has left.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes a line to standard error. If that fails, there is no place left for a complaint.
pub(super) fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The mode of the terminal on standard input, in stty's own notation.
#[derive(Debug)]
pub(super) struct TerminalMode(String);

impl TerminalMode {
    /// The mode as it is now. None if standard input is no terminal.
    pub(super) fn current() -> Option<Self> {
        stty("-g").map(Self)
    }

    /// Puts the terminal back into this mode.
    pub(super) fn restore(&self) {
        stty(&self.0);
    }
}

fn stty(argument: &str) -> Option<String> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let mut stty = Command::new("stty");
    let output = stty.arg(argument).stdin(Stdio::inherit()).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
