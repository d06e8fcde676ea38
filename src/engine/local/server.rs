//! A server's life: its folders, its start, the wait for its first answer, its end.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Binary, Error, LogTail, Product};

/// How long a server may take to initialise its data directory and answer. Three seconds are usual.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Between two looks at something that is about to change.
const PAUSE: Duration = Duration::from_millis(20);

/// The longest socket path: macOS has room for 103 bytes, Linux for 107.
const SOCKET_PATH_BYTES: usize = 103;

/// Labs that may keep servers of one version at once.
const KEPT_FOLDERS: usize = 64;

/// Lines of the log that an error shows, and the bytes at its end in which they are looked for.
const TAIL_LINES: usize = 20;
const TAIL_BYTES: u64 = 8 * 1024;

const SUPERVISE: &str = include_str!("supervise.sh");

/// Where a server's data lives, and whether it outlives the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folder {
    /// A fresh temporary folder, removed when the server stops.
    Temporary,
    /// A folder below this root, kept and found again by the next start. It belongs to one product
    /// and `major.minor` version, e.g. `mysql-9.7`; while another lab uses it, the next number is
    /// taken, `mysql-9.7-2`.
    Kept(PathBuf),
}

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

/// The places of one server's files.
struct Layout {
    /// The private temporary folder: socket, pid file, scratch files; for a temporary server the rest too.
    run: PathBuf,
    data: PathBuf,
    /// Where a data directory is made, before it is renamed to `data`.
    fresh: PathBuf,
}

impl Layout {
    fn socket(&self) -> PathBuf {
        socket_in(&self.run)
    }

    fn pid_file(&self) -> PathBuf {
        self.run.join("server.pid")
    }
}

fn socket_in(run: &Path) -> PathBuf {
    run.join("server.sock")
}

/// A temporary folder whose name is short enough for a socket in it.
fn temporary_folder() -> Result<TempDir, Error> {
    let make = |base: &Path| {
        tempfile::Builder::new()
            .prefix("racy-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(base)
            .map_err(|source| Error::Folder {
                path: base.to_owned(),
                source,
            })
    };
    let base = std::env::temp_dir();
    let base = std::path::absolute(&base).map_err(|source| Error::Folder { path: base, source })?;
    let run = make(&base)?;
    if socket_in(run.path()).as_os_str().as_bytes().len() <= SOCKET_PATH_BYTES {
        return Ok(run);
    }
    make(Path::new("/tmp"))
}

/// A kept folder that this lab alone uses, as long as this value lives.
///
/// Two locks, because two questions are asked. `lab.lock`: does another lab use the folder? Then the
/// next number is taken. `server.lock`, which the supervisor and the server inherit: may anything still
/// write to it? A lab that was killed leaves a server that takes a moment to shut down; then the folder
/// is free, but not yet ready.
#[derive(Debug)]
struct Claim {
    folder: PathBuf,
    server_lock: File,
    _lab_lock: File,
}

impl Claim {
    async fn new(root: &Path, binary: &Binary, deadline: Instant) -> Result<Self, Error> {
        let root = std::path::absolute(root).map_err(|source| Error::Folder {
            path: root.to_owned(),
            source,
        })?;
        for number in 1..=KEPT_FOLDERS {
            let folder = root.join(kept_name(binary, number));
            private_folder(&folder)?;
            let Some(lab_lock) = try_lock(&folder.join("lab.lock"))? else {
                continue;
            };
            let server_lock = Self::wait_for_server_lock(&folder, deadline).await?;
            return Ok(Self {
                folder,
                server_lock,
                _lab_lock: lab_lock,
            });
        }
        Err(Error::TooManyLabs { root })
    }

    async fn wait_for_server_lock(folder: &Path, deadline: Instant) -> Result<File, Error> {
        let path = folder.join("server.lock");
        loop {
            if let Some(lock) = try_lock(&path)? {
                return Ok(lock);
            }
            if Instant::now() >= deadline {
                return Err(Error::ShuttingDown {
                    folder: folder.to_owned(),
                });
            }
            sleep(PAUSE).await;
        }
    }
}

/// `mysql-9.7`, `mysql-9.7-2`, …: a server never opens the data of another product or of a newer version.
fn kept_name(binary: &Binary, number: usize) -> String {
    let version = binary.version;
    let name = format!(
        "{}-{}.{}",
        binary.product.slug(),
        version.major,
        version.minor
    );
    if number == 1 {
        name
    } else {
        format!("{name}-{number}")
    }
}

fn private_folder(folder: &Path) -> Result<(), Error> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| Error::Folder {
            path: folder.to_owned(),
            source,
        })
}

/// Locks a file, `None` where somebody else has. The lock goes with the last copy of the open file.
fn try_lock(path: &Path) -> Result<Option<File>, Error> {
    let failed = |source| Error::Folder {
        path: path.to_owned(),
        source,
    };
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
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
            .arg(initialiser_flags(binary.product, as_root))
            .args([&layout.fresh, &layout.data])
            .arg(&binary.path)
            .args(server_arguments(binary.product, layout, as_root))
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

/// The options with which a data directory is made. Constant words only: the shell splits them.
fn initialiser_flags(product: Product, as_root: bool) -> &'static str {
    match (product, as_root) {
        (Product::MySql, false) => "--no-defaults --initialize-insecure",
        (Product::MySql, true) => "--no-defaults --initialize-insecure --user=root",
        (Product::MariaDb, false) => {
            "--no-defaults --auth-root-authentication-method=normal --skip-test-db"
        }
        (Product::MariaDb, true) => {
            "--no-defaults --auth-root-authentication-method=normal --skip-test-db --user=root"
        }
    }
}

/// The server's options: where it lives and who may reach it, and nothing that would change how it
/// works. Its log is its standard error, so that what the loader or a wrapper has to say is in it too.
fn server_arguments(product: Product, layout: &Layout, as_root: bool) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec![
        "--no-defaults".into(),
        option("--datadir=", &layout.data),
        option("--socket=", &layout.socket()),
        option("--pid-file=", &layout.pid_file()),
        "--skip-networking".into(),
    ];
    if product == Product::MySql {
        // Its second protocol would listen on a port and a socket of its own.
        arguments.push("--mysqlx=OFF".into());
    }
    if as_root {
        // Servers refuse to run as root unless told so.
        arguments.push("--user=root".into());
    }
    arguments
}

fn option(name: &str, path: &Path) -> OsString {
    let mut option = OsString::from(name);
    option.push(path);
    option
}

#[cfg(test)]
mod tests {
    use super::super::{Origin, Version};
    use super::*;

    fn binary(product: Product) -> Binary {
        let path = PathBuf::from("/usr/sbin/mysqld");
        let version = Version {
            major: 9,
            minor: 7,
            patch: 4,
        };
        Binary {
            initialiser: path.clone(),
            path,
            product,
            version,
            origin: Origin::Path,
        }
    }

    #[test]
    fn a_kept_folder_is_named_after_product_version_and_number() {
        assert_eq!(kept_name(&binary(Product::MySql), 1), "mysql-9.7");
        assert_eq!(kept_name(&binary(Product::MariaDb), 3), "mariadb-9.7-3");
    }

    #[test]
    fn the_servers_own_settings_are_left_alone() {
        let layout = Layout {
            run: "/r".into(),
            data: "/d".into(),
            fresh: "/f".into(),
        };
        assert_eq!(
            server_arguments(Product::MySql, &layout, true),
            [
                "--no-defaults",
                "--datadir=/d",
                "--socket=/r/server.sock",
                "--pid-file=/r/server.pid",
                "--skip-networking",
                "--mysqlx=OFF",
                "--user=root"
            ]
        );
        assert!(
            !server_arguments(Product::MariaDb, &layout, false)
                .iter()
                .any(|a| a == "--mysqlx=OFF" || a == "--user=root")
        );
    }

    #[test]
    fn a_locked_file_is_somebody_elses_until_its_last_copy_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let lock = try_lock(&path).unwrap().unwrap();
        let inherited = lock.try_clone().unwrap();
        drop(lock);
        assert!(try_lock(&path).unwrap().is_none());
        drop(inherited);
        assert!(try_lock(&path).unwrap().is_some());
    }

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

    #[test]
    fn a_socket_in_the_temporary_folder_fits_into_an_address() {
        let run = temporary_folder().unwrap();
        assert!(socket_in(run.path()).as_os_str().len() <= SOCKET_PATH_BYTES);
        assert_eq!(
            fs::metadata(run.path()).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
}
