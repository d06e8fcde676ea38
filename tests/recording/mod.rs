//! `racy proxy` as a person runs it: what clients send through it is shown, and becomes a file that
//! is explored without them.

mod doubtful;
mod racers;
mod sessions;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use serde_json::{Value, json};
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use crate::commands::{output, text};
use crate::support::json::assert_includes;
use crate::support::lab::run_at;
use crate::support::process::{racy, signal};
use crate::support::proxied::{options_at, postgres_options_at};
use crate::support::{Lab, TestEngine, open_folder};

on_engines!(
    servers:
        a_recorded_pair_that_loses_an_update_is_found_without_the_application,
        a_recorded_pair_that_locks_holds,
        a_generated_key_comes_back_as_a_variable,
        a_branch_is_told,
        a_recording_that_is_ended_in_a_transaction_is_written_and_says_so,
        values_are_hidden,
        nothing_is_written_if_nothing_came,
        nothing_is_overwritten_unless_that_is_asked_for;
);

const TABLES: &str = "CREATE TABLE wallet (id INT PRIMARY KEY, balance INT NOT NULL); \
     CREATE TABLE transfer (id INT AUTO_INCREMENT PRIMARY KEY, wallet INT NOT NULL, \
       amount INT NOT NULL, FOREIGN KEY (wallet) REFERENCES wallet (id)); \
     CREATE TABLE fee (transfer_id INT NOT NULL, amount INT NOT NULL, \
       FOREIGN KEY (transfer_id) REFERENCES transfer (id)); \
     CREATE TABLE unrelated (id INT PRIMARY KEY); \
     INSERT INTO wallet VALUES (1, 250), (2, 0); \
     INSERT INTO transfer (wallet, amount) VALUES (2, 5)";

fn tables(engine: TestEngine) -> String {
    match engine {
        TestEngine::Postgres => TABLES.replace("INT AUTO_INCREMENT", "SERIAL"),
        _ => TABLES.to_owned(),
    }
}

/// One client of an application, on a connection of its own through the proxy.
enum Application {
    MySql(MySqlConnection),
    Postgres(PgConnection),
}

impl Application {
    async fn connect(engine: TestEngine, lab: &Lab, proxy: SocketAddr) -> Self {
        if engine == TestEngine::Postgres {
            let options = postgres_options_at(&lab.database, proxy);
            Self::Postgres(options.connect().await.unwrap())
        } else {
            let options = options_at(&lab.database, proxy);
            Self::MySql(options.connect().await.unwrap())
        }
    }

    async fn run(&mut self, sql: &'static str) {
        self.try_to_run(sql).await.unwrap();
    }

    async fn try_to_run(&mut self, sql: &'static str) -> sqlx::Result<()> {
        match self {
            Self::MySql(on) => sqlx::raw_sql(sql).execute(on).await.map(|_| ()),
            Self::Postgres(on) => sqlx::raw_sql(sql).execute(on).await.map(|_| ()),
        }
    }

    /// Runs a prepared statement.
    async fn change(&mut self, sql: &str, values: &[i32]) {
        self.try_to_change(sql, values).await.unwrap();
    }

    async fn try_to_change(&mut self, sql: &str, values: &[i32]) -> sqlx::Result<()> {
        match self {
            Self::MySql(on) => {
                let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
                let query = values.iter().fold(query, |query, it| query.bind(*it));
                query.execute(on).await.map(|_| ())
            }
            Self::Postgres(on) => {
                let query = sqlx::query(AssertSqlSafe(numbered(sql)));
                let query = values.iter().fold(query, |query, it| query.bind(*it));
                query.execute(on).await.map(|_| ())
            }
        }
    }

    /// Runs a prepared INSERT, and returns the key that was generated for the row.
    async fn insert(&mut self, sql: &str, values: &[i32]) -> i32 {
        match self {
            Self::MySql(on) => {
                let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
                let query = values.iter().fold(query, |query, it| query.bind(*it));
                let done = query.execute(on).await.unwrap();
                i32::try_from(done.last_insert_id()).unwrap()
            }
            Self::Postgres(on) => {
                let sql = format!("{} RETURNING id", numbered(sql));
                let query = sqlx::query_scalar(AssertSqlSafe(sql));
                let query = values.iter().fold(query, |query, it| query.bind(*it));
                query.fetch_one(on).await.unwrap()
            }
        }
    }

    async fn read(&mut self, sql: &str) -> i32 {
        match self {
            Self::MySql(on) => {
                let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
                query.bind(1).fetch_one(on).await.unwrap()
            }
            Self::Postgres(on) => {
                let query = sqlx::query_scalar(AssertSqlSafe(numbered(sql)));
                query.bind(1).fetch_one(on).await.unwrap()
            }
        }
    }

    /// Reads the balance, and writes what it has computed from it.
    async fn withdraw(&mut self, locking: &str) {
        self.run("BEGIN").await;
        let query = format!("SELECT balance FROM wallet WHERE id = ?{locking}");
        let balance = self.read(&query).await;
        let values = [balance - 60, 1];
        let update = "UPDATE wallet SET balance = ? WHERE id = ?";
        self.change(update, &values).await;
        self.run("COMMIT").await;
    }

    async fn leave(self) {
        match self {
            Self::MySql(on) => on.close().await,
            Self::Postgres(on) => on.close().await,
        }
        .unwrap();
    }
}

/// The statement with `$1`, `$2` and so on in place of each `?`.
fn numbered(sql: &str) -> String {
    let mut numbered = String::new();
    for (number, part) in sql.split('?').enumerate() {
        if number > 0 {
            numbered.push_str(&format!("${number}"));
        }
        numbered.push_str(part);
    }
    numbered
}

/// A `racy proxy` of its own process, in front of a test's database.
struct Recorded {
    engine: TestEngine,
    lab: Lab,
    folder: TempDir,
    process: Child,
    said: BufReader<ChildStderr>,
    address: SocketAddr,
}

impl Recorded {
    async fn start(engine: TestEngine, more: &[&str]) -> Self {
        Self::start_in(engine, open_folder(), more).await
    }

    async fn start_in(engine: TestEngine, folder: TempDir, more: &[&str]) -> Self {
        Self::start_with(engine, folder, more, &tables(engine)).await
    }

    /// The proxy before a database with these tables.
    async fn start_with(engine: TestEngine, folder: TempDir, more: &[&str], tables: &str) -> Self {
        let lab = engine.lab().await;
        run_at(&lab.address, tables).await;
        let url = lab.url(engine);
        let mut command = racy(&["proxy", "--database-url", &url, "--record", "pair.toml"]);
        // What one client is does not depend on time then.
        command.args(["--each", "connection"]).args(more);
        command.current_dir(folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut lines = String::new();
        while !lines.contains("Ctrl-C ends it, and writes pair.toml\n") {
            assert!(said.read_line(&mut lines).unwrap() > 0, "it ended: {lines}");
        }
        let (_, address) = lines.split_once("the proxy listens on ").unwrap();
        let address = address.split(',').next().unwrap().parse().unwrap();
        let scheme = match engine {
            TestEngine::Postgres => "postgresql",
            _ => "mysql",
        };
        let url = format!("{scheme}://USER:PASSWORD@{address}/{}\n", lab.name());
        assert!(lines.contains(&url), "{lines}");
        Self {
            engine,
            lab,
            folder,
            process,
            said,
            address,
        }
    }

    async fn application(&self) -> Application {
        Application::connect(self.engine, &self.lab, self.address).await
    }

    /// Ends the proxy by this signal. Returns its exit status, what it has shown, and what it said.
    fn end(&mut self, by: &str) -> (Option<i32>, String, String) {
        signal(by, &self.process);
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        let mut shown = String::new();
        let output = self.process.stdout.as_mut().unwrap();
        output.read_to_string(&mut shown).unwrap();
        (self.process.wait().unwrap().code(), shown, said)
    }

    fn file(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("pair.toml")).unwrap()
    }

    /// Explores the file, without any application.
    async fn explore(&self, engine: TestEngine) -> Value {
        explore(engine, &self.lab, self.folder.path()).await
    }
}

async fn explore(engine: TestEngine, lab: &Lab, folder: &Path) -> Value {
    let url = lab.url(engine);
    let mut command = racy(&["explore", "pair.toml", "--format", "json"]);
    command.args(["--database-url", &url]).current_dir(folder);
    command.env("TMPDIR", folder);
    let output = output(command).await;
    let report = serde_json::from_slice(&output.stdout);
    report.unwrap_or_else(|_| panic!("{}", text(&output.stderr)))
}

async fn a_recorded_pair_that_loses_an_update_is_found_without_the_application(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    for _ in 0..2 {
        let mut application = recorded.application().await;
        application.withdraw("").await;
        application.leave().await;
    }
    let (status, shown, said) = recorded.end("INT");
    assert_eq!(status, Some(0), "{said}");
    let select = "SELECT balance FROM wallet WHERE id = 1 → 250\n";
    assert!(shown.contains(select), "{shown}");
    assert!(
        said.contains("recorded 2 clients, and wrote pair.toml\n"),
        "{said}"
    );
    assert!(
        said.ends_with("explore it: racy explore pair.toml\n"),
        "{said}"
    );
    let file = recorded.file();
    let script = "count = 2\nscript = '''\nBEGIN;\n\
                  SELECT balance FROM wallet WHERE id = 1; \\gset\n\
                  -- 250 was read, and 190 was sent: in all recordings this is what was read - 60\n\
                  UPDATE wallet SET balance = :balance - 60 WHERE id = 1;\nCOMMIT;\n";
    assert!(file.contains(script), "{file}");
    let rows = "VALUES\n  (1, 250),\n  (2, 0);\n";
    assert!(file.contains(rows) && !file.contains("unrelated"), "{file}");
    let report = recorded.explore(engine).await;
    let expected = json!([{ "exhaustive": true, "refused": [] }]);
    assert_includes(&report["findings"], &expected);
    let lost = report["findings"][0]["anomalies"]["not_serial"].as_u64();
    assert!(lost.is_some_and(|it| it > 0), "{report}");
}

async fn a_recorded_pair_that_locks_holds(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    for _ in 0..2 {
        let mut application = recorded.application().await;
        application.withdraw(" FOR UPDATE").await;
        application.leave().await;
    }
    let (status, _, said) = recorded.end("TERM");
    assert_eq!(status, Some(0), "{said}");
    let report = recorded.explore(engine).await;
    let expected = json!([{
        "exhaustive": true,
        "anomalies": { "not_serial": 0, "failed": 0 },
    }]);
    assert_includes(&report["findings"], &expected);
}

async fn a_generated_key_comes_back_as_a_variable(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    for _ in 0..2 {
        let mut application = recorded.application().await;
        let insert = "INSERT INTO transfer (wallet, amount) VALUES (?, ?)";
        let key = application.insert(insert, &[1, 60]).await;
        let fee = "INSERT INTO fee (transfer_id, amount) VALUES (?, ?)";
        application.change(fee, &[key, 1]).await;
        application.leave().await;
    }
    let (status, _, said) = recorded.end("INT");
    assert_eq!(status, Some(0), "{said}");
    let file = recorded.file();
    let script = match engine {
        TestEngine::Postgres => {
            "INSERT INTO transfer (wallet, amount) VALUES (1, 60) RETURNING id; \\gset\n\
             INSERT INTO fee (transfer_id, amount) VALUES (:id, 1);\n"
        }
        _ => {
            "INSERT INTO transfer (wallet, amount) VALUES (1, 60);\n\
             SELECT LAST_INSERT_ID() AS new_id; \\gset\n\
             INSERT INTO fee (transfer_id, amount) VALUES (:new_id, 1);\n"
        }
    };
    assert!(file.contains(script), "{file}");
    let report = recorded.explore(engine).await;
    let expected = json!([{ "exhaustive": true, "anomalies": { "not_serial": 0, "failed": 0 } }]);
    assert_includes(&report["findings"], &expected);
}

async fn a_branch_is_told(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    let query = "SELECT balance FROM wallet WHERE id = ?";
    let mut application = recorded.application().await;
    application.run("BEGIN").await;
    assert_eq!(application.read(query).await, 250);
    application
        .run("UPDATE wallet SET balance = balance - 200 WHERE id = 1")
        .await;
    application.run("COMMIT").await;
    application.leave().await;
    let mut application = recorded.application().await;
    application.run("BEGIN").await;
    assert_eq!(application.read(query).await, 50);
    application.run("ROLLBACK").await;
    application.leave().await;
    let (status, _, said) = recorded.end("INT");
    assert_eq!(status, Some(0), "{said}");
    let told = "statement 2 was answered 250 here and 50 there";
    assert!(
        said.contains("cannot be right: another client began alike"),
        "{said}"
    );
    assert!(said.contains(told), "{said}");
    assert!(
        recorded
            .file()
            .contains("\n-- cannot be right: another client began alike")
    );
}

async fn a_recording_that_is_ended_in_a_transaction_is_written_and_says_so(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    let mut application = recorded.application().await;
    application.run("BEGIN").await;
    application
        .run("UPDATE wallet SET balance = balance - 1 WHERE id = 1")
        .await;
    let (status, _, said) = recorded.end("TERM");
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.contains("cannot be right: the recording ended in a transaction"),
        "{said}"
    );
    let file = recorded.file();
    let script = "BEGIN;\n-- cannot be right: the recording ended in a transaction, after";
    assert!(file.contains(script), "{file}");
    let left = std::fs::read_dir(recorded.folder.path()).unwrap().count();
    assert_eq!(left, 1, "nothing is left but the file");
}

async fn values_are_hidden(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &["--hide-values"]).await;
    let mut application = recorded.application().await;
    application.withdraw("").await;
    application.leave().await;
    let (status, shown, said) = recorded.end("INT");
    assert_eq!(status, Some(0), "{said}");
    assert!(
        shown.contains("SELECT balance FROM wallet WHERE id = ? → 1 row\n"),
        "{shown}"
    );
    for value in ["250", "190"] {
        assert!(
            !shown.contains(value) && !said.contains(value),
            "{shown}{said}"
        );
    }
    assert!(recorded.file().contains("(1, 250)"));
}

async fn nothing_is_written_if_nothing_came(engine: TestEngine) {
    let mut recorded = Recorded::start(engine, &[]).await;
    let mut application = recorded.application().await;
    application.run("SELECT 1").await;
    application.leave().await;
    let (status, _, said) = recorded.end("INT");
    assert_eq!(status, Some(2), "{said}");
    let nothing = "racy: nothing was recorded: no statement came that a scenario needs\n";
    assert!(said.ends_with(nothing), "{said}");
    let left = std::fs::read_dir(recorded.folder.path()).unwrap().count();
    assert_eq!(left, 0);
}

async fn nothing_is_overwritten_unless_that_is_asked_for(engine: TestEngine) {
    let lab = engine.lab().await;
    let folder = open_folder();
    let file = folder.path().join("pair.toml");
    std::fs::write(&file, "mine").unwrap();
    let url = lab.url(engine);
    let mut command = racy(&["proxy", "--database-url", &url, "--record", "pair.toml"]);
    command.current_dir(folder.path());
    let refused = output(command).await;
    assert_eq!(refused.status.code(), Some(2));
    let said = text(&refused.stderr);
    assert_eq!(
        said,
        "racy: pair.toml is there already: --force overwrites it\n"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");

    let mut recorded = Recorded::start_in(engine, folder, &["--force"]).await;
    let mut application = recorded.application().await;
    application.withdraw("").await;
    application.leave().await;
    assert_eq!(recorded.end("INT").0, Some(0));
    assert!(
        recorded
            .file()
            .starts_with("# Recorded by `racy proxy` on ")
    );
}
