//! A server's life: its folders, its start, the wait for its first answer, its end.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use sqlx::{ConnectOptions, Connection};
use tokio::time::{Instant, sleep, timeout_at};

use super::account::Account;
use super::binary::Binary;
use super::claim::{Claim, url_of_a_running_lab};
use super::dispatch;
use super::error::Error;
use super::folder::{Folder, temporary_folder};
use super::log::Log;
use super::product::Product;
use super::recipe::Layout;
use super::supervisor::Supervisor;
use crate::engine::Address;

/// How long a server may take to initialise its data directory and answer. It usually takes three
/// seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The pause between two attempts to connect to a server that is starting.
const PAUSE: Duration = Duration::from_millis(20);

/// A private server that runs. It stops at [`stop`](Self::stop), when this value is dropped, and
/// when this process ends in any way.
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
    /// Starts a server and waits until it answers, for at most a minute.
    ///
    /// The future may be dropped at any time. A server that was started by then is stopped.
    ///
    /// # Errors
    /// Those of [`start_within`](Self::start_within).
    pub async fn start(binary: &Binary, folder: Folder) -> Result<Self, Error> {
        Self::start_within(binary, folder, ANSWER_WITHIN).await
    }

    /// Starts a server and waits until it answers, for at most `limit`.
    ///
    /// # Errors
    /// - No place for its files: [`Error::Folder`], [`Error::KeptOut`], [`Error::NoAccount`],
    ///   [`Error::ShuttingDown`] and [`Error::TooManyLabs`].
    /// - It cannot be run: [`Error::Supervisor`].
    /// - It does not come up: [`Error::ServerEnded`] and [`Error::NoAnswer`], with the end of its
    ///   log.
    pub async fn start_within(
        binary: &Binary,
        folder: Folder,
        limit: Duration,
    ) -> Result<Self, Error> {
        let deadline = Instant::now() + limit;
        let mut server = Self::spawn(binary, folder, deadline).await?;
        server.wait_for_an_answer(deadline, limit).await?;
        Ok(server)
    }

    async fn spawn(binary: &Binary, folder: Folder, deadline: Instant) -> Result<Self, Error> {
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
        let log = home.join("error.log");
        let log = Log::create(log.clone(), claim.is_some())
            .map_err(|source| Error::Folder { path: log, source })?;
        let supervisor = Supervisor::spawn(binary, &layout, account, claim.as_ref(), &log)?;
        // The supervisor removes the folder from here on.
        let _ = run.keep();
        Ok(Self {
            supervisor,
            product: binary.product,
            program: binary.path.clone(),
            socket: dispatch::socket_in(binary.product, &layout.run),
            run: layout.run,
            data_dir: layout.data,
            log,
            claim,
        })
    }

    /// The unix socket on which the server listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The server's data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The address of the server's administrator, for clients that have no database on it yet.
    pub fn address(&self) -> Address {
        dispatch::server_address(self.product, &self.run)
    }

    /// Creates a database if it does not exist, and returns its address. `name` must be one that
    /// SQL takes without quotes.
    ///
    /// # Errors
    /// The server's refusal.
    pub async fn create_database(&self, name: &str) -> sqlx::Result<Address> {
        dispatch::create_database(self.product, &self.run, name).await
    }

    /// The URL by which another lab of this user reaches that database.
    pub fn url(&self, database: &str) -> String {
        dispatch::url(self.product, &self.run, database)
    }

    /// Publishes the URL of a database, so that [`running_elsewhere`] finds it in other labs of
    /// this user. It stays published until the server stops. Without effect if the data is
    /// temporary.
    ///
    /// # Errors
    /// [`Error::Folder`] if the file with the URL cannot be written.
    pub fn publish(&self, database: &str) -> Result<(), Error> {
        self.claim
            .as_ref()
            .map_or(Ok(()), |claim| claim.publish_url(&self.url(database)))
    }

    /// Whether the server still runs. It should, until it is stopped.
    pub fn is_running(&mut self) -> bool {
        matches!(self.supervisor.exit_status(), Ok(None))
    }

    /// Stops the server and waits until it, its helpers and its temporary folders are gone. A
    /// server whose data is kept shuts down in order. A temporary one is killed.
    ///
    /// If the future is dropped, the server stops all the same.
    ///
    /// # Errors
    /// - [`Error::ServerEnded`] if the server had ended before, or did not shut down in order.
    /// - [`Error::Supervisor`] if its end cannot be waited for.
    pub async fn stop(mut self) -> Result<(), Error> {
        tokio::task::spawn_blocking(move || {
            if let Some(claim) = &self.claim {
                claim.forget_url()?;
            }
            if let Some(status) = self.supervisor.exit_status()? {
                return Err(self.ended_unasked(status));
            }
            let status = self.supervisor.end()?;
            if self.claim.is_some() && !status.success() {
                return Err(self.ended_unasked(status));
            }
            Ok(())
        })
        .await
        .map_err(|error| Error::Supervisor(io::Error::other(error)))?
    }

    /// Connects until a connection succeeds. Only that works for every version: the socket appears,
    /// and even accepts connections, before the server is ready.
    async fn wait_for_an_answer(
        &mut self,
        deadline: Instant,
        limit: Duration,
    ) -> Result<(), Error> {
        let mut last = None;
        while Instant::now() < deadline {
            if let Some(status) = self.supervisor.exit_status()? {
                return Err(self.ended_unasked(status));
            }
            match timeout_at(deadline, ping(self.address())).await {
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

    fn ended_unasked(&self, status: ExitStatus) -> Error {
        Error::ServerEnded {
            server: self.program.clone(),
            status,
            log: self.log.tail(),
        }
    }
}

/// The URL of the database that another lab has on such a server, with its data in one of the kept
/// folders below `root`. None if no lab has one. Waits for a lab that is just starting.
///
/// # Errors
/// [`Error::NotYetUp`] if that lab does not come up in time.
pub async fn running_elsewhere(binary: &Binary, root: &Path) -> Result<Option<String>, Error> {
    url_of_a_running_lab(root, binary, Instant::now() + ANSWER_WITHIN).await
}

/// Asks the server one question, over a connection of its own.
async fn ping(address: Address) -> sqlx::Result<()> {
    async fn ping_over<O: ConnectOptions<Connection: Sized>>(options: &O) -> sqlx::Result<()> {
        let mut connection = options.connect().await?;
        connection.ping().await?;
        connection.close().await
    }
    match address {
        Address::MySql(options) => ping_over(options.as_ref()).await,
        Address::Postgres(options) => ping_over(options.as_ref()).await,
        Address::Sqlite(options) => ping_over(options.as_ref()).await,
    }
}
