//! A server's life: its folders, its start, the wait for its first answer, its end.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, sleep, timeout_at};

use super::account::Account;
use super::folder::{Claim, Folder, Layout, temporary_folder, url_of_a_running_lab};
use super::{Binary, Error, LogTail, Product, mysql, postgres};
use crate::engine::Address;

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
    product: Product,
    program: PathBuf,
    run: PathBuf,
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
    /// [`Error::Folder`], [`Error::KeptOut`], [`Error::NoAccount`], [`Error::ShuttingDown`] and
    /// [`Error::TooManyLabs`] where it has no place to live; [`Error::Supervisor`] where it cannot be
    /// run at all; [`Error::Ended`] and [`Error::NoAnswer`], with the end of its log, where it does
    /// not come up.
    pub async fn start_within(
        binary: &Binary,
        folder: Folder,
        limit: Duration,
    ) -> Result<Self, Error> {
        let deadline = Instant::now() + limit;
        let account = Account::needed_by(binary.product)?;
        let account = account.as_ref();
        let claim = match folder {
            Folder::Temporary => None,
            Folder::Kept(root) => Some(Claim::of_a_lab(&root, binary, account, deadline).await?),
            Folder::Visited(root) => {
                Some(Claim::of_a_visitor(&root, binary, account, deadline).await?)
            }
        };
        let run = temporary_folder(binary.product, account)?;
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
        let supervisor = Supervisor::spawn(binary, &layout, account, claim.as_ref(), &log)?;
        // From here on the supervisor removes it.
        let _ = run.keep();
        let mut server = Self {
            supervisor,
            product: binary.product,
            program: binary.path.clone(),
            socket: binary.product.socket_in(&layout.run),
            run: layout.run,
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

    /// The address of the server itself, for who has no database on it, as its administrator.
    pub fn address(&self) -> Address {
        match self.product {
            Product::MySql | Product::MariaDb => {
                Address::MySql(Box::new(mysql::options(&self.run)))
            }
            Product::Postgres => {
                Address::Postgres(Box::new(postgres::maintenance_options(&self.run)))
            }
        }
    }

    /// Makes a database where there is none of that name, and returns its address. The name is one
    /// that SQL takes without quotes.
    ///
    /// # Errors
    /// As the server refuses.
    pub async fn create_database(&self, name: &str) -> sqlx::Result<Address> {
        Ok(match self.product {
            Product::MySql | Product::MariaDb => {
                Address::MySql(Box::new(mysql::create_database(&self.run, name).await?))
            }
            Product::Postgres => {
                Address::Postgres(Box::new(postgres::create_database(&self.run, name).await?))
            }
        })
    }

    /// The URL by which another lab of this user's reaches that database.
    pub fn url(&self, database: &str) -> String {
        match self.product {
            Product::MySql | Product::MariaDb => mysql::url(&self.run, database),
            Product::Postgres => postgres::url(&self.run, database),
        }
    }

    /// Tells the URL to other labs of this user's, for [`running_elsewhere`], where the data is kept, until it
    /// is stopped.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub fn announce(&self, database: &str) -> Result<(), Error> {
        let claim = self.claim.as_ref();
        claim.map_or(Ok(()), |claim| claim.tell_url(&self.url(database)))
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
            if let Some(claim) = &self.claim {
                claim.forget_url()?;
            }
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
            match timeout_at(deadline, ask(self.address())).await {
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

/// The URL of the database that another lab has on such a server, with its data in one of the kept folders
/// below `root`; none where no lab has.
///
/// # Errors
/// [`Error::NotYetUp`] where the server does not answer in time; [`Error::Folder`].
pub async fn running_elsewhere(binary: &Binary, root: &Path) -> Result<Option<String>, Error> {
    url_of_a_running_lab(root, binary, Instant::now() + ANSWER_WITHIN).await
}

/// One question, over a connection of its own.
async fn ask(address: Address) -> sqlx::Result<()> {
    async fn ping<O: ConnectOptions<Connection: Sized>>(options: &O) -> sqlx::Result<()> {
        let mut connection = options.connect().await?;
        connection.ping().await?;
        connection.close().await
    }
    match address {
        Address::MySql(options) => ping(options.as_ref()).await,
        Address::Postgres(options) => ping(options.as_ref()).await,
        Address::Sqlite(options) => ping(options.as_ref()).await,
    }
}

/// What `supervise.sh` runs, and how it stops it.
#[derive(Debug)]
pub(super) struct Orders {
    /// The initialiser's options, the last one up to the folder that it works in. Constant words only:
    /// the shell splits them.
    pub(super) initialiser_flags: &'static str,
    /// The server's options.
    pub(super) server_arguments: Vec<OsString>,
    /// The signal after which it shuts down in order without waiting for its clients.
    pub(super) stop: &'static str,
    /// The signal after which it ends at once; for data that is thrown away.
    pub(super) stop_at_once: &'static str,
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

/// A new file, which the server's user can read as well, whatever the umask.
fn write_for_all_to_read(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    file.write_all(text.as_bytes())
}

/// The shell that runs `supervise.sh`, and the only handle to the server: it stops when the pipe to
/// its standard input closes.
#[derive(Debug)]
struct Supervisor(Child);

impl Supervisor {
    fn spawn(
        binary: &Binary,
        layout: &Layout,
        account: Option<&Account>,
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
        write_for_all_to_read(&script, SUPERVISE).map_err(|source| Error::Folder {
            path: script.clone(),
            source,
        })?;
        let initialiser = if layout.data.exists() {
            Path::new("")
        } else {
            &binary.initialiser
        };
        let orders = binary.product.orders(layout, as_root);
        let signal = match claim {
            Some(_) => orders.stop,
            None => orders.stop_at_once,
        };
        let copy = |file: &File| file.try_clone().map(Stdio::from).map_err(Error::Supervisor);
        let mut supervisor = Command::new("/bin/sh");
        if let Some(account) = account {
            // From a folder that it may enter.
            supervisor
                .uid(account.uid)
                .gid(account.gid)
                .current_dir("/");
        }
        supervisor
            .arg(script)
            .arg(signal)
            .arg(&layout.run)
            .arg(initialiser)
            .arg(orders.initialiser_flags)
            .args([&layout.fresh, &layout.data])
            .arg(&binary.path)
            .args(orders.server_arguments)
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
