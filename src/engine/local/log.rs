//! The log of a private server, of which an error shows the end.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// How many lines of the log an error shows at most.
const TAIL_LINES: usize = 20;

/// How many bytes at the end of the log are searched for those lines.
const TAIL_BYTES: u64 = 8 * 1024;

/// The last lines of a server's log.
#[derive(Clone, Debug)]
pub struct LogTail {
    /// Where the whole log is. None if it was removed with a temporary folder.
    pub path: Option<PathBuf>,
    /// The lines, the oldest first.
    pub lines: String,
}

impl fmt::Display for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self
            .path
            .as_deref()
            .map(|path| format!(" ({})", path.display()))
            .unwrap_or_default();
        if self.lines.is_empty() {
            write!(f, "its log{at} is empty")
        } else {
            write!(f, "the end of its log{at}:\n{}", self.lines)
        }
    }
}

/// A server's log. It stays open, so that it can be read after its folder was removed.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    pub(super) file: File,
    is_kept: bool,
}

impl Log {
    /// Opens an empty log. `is_kept` is false if the log is removed when the server stops.
    pub(super) fn create(path: PathBuf, is_kept: bool) -> io::Result<Self> {
        // Opened for appending, because two processes write to it. An open file cannot be asked
        // for appending and truncating at once, so it is emptied afterwards.
        let file = File::options()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)?;
        file.set_len(0)?;
        Ok(Self {
            path,
            file,
            is_kept,
        })
    }

    /// The last lines. What cannot be read is left out: an error that shows them comes first.
    pub(super) fn tail(&self) -> LogTail {
        let mut file = &self.file;
        let mut bytes = Vec::new();
        let end = file.seek(SeekFrom::End(0)).unwrap_or(0);
        let start = end.saturating_sub(TAIL_BYTES);
        if file.seek(SeekFrom::Start(start)).is_ok() {
            let _ = file.read_to_end(&mut bytes);
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        LogTail {
            path: self.is_kept.then(|| self.path.clone()),
            lines: lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_tail_of_a_log_is_its_last_lines_even_when_the_file_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::create(folder.path().join("log"), false).unwrap();
        fs::write(
            &log.path,
            (0..5000).map(|n| format!("line {n}\n")).collect::<String>(),
        )
        .unwrap();
        folder.close().unwrap();
        let lines = log.tail().lines;
        assert_eq!(lines.lines().count(), TAIL_LINES);
        assert!(
            lines.starts_with("line 4980\n") && lines.ends_with("line 4999"),
            "{lines}"
        );
    }
}
