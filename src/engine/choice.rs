//! Opens the database that `--database-url` names, or a default if there is no URL.

use std::fmt;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use tokio::time::sleep;

use super::local::{
    self, Folder, LocalServer, RejectReason, RejectedProgram, ServerFound, ServerKind,
};
use super::parameters::postgres_variables;
pub use super::url::DatabaseUrl;
pub use super::wanted::{HOW_TO_CHANGE, Wanted};
use super::{Address, Database, Flavour, OpenError, Settings, sqlite_file};

/// How long the lab's own data lives: in a private server, or in a SQLite file that no URL names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// The next start finds it again.
    Kept,
    /// The same data as [`Kept`](Self::Kept), opened for a short time. If a lab has it open, this
    /// process joins that lab. A lab that starts meanwhile waits.
    Shared,
    /// The data is removed at the end.
    Temporary,
}

/// Why no database could be opened.
#[derive(Debug)]
pub enum ChoiceError {
    /// No private server was found, or it did not start, or it ended before it was told to.
    Local(local::Error),
    /// The lab's own data has no place.
    Folder(String),
    /// The database could not be opened.
    Open {
        /// Where the database is.
        place: String,
        /// Why it could not be opened.
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

/// A database that is open, with the private server or folder it lives in.
#[derive(Debug)]
pub struct OpenDatabase {
    /// The database.
    pub database: Database,
    /// Where it is, for people.
    place: String,
    home: Home,
}

/// What ends together with the database. A folder is removed when this is dropped, and a server
/// stops.
#[derive(Debug)]
enum Home {
    /// Nothing: the database is a file or a server of the user's.
    Foreign,
    Folder {
        _removed_on_drop: TempDir,
    },
    Server(Box<LocalServer>),
}

impl OpenDatabase {
    /// Whether the database ends with this value, and no other process uses it.
    pub fn is_private(&self) -> bool {
        !matches!(self.home, Home::Foreign)
    }

    /// Waits until the private server has ended, which it should not. Waits for ever if there is
    /// none.
    pub async fn server_ended(&mut self) {
        const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

        let Home::Server(server) = &mut self.home else {
            return std::future::pending().await;
        };
        while server.is_running() {
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Closes the connections, and stops the private server if there is one.
    ///
    /// # Errors
    /// [`local::Error::ServerEnded`], with the end of its log, if the private server had ended
    /// before.
    pub async fn close(self) -> Result<(), ChoiceError> {
        self.database.close().await;
        if let Home::Server(server) = self.home {
            server.stop().await?;
        }
        Ok(())
    }
}

/// Opens the database that the URL names, and migrates it. Without a URL, opens a private server if
/// one is found, else a SQLite file. `say` gets what is chosen, why, and how to change it, line by
/// line as it becomes known.
///
/// # Errors
/// In words that say what to do.
pub async fn open(
    url: Option<&DatabaseUrl>,
    lifetime: Lifetime,
    settings: &Settings,
    say: &(dyn Fn(&str) + Sync),
) -> Result<OpenDatabase, ChoiceError> {
    let opened = open_as_it_is(url, lifetime, settings, say).await?;
    let migrated = opened.database.migrate().await;
    migrated.map_err(|error| ChoiceError::open(&opened.place, error))?;
    Ok(opened)
}

/// As [`open`], but refuses a schema that is not up to date instead of migrating it. A SQLite file
/// that does not exist is refused as well.
///
/// # Errors
/// As [`open`].
pub async fn open_up_to_date(
    url: Option<&DatabaseUrl>,
    lifetime: Lifetime,
    settings: &Settings,
    say: &(dyn Fn(&str) + Sync),
) -> Result<OpenDatabase, ChoiceError> {
    let opener = Opener {
        lifetime,
        settings,
        say,
        may_make_file: false,
    };
    let opened = opener.open(&Wanted::asked(url.cloned())).await?;
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
) -> Result<OpenDatabase, ChoiceError> {
    open_wanted(&Wanted::asked(url.cloned()), lifetime, settings, say).await
}

/// As [`open_as_it_is`], and says who has chosen the database.
///
/// # Errors
/// As [`open`].
pub async fn open_wanted(
    wanted: &Wanted,
    lifetime: Lifetime,
    settings: &Settings,
    say: &(dyn Fn(&str) + Sync),
) -> Result<OpenDatabase, ChoiceError> {
    let opener = Opener {
        lifetime,
        settings,
        say,
        may_make_file: true,
    };
    opener.open(wanted).await
}

/// Opens one database. Holds what does not depend on the engine.
struct Opener<'o> {
    lifetime: Lifetime,
    settings: &'o Settings,
    say: &'o (dyn Fn(&str) + Sync),
    /// Whether a SQLite file that does not exist is made.
    may_make_file: bool,
}

impl Opener<'_> {
    async fn open(&self, wanted: &Wanted) -> Result<OpenDatabase, ChoiceError> {
        let opened = match &wanted.url {
            Some(url) => self.named(url, wanted.why(url)).await?,
            None => self.default().await?,
        };
        (self.say)(&wanted.how_to_change());
        Ok(opened)
    }

    async fn named(&self, url: &DatabaseUrl, why: String) -> Result<OpenDatabase, ChoiceError> {
        let server = async |address| {
            self.connect(&address, &url.to_string(), &why, Home::Foreign)
                .await
        };
        match url {
            DatabaseUrl::MySql(options) => server(Address::MySql(options.clone())).await,
            DatabaseUrl::Postgres(options) => server(Address::Postgres(options.clone())).await,
            DatabaseUrl::SqliteFile(path) => self.sqlite(path, &why).await,
            DatabaseUrl::SqliteTemporary => self.temporary_sqlite(&why).await,
            DatabaseUrl::Local(kind) => {
                let found = find(*kind).await?;
                self.local(&found, &why).await
            }
        }
    }

    async fn default(&self) -> Result<OpenDatabase, ChoiceError> {
        match find(ServerKind::Any).await {
            Ok(found) => {
                let why = "no database was named, and a server to start was found";
                self.local(&found, why).await
            }
            Err(local::Error::NotFound { rejected, .. }) => {
                self.say_what_was_rejected(&rejected);
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

    async fn kept_sqlite(&self, why: &str) -> Result<OpenDatabase, ChoiceError> {
        let root = local::default_root()?;
        if self.may_make_file {
            std::fs::create_dir_all(&root)
                .map_err(|error| ChoiceError::Folder(format!("{}: {error}", root.display())))?;
        }
        self.sqlite(&root.join("racy.sqlite"), why).await
    }

    async fn sqlite(&self, path: &Path, why: &str) -> Result<OpenDatabase, ChoiceError> {
        let place = format!("sqlite:{}", path.display());
        if !self.may_make_file {
            sqlite_file::must_exist(path).map_err(|error| ChoiceError::open(&place, error))?;
        }
        let options = SqliteConnectOptions::new().filename(path);
        let address = Address::Sqlite(Box::new(options));
        self.connect(&address, &place, why, Home::Foreign).await
    }

    async fn temporary_sqlite(&self, why: &str) -> Result<OpenDatabase, ChoiceError> {
        let folder = tempfile::Builder::new()
            .prefix("racy-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|error| ChoiceError::Folder(format!("no temporary folder: {error}")))?;
        let options = SqliteConnectOptions::new().filename(folder.path().join("racy.sqlite"));
        let home = Home::Folder {
            _removed_on_drop: folder,
        };
        let address = Address::Sqlite(Box::new(options));
        self.connect(&address, "a temporary file", why, home).await
    }

    async fn local(&self, found: &ServerFound, why: &str) -> Result<OpenDatabase, ChoiceError> {
        self.say_what_was_rejected(&found.rejected);
        let server = match self.lifetime {
            Lifetime::Temporary => self.start(found, Folder::Temporary).await?,
            Lifetime::Kept => {
                let root = local::default_root()?;
                self.start(found, Folder::Kept(root)).await?
            }
            Lifetime::Shared => match self.visit(found).await? {
                SharedServer::OfAnotherLab(address, place) => {
                    (self.say)(&format!(
                        "joining the lab that already runs: {}",
                        found.binary
                    ));
                    return self.connect(&address, &place, why, Home::Foreign).await;
                }
                SharedServer::Started(server) => *server,
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
            self.publish(&server)?;
        }
        let home = Home::Server(Box::new(server));
        self.connect(&address, &place, why, home).await
    }

    async fn start(
        &self,
        found: &ServerFound,
        folder: Folder,
    ) -> Result<LocalServer, local::Error> {
        (self.say)(&format!("starting a private server: {}", found.binary));
        LocalServer::start(&found.binary, folder).await
    }

    /// Makes the server known to other labs, and says its URL.
    fn publish(&self, server: &LocalServer) -> Result<(), local::Error> {
        server.publish(LOCAL_DATABASE)?;
        (self.say)(&format!(
            "for another instance on the same server: --database-url '{}'",
            server.url(LOCAL_DATABASE)
        ));
        Ok(())
    }

    /// Finds the lab that has the data open, or starts a server on the data. Looks again if a lab
    /// starts between the two.
    async fn visit(&self, found: &ServerFound) -> Result<SharedServer, ChoiceError> {
        const LOOKS: u32 = 3;

        let root = local::default_root()?;
        let mut looks = 0;
        loop {
            looks += 1;
            if let Some(url) = local::running_elsewhere(&found.binary, &root).await? {
                let (address, place) = server_at(&url)?;
                return Ok(SharedServer::OfAnotherLab(address, place));
            }
            match self.start(found, Folder::Visited(root.clone())).await {
                Err(local::Error::NotYetUp { .. }) if looks < LOOKS => {}
                started => return Ok(SharedServer::Started(Box::new(started?))),
            }
        }
    }

    async fn connect(
        &self,
        address: &Address,
        place: &str,
        why: &str,
        home: Home,
    ) -> Result<OpenDatabase, ChoiceError> {
        let database = Database::connect(address, self.settings)
            .await
            .map_err(|error| ChoiceError::open(place, error))?;
        (self.say)(&format!("engine: {} ({place})", database.engine()));
        for remark in database.remarks() {
            (self.say)(&remark);
        }
        (self.say)(&format!("why this one: {why}"));
        self.say_how_it_is_reached(&database, place).await?;
        Ok(OpenDatabase {
            database,
            place: place.to_owned(),
            home,
        })
    }

    /// Says whether the connection is encrypted, and which of PostgreSQL's variables are set.
    async fn say_how_it_is_reached(
        &self,
        database: &Database,
        place: &str,
    ) -> Result<(), ChoiceError> {
        let encryption = database.encryption().await;
        if let Some(encryption) = encryption.map_err(|error| ChoiceError::open(place, error))? {
            (self.say)(&encryption);
        }
        let variables = match database.engine().flavour {
            Flavour::Postgres => postgres_variables(),
            Flavour::MySql | Flavour::MariaDb | Flavour::Sqlite => Vec::new(),
        };
        if !variables.is_empty() {
            (self.say)(&format!(
                "the environment supplies what the URL leaves out; these variables are set: {}",
                variables.join(", ")
            ));
        }
        Ok(())
    }

    /// Names the programs that were not used, except those of another product: the user has chosen
    /// the product.
    fn say_what_was_rejected(&self, rejected: &[RejectedProgram]) {
        for one in rejected {
            if !matches!(one.reason, RejectReason::OtherProduct(_)) {
                (self.say)(&format!("not used: {one}"));
            }
        }
    }
}

/// A server on data that labs share.
enum SharedServer {
    /// A lab has the data open: its server's address, and the same in words.
    OfAnotherLab(Address, String),
    /// No lab had the data open, and this server was started on it.
    Started(Box<LocalServer>),
}

/// Parses the URL that another lab has published.
fn server_at(url: &str) -> Result<(Address, String), ChoiceError> {
    let unusable =
        |what: String| ChoiceError::Folder(format!("the URL that another lab published: {what}"));
    let url: DatabaseUrl = url.parse().map_err(unusable)?;
    let place = url.to_string();
    match url {
        DatabaseUrl::MySql(options) => Ok((Address::MySql(options), place)),
        DatabaseUrl::Postgres(options) => Ok((Address::Postgres(options), place)),
        DatabaseUrl::SqliteFile(_) | DatabaseUrl::SqliteTemporary | DatabaseUrl::Local(_) => {
            Err(unusable(place))
        }
    }
}

/// Searches for a server. In a blocking task, because it runs programs and waits for their answers.
async fn find(kind: ServerKind) -> Result<ServerFound, local::Error> {
    tokio::task::spawn_blocking(move || local::find(kind))
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// The name of the database on a private server.
const LOCAL_DATABASE: &str = "racy";
