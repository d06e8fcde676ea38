//! Which engine it is going to be: the one that `--database-url` names, or what is taken where it says
//! nothing.

use std::fmt;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use tokio::time::sleep;

use super::local::{self, Folder, Found, LocalServer, PassedOver, Reason, Wanted};
use super::parameters::postgres_variables;
pub use super::url::DatabaseUrl;
use super::{Address, Database, Flavour, OpenError, Settings};

/// What becomes of data that the lab keeps by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// It is there again at the next start.
    Kept,
    /// What [`Kept`](Self::Kept) would open, for a moment: where a lab has it open, it is worked on there,
    /// and one that wants to open it waits.
    Shared,
    /// It is removed at the end.
    Temporary,
}

/// Why an engine could not be had.
#[derive(Debug)]
pub enum ChoiceError {
    /// No such server was found, or it did not start, or it ended unasked.
    Local(local::Error),
    /// There is no place for the lab's own data.
    Folder(String),
    /// The database did not open.
    Open {
        /// Which database.
        place: String,
        /// Why.
        error: OpenError,
    },
}

impl ChoiceError {
    fn open(place: impl fmt::Display, error: impl Into<OpenError>) -> Self {
        Self::Open {
            place: place.to_string(),
            error: error.into(),
        }
    }
}

impl fmt::Display for ChoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(error) => error.fmt(f),
            Self::Folder(error) => error.fmt(f),
            Self::Open { place, error } => write!(f, "{place}: {error}"),
        }
    }
}

impl std::error::Error for ChoiceError {}

impl From<local::Error> for ChoiceError {
    fn from(error: local::Error) -> Self {
        Self::Local(error)
    }
}

/// A database that is open and migrated, with the private server or folder it lives in.
#[derive(Debug)]
pub struct Opened {
    /// The database.
    pub database: Database,
    /// Where it is, for people.
    place: String,
    private: Private,
}

/// Removed, respectively stopped, when it is dropped.
#[derive(Debug)]
enum Private {
    Nothing,
    Folder { _removed_on_drop: TempDir },
    Server(Box<LocalServer>),
}

/// How to choose another engine.
pub const HOW_TO_CHANGE: &str = "--database-url with local:mysql, local:mariadb, local:postgres, \
                                 sqlite:PATH or mysql://USER:PASSWORD@HOST:PORT/DATABASE \
                                 (postgres:// likewise)";

impl Opened {
    /// Whether it goes with this value, and nobody else works in it.
    pub fn is_private(&self) -> bool {
        !matches!(self.private, Private::Nothing)
    }

    /// Done when the private server has ended, which it should not; never, where there is none.
    pub async fn server_ended(&mut self) {
        const BETWEEN_LOOKS: Duration = Duration::from_millis(250);
        let Private::Server(server) = &mut self.private else {
            return std::future::pending().await;
        };
        while server.is_running() {
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Closes the connections, and stops the private server if there is one.
    ///
    /// # Errors
    /// [`local::Error::Ended`] with the end of its log, where the private server had ended before.
    pub async fn close(self) -> Result<(), ChoiceError> {
        self.database.close().await;
        if let Private::Server(server) = self.private {
            server.stop().await?;
        }
        Ok(())
    }
}

/// Opens the database that the URL names, or the default where there is none: a private server
/// where one is found, else a SQLite file. Migrates it. What is chosen, why, and how to change it
/// goes to `say`, line by line, as it becomes known.
///
/// # Errors
/// [`ChoiceError`], in words that say what to do.
pub async fn open(
    url: Option<&DatabaseUrl>,
    lifetime: Lifetime,
    settings: &Settings,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Opened, ChoiceError> {
    let opened = open_as_it_is(url, lifetime, settings, say).await?;
    let migrated = opened.database.migrate().await;
    migrated.map_err(|error| ChoiceError::open(&opened.place, error))?;
    Ok(opened)
}

/// As [`open`], but refuses a schema that is not up to date instead of migrating it.
///
/// # Errors
/// As [`open`].
pub async fn open_up_to_date(
    url: Option<&DatabaseUrl>,
    lifetime: Lifetime,
    settings: &Settings,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Opened, ChoiceError> {
    let opened = open_as_it_is(url, lifetime, settings, say).await?;
    let up_to_date = opened.database.require_schema().await;
    up_to_date.map_err(|error| ChoiceError::open(&opened.place, error))?;
    Ok(opened)
}

/// As [`open`], but leaves the schema as it is.
///
/// # Errors
/// As [`open`].
pub async fn open_as_it_is(
    url: Option<&DatabaseUrl>,
    lifetime: Lifetime,
    settings: &Settings,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Opened, ChoiceError> {
    let opening = Opening {
        lifetime,
        settings,
        say,
    };
    let opened = match url {
        Some(url) => opening.named(url).await?,
        None => opening.default().await?,
    };
    say(&format!("to change the engine: {HOW_TO_CHANGE}"));
    Ok(opened)
}

/// What is the same for every engine while one is being opened.
struct Opening<'o> {
    lifetime: Lifetime,
    settings: &'o Settings,
    say: &'o (dyn Fn(&str) + Sync),
}

impl Opening<'_> {
    async fn named(&self, url: &DatabaseUrl) -> Result<Opened, ChoiceError> {
        let why = format!("{url} was asked for");
        match url {
            DatabaseUrl::MySql(options) => {
                let address = Address::MySql(options.clone());
                self.connect(&address, &url.to_string(), &why, Private::Nothing)
                    .await
            }
            DatabaseUrl::Postgres(options) => {
                let address = Address::Postgres(options.clone());
                self.connect(&address, &url.to_string(), &why, Private::Nothing)
                    .await
            }
            DatabaseUrl::SqliteFile(path) => self.sqlite(path, &why).await,
            DatabaseUrl::SqliteTemporary => self.temporary_sqlite(&why).await,
            DatabaseUrl::Local(wanted) => {
                let found = find(*wanted).await?;
                self.local(&found, &why).await
            }
        }
    }

    async fn default(&self) -> Result<Opened, ChoiceError> {
        match find(Wanted::Any).await {
            Ok(found) => {
                let why = "no database was named, and a server to start was found";
                self.local(&found, why).await
            }
            Err(local::Error::NotFound { passed_over, .. }) => {
                self.say_what_was_passed_over(&passed_over);
                let why = "no database was named, and no MySQL or MariaDB server to start was \
                           found (tools/get-mysql fetches one)";
                match self.lifetime {
                    Lifetime::Temporary => self.temporary_sqlite(why).await,
                    Lifetime::Kept | Lifetime::Shared => self.kept_sqlite(why).await,
                }
            }
            Err(mistake) => Err(mistake.into()),
        }
    }

    async fn kept_sqlite(&self, why: &str) -> Result<Opened, ChoiceError> {
        let root = local::default_root()?;
        std::fs::create_dir_all(&root)
            .map_err(|error| ChoiceError::Folder(format!("{}: {error}", root.display())))?;
        self.sqlite(&root.join("racy.sqlite"), why).await
    }

    async fn sqlite(&self, path: &Path, why: &str) -> Result<Opened, ChoiceError> {
        let options = SqliteConnectOptions::new().filename(path);
        let address = Address::Sqlite(Box::new(options));
        let place = format!("sqlite:{}", path.display());
        self.connect(&address, &place, why, Private::Nothing).await
    }

    async fn temporary_sqlite(&self, why: &str) -> Result<Opened, ChoiceError> {
        let folder = tempfile::Builder::new()
            .prefix("racy-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| ChoiceError::Folder(format!("no temporary folder: {error}")))?;
        let options = SqliteConnectOptions::new().filename(folder.path().join("racy.sqlite"));
        let private = Private::Folder {
            _removed_on_drop: folder,
        };
        let address = Address::Sqlite(Box::new(options));
        self.connect(&address, "a temporary file", why, private)
            .await
    }

    async fn local(&self, found: &Found, why: &str) -> Result<Opened, ChoiceError> {
        self.say_what_was_passed_over(&found.passed_over);
        let server = match self.lifetime {
            Lifetime::Temporary => self.start(found, Folder::Temporary).await?,
            Lifetime::Kept => {
                let root = local::default_root()?;
                self.start(found, Folder::Kept(root)).await?
            }
            Lifetime::Shared => match self.visit(found).await? {
                Visited::Running(address, place) => {
                    (self.say)(&format!(
                        "joining the lab that runs already on: {}",
                        found.binary
                    ));
                    return self.connect(&address, &place, why, Private::Nothing).await;
                }
                Visited::Started(server) => *server,
            },
        };
        let place = format!(
            "data in {}, socket {}",
            server.data_dir().display(),
            server.socket().display()
        );
        let address = server
            .create_database(LOCAL_DATABASE)
            .await
            .map_err(|error| ChoiceError::open(&place, error))?;
        if self.lifetime == Lifetime::Kept {
            server.announce(LOCAL_DATABASE)?;
            (self.say)(&format!(
                "for another instance on the same server: --database-url '{}'",
                server.url(LOCAL_DATABASE)
            ));
        }
        let private = Private::Server(Box::new(server));
        self.connect(&address, &place, why, private).await
    }

    async fn start(&self, found: &Found, folder: Folder) -> Result<LocalServer, local::Error> {
        (self.say)(&format!("starting a private server: {}", found.binary));
        LocalServer::start(&found.binary, folder).await
    }

    /// Finds the lab that has the data open, or else starts a server on it. A lab may come between the two:
    /// then it is looked for again.
    async fn visit(&self, found: &Found) -> Result<Visited, ChoiceError> {
        const LOOKS: u32 = 3;
        let root = local::default_root()?;
        let mut looks = 0;
        loop {
            looks += 1;
            if let Some(url) = local::running_elsewhere(&found.binary, &root).await? {
                let (address, place) = server_at(&url)?;
                return Ok(Visited::Running(address, place));
            }
            match self.start(found, Folder::Visited(root.clone())).await {
                Err(local::Error::NotYetUp { .. }) if looks < LOOKS => {}
                started => return Ok(Visited::Started(Box::new(started?))),
            }
        }
    }

    async fn connect(
        &self,
        address: &Address,
        place: &str,
        why: &str,
        private: Private,
    ) -> Result<Opened, ChoiceError> {
        let database = Database::connect(address, self.settings)
            .await
            .map_err(|error| ChoiceError::open(place, error))?;
        (self.say)(&format!("engine: {} ({place})", database.engine()));
        for remark in database.remarks() {
            (self.say)(&remark);
        }
        (self.say)(&format!("why this one: {why}"));
        self.say_what_is_between(&database, place).await?;
        Ok(Opened {
            database,
            place: place.to_owned(),
            private,
        })
    }

    /// Whether the connection is encrypted, and what it has from PostgreSQL's variables.
    async fn say_what_is_between(
        &self,
        database: &Database,
        place: &str,
    ) -> Result<(), ChoiceError> {
        let encryption = database.encryption().await;
        let encryption = encryption.map_err(|error| ChoiceError::open(place, error))?;
        if let Some(encryption) = encryption {
            (self.say)(&encryption);
        }
        let variables = match database.engine().flavour {
            Flavour::Postgres => postgres_variables(),
            Flavour::MySql | Flavour::MariaDb | Flavour::Sqlite => Vec::new(),
        };
        if !variables.is_empty() {
            (self.say)(&format!(
                "what the URL leaves out is taken from the environment, where these are set: {}",
                variables.join(", ")
            ));
        }
        Ok(())
    }

    /// A server of the other product is no news to somebody who named the one that is wanted.
    fn say_what_was_passed_over(&self, passed_over: &[PassedOver]) {
        for one in passed_over {
            if !matches!(one.reason, Reason::OtherProduct(_)) {
                (self.say)(&format!("passed over: {one}"));
            }
        }
    }
}

/// What a visitor finds.
enum Visited {
    /// A lab that has the data open; where it is, and in words.
    Running(Address, String),
    /// None; a server was started on the data.
    Started(Box<LocalServer>),
}

/// The server that another lab tells of.
fn server_at(url: &str) -> Result<(Address, String), ChoiceError> {
    let mistaken = |what: String| ChoiceError::Folder(format!("what another lab tells: {what}"));
    let url: DatabaseUrl = url.parse().map_err(mistaken)?;
    let place = url.to_string();
    match url {
        DatabaseUrl::MySql(options) => Ok((Address::MySql(options), place)),
        DatabaseUrl::Postgres(options) => Ok((Address::Postgres(options), place)),
        _ => Err(mistaken(place)),
    }
}

/// The search runs programs to ask who they are, and so may take a moment.
async fn find(wanted: Wanted) -> Result<Found, local::Error> {
    tokio::task::spawn_blocking(move || local::find(wanted))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// The name of the database on a private server.
const LOCAL_DATABASE: &str = "racy";
