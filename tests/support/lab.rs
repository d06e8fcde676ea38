//! A database of its own for each test, on a private server that all tests of the run share. It is
//! gone with the server, and the server with the run.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use racy::accounts::{self, Account};
use racy::engine::local::{self, Binary, Folder, LocalServer, ServerKind};
use racy::engine::{Address, ConnectionId, Database, Isolation, Settings};
use racy::exhibits::card::{EVERY_LEVEL, POSTGRES_LEVELS, SQLITE_LEVEL};
use racy::exhibits::deposits::{Deposit, Failure, LOST_UPDATE, Receipt, Refusal};
use racy::verdict::{Outcome, Verdict};
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Row as _};
use tempfile::TempDir;

use super::until;

/// The engines that the tests run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestEngine {
    MySql,
    MariaDb,
    Postgres,
    Sqlite,
}

/// One test's database.
#[derive(Debug)]
pub struct Lab {
    pub database: Database,
    pub address: Address,
    pub name: String,
    _folder: Option<TempDir>,
}

impl TestEngine {
    /// A fresh, migrated database at the engine's default isolation level.
    pub async fn lab(self) -> Lab {
        self.lab_with(Settings::default()).await
    }

    /// A fresh, migrated database at this isolation level.
    pub async fn lab_at(self, isolation: Isolation) -> Lab {
        self.lab_with(Settings {
            isolation: Some(isolation),
            ..Settings::default()
        })
        .await
    }

    /// A fresh, migrated database with these settings.
    pub async fn lab_with(self, settings: Settings) -> Lab {
        Lab::at(self.fresh().await, settings).await
    }

    /// As [`Self::lab_with`], on a server of its own: for a test that changes the server, needs
    /// many connections, or compares what is left to chance if others use the server.
    pub async fn lab_alone(self, settings: Settings) -> (LocalServer, Lab) {
        let server = LocalServer::start(&self.binary(), Folder::Temporary).await;
        let server = server.unwrap();
        let lab = Lab::at(Fresh::on(&server).await, settings).await;
        (server, lab)
    }

    /// A fresh, empty database.
    pub async fn fresh(self) -> Fresh {
        match self.server() {
            Some(server) => Fresh::on(server).await,
            None => Fresh::sqlite(),
        }
    }

    /// The private server that all tests of the run share; SQLite needs none.
    pub fn server(self) -> Option<&'static LocalServer> {
        static MYSQL: OnceLock<LocalServer> = OnceLock::new();
        static MARIADB: OnceLock<LocalServer> = OnceLock::new();
        static POSTGRES: OnceLock<LocalServer> = OnceLock::new();
        match self {
            Self::MySql => Some(MYSQL.get_or_init(|| start(self.binary()))),
            Self::MariaDb => Some(MARIADB.get_or_init(|| start(self.binary()))),
            Self::Postgres => Some(POSTGRES.get_or_init(|| start(self.binary()))),
            Self::Sqlite => None,
        }
    }

    /// The isolation levels that it has.
    pub fn levels(self) -> &'static [Isolation] {
        match self {
            Self::MySql | Self::MariaDb => EVERY_LEVEL,
            Self::Postgres => POSTGRES_LEVELS,
            Self::Sqlite => SQLITE_LEVEL,
        }
    }

    /// The server program to start. A machine without one fails the test: nothing is skipped.
    pub fn binary(self) -> Binary {
        let wanted = match self {
            Self::MySql => ServerKind::MySql,
            Self::MariaDb => ServerKind::MariaDb,
            Self::Postgres => ServerKind::Postgres,
            Self::Sqlite => panic!("SQLite is no server"),
        };
        let found = local::find(wanted).unwrap_or_else(|error| panic!("{error}"));
        found.binary
    }
}

/// Starts a server on a runtime of its own, because each test has its own too and may end first.
/// No test stops it: its supervisor does when this process ends.
pub fn start(binary: Binary) -> LocalServer {
    let starting = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime
            .block_on(LocalServer::start(&binary, Folder::Temporary))
            .unwrap_or_else(|error| panic!("{error}"))
    });
    starting.join().unwrap()
}

/// A database that is still empty.
#[derive(Debug)]
pub struct Fresh {
    pub address: Address,
    pub name: String,
    folder: Option<TempDir>,
}

impl Fresh {
    /// A new database on this server.
    pub async fn on(server: &LocalServer) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Self {
            address: server.create_database(&name).await.unwrap(),
            name,
            folder: None,
        }
    }

    /// The URL by which another process reaches it.
    pub fn url(&self, engine: TestEngine) -> String {
        match &self.address {
            Address::Sqlite(options) => format!("sqlite:{}", options.get_filename().display()),
            Address::MySql(_) | Address::Postgres(_) => engine.server().unwrap().url(&self.name),
        }
    }

    /// The same database, reached in another way.
    pub fn reached_by(self, address: Address) -> Self {
        Self { address, ..self }
    }

    /// The tables in it, and what explorers have left on its server. A database of a lane does not
    /// count, because it may be another test's.
    pub async fn tables_and_leftovers(&self) -> Vec<String> {
        let tables = match &self.address {
            Address::MySql(_) => {
                "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
                 WHERE table_schema = DATABASE()"
            }
            Address::Postgres(_) => {
                "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public'"
            }
            Address::Sqlite(_) => panic!("SQLite has no server"),
        };
        let mut found = names(&self.address, tables).await;
        let left = left_by_explorers(&self.address).await.into_iter();
        found.extend(left.filter(|name| !name.starts_with("racy_explore_lane_")));
        found
    }

    /// Waits until it has no table and its server nothing of an explorer's. An explorer of another
    /// test, which is at work on the same server, comes to its end.
    pub async fn until_nothing_is_left(&self) {
        until("explorers have left nothing", || async {
            self.tables_and_leftovers().await.is_empty()
        })
        .await;
    }

    fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(folder.path().join("lab.db"));
        Self {
            address: Address::Sqlite(Box::new(options)),
            name: "main".to_owned(),
            folder: Some(folder),
        }
    }
}

impl Lab {
    /// Migrates a fresh database. Its pool is small unless a test asks for more: the private server
    /// has stock settings, and many tests share its connections (MySQL: 151, PostgreSQL: 100).
    pub async fn at(fresh: Fresh, settings: Settings) -> Self {
        let connections = match settings.connections == Settings::default().connections {
            true => 8,
            false => settings.connections,
        };
        let settings = Settings {
            connections,
            ..settings
        };
        let database = Database::connect(&fresh.address, &settings).await.unwrap();
        database.migrate().await.unwrap();
        Self {
            database,
            address: fresh.address,
            name: fresh.name,
            _folder: fresh.folder,
        }
    }

    /// The URL by which another process reaches this database.
    pub fn url(&self, engine: TestEngine) -> String {
        match &self.address {
            Address::Sqlite(options) => format!("sqlite:{}", options.get_filename().display()),
            Address::MySql(_) | Address::Postgres(_) => engine.server().unwrap().url(&self.name),
        }
    }

    /// The name of its database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Account 1, with its audit.
    pub async fn account(&self) -> Account {
        accounts::find(&self.database, 1).await.unwrap().unwrap()
    }

    /// Whether any transaction is open in this database, asked of the engine.
    ///
    /// Read from its status report: `information_schema.innodb_trx` shows an old picture if it is
    /// read more often than every 100 ms.
    pub async fn has_open_transactions(&self) -> bool {
        match &self.address {
            Address::MySql(options) => !self.innodb_transactions(options).await.is_empty(),
            Address::Postgres(options) => self.postgres_has_transactions(options).await,
            Address::Sqlite(options) => sqlite_is_locked(options).await,
        }
    }

    /// Waits until no client has an open transaction. The engine's own lists may be behind the
    /// answer to a commit.
    pub async fn until_nothing_is_open(&self) {
        until("nothing is left open", || async {
            !self.has_open_transactions().await
        })
        .await;
    }

    /// Whether a transaction in this database waits for a lock, asked of InnoDB.
    pub async fn somebody_waits(&self) -> bool {
        let Address::MySql(options) = &self.address else {
            panic!("only InnoDB is asked");
        };
        let transactions = self.innodb_transactions(options).await;
        transactions.iter().any(|one| one.contains("LOCK WAIT"))
    }

    /// What InnoDB reports of each open transaction in this database.
    async fn innodb_transactions(&self, options: &MySqlConnectOptions) -> Vec<String> {
        let mut connection = outside_mysql(options).await;
        let clients: Vec<i64> = loop {
            let clients = sqlx::query_scalar(
                "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE db = ?",
            );
            match clients.bind(&self.name).fetch_all(&mut connection).await {
                // MySQL has met a name that was being changed: it is asked again.
                Err(error) if error.to_string().contains("3854") => {}
                clients => break clients.unwrap(),
            }
        };
        let report = sqlx::raw_sql("SHOW ENGINE INNODB STATUS");
        let report = report.fetch_one(&mut connection).await.unwrap();
        let report: String = report.try_get("Status").unwrap();
        connection.close().await.unwrap();
        let transactions = report.split("---TRANSACTION").skip(1);
        let open = transactions.filter(|transaction| transaction.contains(", ACTIVE"));
        let ours = open.filter(|transaction| {
            clients
                .iter()
                .any(|id| transaction.contains(&format!(" thread id {id},")))
        });
        ours.map(str::to_owned).collect()
    }

    async fn postgres_has_transactions(&self, options: &PgConnectOptions) -> bool {
        let mut connection = outside_postgres(options).await;
        let open: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity \
             WHERE datname = $1 AND xact_start IS NOT NULL)",
        )
        .bind(&self.name)
        .fetch_one(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
        open
    }

    /// Runs statements on a connection outside the database's pool.
    pub async fn run_outside_the_pool(&self, sql: String) {
        match &self.address {
            Address::MySql(options) => {
                let mut connection = outside_mysql(options).await;
                connection.execute(AssertSqlSafe(sql)).await.unwrap();
                connection.close().await.unwrap();
            }
            Address::Postgres(options) => {
                let mut connection = outside_postgres(options).await;
                connection.execute(AssertSqlSafe(sql)).await.unwrap();
                connection.close().await.unwrap();
            }
            Address::Sqlite(_) => panic!("only a server has an outside"),
        }
    }

    /// Ends that connection from the server's side.
    pub async fn kill(&self, connection: ConnectionId) {
        let kill = match &self.address {
            Address::Postgres(_) => format!("SELECT pg_terminate_backend({connection})"),
            _ => format!("KILL CONNECTION {connection}"),
        };
        self.run_outside_the_pool(kill).await;
    }

    /// Runs statements in this test's database, on a connection outside the pool.
    pub async fn run_in_database(&self, sql: &str) {
        run_at(&self.address, sql).await;
    }

    /// Judges a run of deposits of 100 into account 1 by the exhibit's invariant.
    pub async fn verdict(&self, results: &[Result<Receipt, Failure>]) -> Verdict {
        let account = self.account().await;
        let acknowledged = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(
            account.transactions,
            i64::try_from(acknowledged).unwrap(),
            "a transaction per acknowledged deposit"
        );
        if account.lost != 0 {
            return Verdict::Anomaly(&LOST_UPDATE);
        }
        let refused = results.iter().find_map(|result| result.as_ref().err());
        match refused {
            None => Verdict::Safe,
            Some(Failure {
                refusal: Refusal::Engine(fault),
                outcome: Outcome::Refused,
            }) => Verdict::Refused(fault.kind),
            Some(other) => panic!("unexpected: {other:?}"),
        }
    }
}

/// The databases that explorers have made on a MySQL server, or the schemas in a PostgreSQL
/// database, and that are still there.
pub async fn left_by_explorers(address: &Address) -> Vec<String> {
    let query = match address {
        Address::MySql(_) => {
            "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata \
             WHERE schema_name LIKE 'racy\\_%'"
        }
        Address::Postgres(_) => {
            "SELECT CAST(nspname AS TEXT) FROM pg_namespace WHERE nspname LIKE 'racy\\_%'"
        }
        Address::Sqlite(_) => panic!("SQLite has no server"),
    };
    names(address, query).await
}

/// What a query of one column of text finds at this address.
async fn names(address: &Address, query: &'static str) -> Vec<String> {
    match address {
        Address::MySql(options) => {
            let mut connection = options.connect().await.unwrap();
            let found = sqlx::query_scalar(query).fetch_all(&mut connection).await;
            connection.close().await.unwrap();
            found.unwrap()
        }
        Address::Postgres(options) => {
            let mut connection = options.connect().await.unwrap();
            let found = sqlx::query_scalar(query).fetch_all(&mut connection).await;
            connection.close().await.unwrap();
            found.unwrap()
        }
        Address::Sqlite(_) => panic!("SQLite has no server"),
    }
}

/// Runs statements at this address, on a connection of their own.
pub async fn run_at(address: &Address, sql: &str) {
    let statements = sqlx::raw_sql(AssertSqlSafe(sql));
    match address {
        Address::MySql(options) => {
            let mut connection = options.connect().await.unwrap();
            statements.execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Address::Postgres(options) => {
            let mut connection = options.connect().await.unwrap();
            statements.execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Address::Sqlite(options) => {
            let mut connection = options.connect().await.unwrap();
            statements.execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

/// A connection that is not counted among those of the test's own database.
async fn outside_mysql(options: &MySqlConnectOptions) -> sqlx::MySqlConnection {
    options.clone().database("mysql").connect().await.unwrap()
}

/// The same for PostgreSQL.
async fn outside_postgres(options: &PgConnectOptions) -> sqlx::PgConnection {
    let options = options.clone().database("postgres");
    options.connect().await.unwrap()
}

/// SQLite has no table of transactions; but one that has written keeps all others from writing.
async fn sqlite_is_locked(options: &SqliteConnectOptions) -> bool {
    let options = options.clone().busy_timeout(std::time::Duration::ZERO);
    let mut connection = options.connect().await.unwrap();
    let locked = connection
        .execute("BEGIN EXCLUSIVE; ROLLBACK")
        .await
        .is_err();
    connection.close().await.unwrap();
    locked
}

/// A deposit of 100 into account 1.
pub const DEPOSIT: Deposit = Deposit {
    account: 1,
    amount: 100,
    claim: None,
};
