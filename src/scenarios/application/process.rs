//! An application that the lab starts, and ends with all that it has started.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::sleep;

use super::output::{Output, last_lines, last_lines_below};

const SUPERVISE: &str = include_str!("supervise.sh");

/// The name of the file with what a process writes.
const LOG: &str = "log";

/// The largest part of a log that is read at once, in bytes.
const MOST_OF_A_LOG: u64 = 16 * 1024;

/// The pause between two looks at a process.
const PAUSE: Duration = Duration::from_millis(20);

/// A program that runs under a supervisor. It ends when this is dropped, and when Racy ends in any
/// way: `supervise.sh` beside this file says how.
#[derive(Debug)]
pub(super) struct Process {
    supervisor: Child,
    words: String,
    folder: TempDir,
}

impl Process {
    /// Starts a program in this folder. `words` are the program and its arguments.
    ///
    /// # Errors
    /// Why it cannot be started, in words.
    pub(super) fn start(
        words: &[String],
        folder: &Path,
        env: &[(String, String)],
    ) -> Result<Self, String> {
        Self::start_writing_to(words, folder, env, |private| {
            let log = File::create_new(private.join(LOG))?;
            Ok((log.try_clone()?.into(), log.into()))
        })
    }

    /// The same for a program whose output is read as it comes: the standard one, and that for
    /// errors.
    pub(super) fn start_with_outputs(
        words: &[String],
        folder: &Path,
        env: &[(String, String)],
    ) -> Result<(Self, [Output; 2]), String> {
        let mut process =
            Self::start_writing_to(words, folder, env, |_| Ok((Stdio::piped(), Stdio::piped())))?;
        let supervisor = &mut process.supervisor;
        let outputs = match (supervisor.stdout.take(), supervisor.stderr.take()) {
            (Some(out), Some(err)) => Output::of(out).and_then(|out| Ok([out, Output::of(err)?])),
            _ => Err(io::Error::other("it has no output")),
        };
        let outputs =
            outputs.map_err(|error| format!("`{}` cannot be read: {error}", process.words))?;
        Ok((process, outputs))
    }

    fn start_writing_to(
        words: &[String],
        folder: &Path,
        env: &[(String, String)],
        outputs: impl FnOnce(&Path) -> io::Result<(Stdio, Stdio)>,
    ) -> Result<Self, String> {
        let shown = words.join(" ");
        let start = || -> io::Result<Self> {
            let private = tempfile::Builder::new()
                .prefix("racy-application-")
                .tempdir()?;
            // A file rather than `sh -c`, so that a list of processes shows a name.
            let script = private.path().join("supervise.sh");
            File::create_new(&script)?.write_all(SUPERVISE.as_bytes())?;
            let (out, err) = outputs(private.path())?;
            let supervisor = Command::new("/bin/sh")
                .arg(script)
                .args(words)
                .current_dir(folder)
                .envs(env.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::piped())
                .stdout(out)
                .stderr(err)
                // Ctrl-C in a terminal goes to the whole process group of the lab. The lab alone
                // takes it, and then ends what it has started.
                .process_group(0)
                .spawn()?;
            Ok(Self {
                supervisor,
                words: shown.clone(),
                folder: private,
            })
        };
        if !folder.is_dir() {
            return Err(format!(
                "{} is no folder: `{shown}` runs there",
                folder.display()
            ));
        }
        start().map_err(|error| format!("`{shown}` cannot be started: {error}"))
    }

    /// How it has ended. None while it runs.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.supervisor.try_wait().ok().flatten()
    }

    /// Waits until it has ended well.
    ///
    /// # Errors
    /// How it has ended, with the end of its log.
    pub(super) async fn must_succeed(mut self) -> Result<(), String> {
        loop {
            match self.ended() {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.ended_with(status)),
                None => sleep(PAUSE).await,
            }
        }
    }

    /// What is to be said of a program that has ended with this status.
    pub(super) fn ended_with(&self, status: ExitStatus) -> String {
        const NOT_FOUND: i32 = 127;
        let hint = if status.code() == Some(NOT_FOUND) {
            " (is it installed, and is the path right as seen from its folder?)"
        } else {
            ""
        };
        format!(
            "`{}` ended with {status}{hint}{}",
            self.words,
            self.end_of_log()
        )
    }

    /// The number of bytes that it has written.
    pub(super) fn length_of_log(&self) -> Option<u64> {
        let log = std::fs::metadata(self.folder.path().join(LOG));
        log.ok().map(|it| it.len())
    }

    /// The last lines of what it has written after this number of bytes, with ` / ` between them.
    pub(super) fn log_after(&self, length: u64) -> String {
        let read = || -> io::Result<Vec<u8>> {
            let mut log = File::open(self.folder.path().join(LOG))?;
            let end = log.metadata()?.len();
            log.seek(SeekFrom::Start(
                length.max(end.saturating_sub(MOST_OF_A_LOG)),
            ))?;
            let mut bytes = Vec::new();
            log.take(MOST_OF_A_LOG).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        last_lines(&String::from_utf8_lossy(&read().unwrap_or_default()))
    }

    /// The last lines that it has written, for a message.
    pub(super) fn end_of_log(&self) -> String {
        const LINES: usize = 15;
        let bytes = std::fs::read(self.folder.path().join(LOG)).unwrap_or_default();
        match last_lines_below(&String::from_utf8_lossy(&bytes), LINES) {
            none if none.is_empty() => "; it has written nothing".to_owned(),
            last => format!("; it has written:{last}"),
        }
    }

    /// Ends it, and waits until it is gone.
    pub(super) fn end(&mut self) {
        drop(self.supervisor.stdin.take());
        if let Err(error) = self.supervisor.wait() {
            tracing::warn!(%error, "the end of the application cannot be waited for");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
