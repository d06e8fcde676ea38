//! A server's life: its folders, its start, the wait for its first answer, its end.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, sleep, timeout_at};

use super::folder::{Claim, Folder, Layout, temporary_folder};
use super::{Binary, Error, LogTail, mysql};

/// How long a server may take to initialise its data directory and answer. Three seconds are usual.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Between two looks at something that is about to change.
pub(super) const PAUSE: Duration = Duration::from_millis(20);

/// Lines of the log that an error shows, and the bytes at its end in which they are looked for.
const TAIL_LINES: usize = 20;
const TAIL_BYTES: u64 = 8 * 1024;

const SUPERVISE: &str = include_str!("supervise.sh");

/// A private server that runs. It runs until [`stop`](Self::stop), until this value is dropped, or
/// until this process ends, in whatever way.
#[derive(Debug)]
pub struct LocalServer {
    supervisor: Supervisor,
    program: PathBuf,
    data_dir: PathBuf,
    socket: PathBuf,
    log: Log,
    /// Declared last, because fields are dropped in this order: the folder is free for another lab
    /// only when the server is gone.
    claim: Option<Claim>,
}

impl LocalServer {
    /// Starts a server and waits until it answers, at most [`ANSWER_WITHIN`].
    ///
    /// The future may be dropped at any time; whatever was started by then is taken down.
    ///
    /// # Errors
    /// Those of [`start_within`](Self::start_within).
    pub async fn start(binary: &Binary, folder: Folder) -> Result<Self, Error> {
        Self::start_within(binary, folder, ANSWER_WITHIN).await
    }

    /// Starts a server and waits until it answers, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Folder`], [`Error::ShuttingDown`] and [`Error::TooManyLabs`] where it has no place to
    /// live; [`Error::Supervisor`] where it cannot be run at all; [`Error::Ended`] and
    /// [`Error::NoAnswer`], with the end of its log, where it does not come up.
    pub async fn start_within(
        binary: &Binary,
        folder: Folder,
        limit: Duration,
    ) -> Result<Self, Error> {
        let deadline = Instant::now() + limit;
        let claim = match folder {
            Folder::Temporary => None,
            Folder::Kept(root) => Some(Claim::new(&root, binary, deadline).await?),
        };
        let run = temporary_folder()?;
        let home = claim
            .as_ref()
            .map_or(run.path(), |claim| &claim.folder)
            .to_owned();
        let layout = Layout {
            run: run.path().to_owned(),
            data: home.join("data"),
            fresh: home.join("data.fresh"),
        };
        let log = Log::create(home.join("error.log"), claim.is_some())?;
        let supervisor = Supervisor::spawn(binary, &layout, claim.as_ref(), &log)?;
        // From here on the supervisor removes it.
        let _ = run.keep();
        let mut server = Self {
            supervisor,
            program: binary.path.clone(),
            socket: layout.socket(),
            data_dir: layout.data,
            log,
            claim,
        };
        server.wait_for_an_answer(deadline, limit).await?;
        Ok(server)
    }

    /// The unix socket on which the server listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The server's data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The options of a connection to the server, as its only user: root, without a password. No TLS
    /// either: a socket in a private folder has nothing to hide its traffic from.
    pub fn connect_options(&self) -> MySqlConnectOptions {
        MySqlConnectOptions::new()
            .socket(&self.socket)
            .username("root")
            .ssl_mode(MySqlSslMode::Disabled)
    }

    /// Whether it still runs, as it should until it is stopped.
    pub fn is_running(&mut self) -> bool {
        matches!(self.supervisor.ended(), Ok(None))
    }

    /// Stops the server and waits until it, its helpers and its temporary folders are gone. A kept
    /// server shuts down in order, a temporary one is killed.
    ///
    /// Where the future is dropped the server is stopped all the same.
    ///
    /// # Errors
    /// [`Error::Ended`] where the server had ended before, or a kept one did not shut down in order;
    /// [`Error::Supervisor`] where its end cannot be waited for.
    pub async fn stop(mut self) -> Result<(), Error> {
        tokio::task::spawn_blocking(move || {
            if let Some(status) = self.supervisor.ended()? {
                return Err(self.ended(status));
            }
            let status = self.supervisor.end()?;
            if self.claim.is_some() && !status.success() {
                return Err(self.ended(status));
            }
            Ok(())
        })
        .await
        .map_err(|error| Error::Supervisor(io::Error::other(error)))?
    }

    /// Real connections are the only test that holds for every version: the socket appears, and even
    /// accepts, before the server is ready.
    async fn wait_for_an_answer(
        &mut self,
        deadline: Instant,
        limit: Duration,
    ) -> Result<(), Error> {
        let mut last = None;
        while Instant::now() < deadline {
            if let Some(status) = self.supervisor.ended()? {
                return Err(self.ended(status));
            }
            match timeout_at(deadline, ask(self.connect_options())).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => last = Some(Box::new(error)),
                Err(_elapsed) => break,
            }
            sleep(PAUSE).await;
        }
        Err(Error::NoAnswer {
            server: self.program.clone(),
            limit,
            last,
            log: self.log.tail(),
        })
    }

    fn ended(&self, status: ExitStatus) -> Error {
        Error::Ended {
            server: self.program.clone(),
            status,
            log: self.log.tail(),
        }
    }
}

/// One question, over a connection of its own.
async fn ask(options: MySqlConnectOptions) -> sqlx::Result<()> {
    let mut connection = options.connect().await?;
    sqlx::query("SELECT 1").execute(&mut connection).await?;
    connection.close().await
}

/// The server's log. It stays open, so that it can be read when its folder is gone.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    file: File,
    kept: bool,
}

impl Log {
    fn create(path: PathBuf, kept: bool) -> Result<Self, Error> {
        // Only the last run is of interest. Emptied by hand, because appending, which two writers
        // need, cannot be asked for together with truncating.
        let opened = File::options()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path);
        match opened.and_then(|file| file.set_len(0).map(|()| file)) {
            Ok(file) => Ok(Self { path, file, kept }),
            Err(source) => Err(Error::Folder { path, source }),
        }
    }

    /// The last lines; what cannot be read is left out, because this only adorns an error.
    fn tail(&self) -> LogTail {
        let mut file = &self.file;
        let mut bytes = Vec::new();
        let end = file.seek(SeekFrom::End(0)).unwrap_or(0);
        if file
            .seek(SeekFrom::Start(end.saturating_sub(TAIL_BYTES)))
            .is_ok()
        {
            let _ = file.read_to_end(&mut bytes);
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        let lines = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        LogTail {
            path: self.kept.then(|| self.path.clone()),
            lines,
        }
    }
}

/// The shell that runs `supervise.sh`, and the only handle to the server: it stops when the pipe to
/// its standard input closes.
#[derive(Debug)]
struct Supervisor(Child);

impl Supervisor {
    fn spawn(
        binary: &Binary,
        layout: &Layout,
        claim: Option<&Claim>,
        log: &Log,
    ) -> Result<Self, Error> {
        let as_root = fs::metadata(&layout.run)
            .map_err(|source| Error::Folder {
                path: layout.run.clone(),
                source,
            })?
            .uid()
            == 0;
        // A file rather than `sh -c`, so that a list of processes shows a name and not sixty lines.
        let script = layout.run.join("supervise.sh");
        fs::write(&script, SUPERVISE).map_err(|source| Error::Folder {
            path: script.clone(),
            source,
        })?;
        let initialiser = if layout.data.exists() {
            Path::new("")
        } else {
            &binary.initialiser
        };
        let copy = |file: &File| file.try_clone().map(Stdio::from).map_err(Error::Supervisor);
        Command::new("/bin/sh")
            .arg(script)
            .arg(if claim.is_some() { "TERM" } else { "KILL" })
            .arg(&layout.run)
            .arg(initialiser)
            .arg(mysql::initialiser_flags(binary.product, as_root))
            .args([&layout.fresh, &layout.data])
            .arg(&binary.path)
            .args(mysql::server_arguments(binary.product, layout, as_root))
            .env("TMPDIR", &layout.run)
            // The write end closes on exec, as every file that Rust opens: no other child can hold it.
            .stdin(Stdio::piped())
            .stdout(claim.map_or_else(|| Ok(Stdio::null()), |claim| copy(&claim.server_lock))?)
            .stderr(copy(&log.file)?)
            // Ctrl-C in a terminal goes to the whole process group of the lab, which stops its servers in order.
            .process_group(0)
            .spawn()
            .map(Self)
            .map_err(Error::Supervisor)
    }

    /// How the server ended, if it has.
    fn ended(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.0.try_wait().map_err(Error::Supervisor)
    }

    /// Closes the pipe and waits until the server and its temporary folder are gone.
    fn end(&mut self) -> Result<ExitStatus, Error> {
        drop(self.0.stdin.take());
        self.0.wait().map_err(Error::Supervisor)
    }
}

impl Drop for Supervisor {
    /// Blocks for the moment it takes: what comes after this relies on the server being gone.
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "the private server was told to stop, but its end cannot be waited for");
        }
    }
}

#[cfg(test)]
mod tests {
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
