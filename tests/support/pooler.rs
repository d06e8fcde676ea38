//! A PgBouncer before the private PostgreSQL server.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use racy::engine::local::LocalServer;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

use super::process::signal;
use super::{open_folder, until};

/// A pooler that runs until it is dropped.
#[derive(Debug)]
pub struct Pooler {
    process: Child,
    folder: TempDir,
}

impl Pooler {
    /// Starts one in this mode, `transaction` or `session`. It ignores what a client asks for at
    /// the start of its connection, as many are told to.
    pub async fn start(server: &LocalServer, mode: &str) -> Self {
        Self::start_with(server, mode, "").await
    }

    /// Starts one in this mode, with another line in its settings.
    pub async fn start_with(server: &LocalServer, mode: &str, setting: &str) -> Self {
        let socket = server.socket();
        let owner = fs::metadata(socket).unwrap();
        let folder = open_folder();
        chown(folder.path(), Some(owner.uid()), Some(owner.gid())).unwrap();
        let settings = folder.path().join("pgbouncer.ini");
        let ini = ini(socket.parent().unwrap(), folder.path(), mode);
        fs::write(&settings, format!("{ini}{setting}\n")).unwrap();
        let mut command = Command::new(program());
        // Started by root, it wants to be told as whom to run.
        if owner.uid() != fs::metadata(&settings).unwrap().uid() {
            command.args(["-u", &name_of(owner.uid())]);
        }
        command.arg("-q").arg(&settings).stdin(Stdio::null());
        let process = command.stderr(Stdio::null()).spawn().unwrap();
        let pooler = Self { process, folder };
        until("the pooler answers", || async {
            pooler.options("postgres").connect().await.is_ok()
        })
        .await;
        pooler
    }

    /// The URL by which a program reaches this database through it.
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.path().to_string_lossy().replace('/', "%2F");
        format!("postgres://postgres@localhost:6432/{database}?host={folder}&sslmode=disable")
    }

    /// Stops it as it is: its connections stay open, and nothing is answered any more.
    pub fn freeze(&self) {
        signal("STOP", &self.process);
    }

    pub fn options(&self, database: &str) -> PgConnectOptions {
        self.url(database).parse().unwrap()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn ini(server: &Path, folder: &Path, mode: &str) -> String {
    format!(
        "[databases]\n* = host={} port=5432 user=postgres\n\
         [pgbouncer]\nlisten_addr=\nlisten_port=6432\nunix_socket_dir={}\nauth_type=any\npool_mode={mode}\ndefault_pool_size=20\n\
         ignore_startup_parameters=extra_float_digits,options\n",
        server.display(),
        folder.display()
    )
}

/// The program that `tools/get-pgbouncer` fetches, or one that `RACY_PGBOUNCER` names. A machine
/// without one fails the test: nothing is skipped.
fn program() -> PathBuf {
    if let Some(named) = env::var_os("RACY_PGBOUNCER") {
        return named.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.filter(|it| it.is_absolute());
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let fetched = cache.unwrap().join("racy/pgbouncer/bin/pgbouncer");
    assert!(
        fetched.exists(),
        "there is no PgBouncer: run tools/get-pgbouncer"
    );
    fetched
}

fn name_of(user: u32) -> String {
    let id = Command::new("id").args(["-nu", &user.to_string()]).output();
    String::from_utf8(id.unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned()
}
