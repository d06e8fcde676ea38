//! `racy proxy`: stands before a database server, shows what is sent, and records it as a scenario.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::database::EngineOptions;
use super::signals::Signals;
use super::terminal::{complain, print};
use super::times::positive_duration;
use super::{CommandResult, FAILED, log};
use crate::engine::choice::{self, Lifetime, OpenDatabase};
use crate::engine::{ConnectionId, Excerpt, Settings, Upstream};
use crate::proxy::{Heard, Known, Proxy, TurnSettings};
use crate::scenarios::Options;
use crate::traffic::{Each, Listing, News, Nothing, Recorder, Recording, Written};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Proxy")]
pub(super) struct Args {
    /// Where to listen: an IP address and a port. Port 0 is any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Write what was sent as a scenario file when the proxy ends.
    ///
    /// The last two clients that have changed something are in it, and the tables that they name,
    /// as they were when the proxy began. What other clients have changed before is a part of the
    /// set-up, and so is a client that makes, changes or drops tables. The file holds values and
    /// rows.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,

    /// Overwrite the file if it is there.
    #[arg(long, requires = "record")]
    force: bool,

    /// What one client is.
    #[arg(long, value_name = "WHAT", default_value = "pause")]
    each: EachOption,

    /// How long nothing has to come between two clients, with --each pause.
    #[arg(long, value_name = "TIME", default_value = "300ms", value_parser = positive_duration)]
    pause: Duration,

    /// How many clients are in the file at most.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 2,
        requires = "record",
        value_parser = clap::value_parser!(u8).range(1..=8)
    )]
    clients: u8,

    /// How many rows of a table are in the file at most.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 200,
        requires = "record",
        value_parser = clap::value_parser!(u32).range(1..=10_000)
    )]
    rows: u32,

    /// Show no values, neither those that are sent nor those that are read. The file has them.
    #[arg(long)]
    hide_values: bool,

    #[command(flatten)]
    engine: EngineOptions,
}

/// What one client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum EachOption {
    /// What came between two pauses, on whatever connection: a request. Connections that were at
    /// work at once are clients of their own.
    Pause,
    /// A connection, from its first statement to its last.
    Connection,
    /// What came on a connection up to the end of a transaction.
    Transaction,
}

/// No more statements are kept.
const MOST_STATEMENTS: usize = 100_000;

impl Args {
    pub(super) async fn run(self, mut signals: Signals) -> CommandResult {
        log::start_for_people()?;
        self.check_file()?;
        let url = self.engine.database_url()?;
        // What clients begin with is the server's own level.
        let settings = Settings {
            isolation: None,
            ..self.engine.settings()
        };
        let opening = choice::open_as_it_is(url.as_ref(), Lifetime::Kept, &settings, &complain);
        let mut opened = tokio::select! {
            opened = opening => opened?,
            exit_code = signals.nth(1) => return Ok(exit_code),
        };
        let served = self.serve(&mut opened, &mut signals).await;
        let closed = opened.close().await;
        let exit_code = served?;
        closed?;
        Ok(exit_code)
    }

    /// Refuses a file that could not be written at the end.
    fn check_file(&self) -> Result<(), Box<dyn Error>> {
        let Some(path) = &self.record else {
            return Ok(());
        };
        if path.exists() && !self.force {
            let path = path.display();
            return Err(format!("{path} is there already: --force overwrites it").into());
        }
        NamedTempFile::new_in(folder_of(path)).map_err(|error| unwritable(path, &error))?;
        Ok(())
    }

    async fn serve(&self, opened: &mut OpenDatabase, signals: &mut Signals) -> CommandResult {
        let database = &opened.database;
        let upstream = database.upstream()?;
        let engine = database.engine().clone();
        let tables = match &self.record {
            None => Ok(Excerpt::default()),
            Some(_) => {
                let tables = database.excerpt(self.rows as usize).await;
                tables.map_err(|fault| fault.to_string())
            }
        };
        let settings = TurnSettings {
            flavour: engine.flavour,
            level: engine.isolation,
            autocommit: database.autocommit_of_new_sessions().await?,
            settle: Options::SETTLE,
            hides_values: self.hide_values,
            commits_are_watched: false,
            splits_commits: false,
        };
        let server = upstream.server.clone();
        let known = Arc::<Known>::default();
        // A recording is of one database. A client of another one is turned away.
        let only = self.record.as_ref().map(|_| upstream.database.clone());
        let proxy = Proxy::open(self.listen, server, only, settings, known).await;
        let proxy = proxy.map_err(|error| {
            let listen = self.listen;
            format!("the proxy cannot listen on {listen}: {error}; --listen names another address")
        })?;
        let (recorder, mut news) = Recorder::new();
        proxy.turns().tell(Arc::new(recorder));
        self.say_where(&proxy, opened, &upstream);
        let mut told = Told {
            listing: Listing::new(engine.flavour, self.each(), self.hide_values),
            is_kept: self.record.is_some(),
            heard: Vec::new(),
            unseen: Vec::new(),
            under_way: BTreeMap::new(),
        };
        tokio::select! {
            ended = told.follow(&mut news) => ended?,
            // This is how the command normally ends.
            _ = signals.nth(1) => {}
            () = opened.server_ended() => complain("the server has ended"),
        }
        for said in proxy.refusals().into_iter().chain(proxy.remarks()) {
            complain(&said);
        }
        drop(proxy);
        while let Ok(one) = news.try_recv() {
            told.take(one)?;
        }
        let under_way: Vec<_> = told.under_way.into_iter().collect();
        let Some(path) = &self.record else {
            return Ok(ExitCode::SUCCESS);
        };
        let recording = Recording {
            heard: &told.heard,
            each: self.each(),
            clients: usize::from(self.clients),
            engine: engine.to_string(),
            flavour: engine.flavour,
            level: engine.isolation,
            database: &upstream.database,
            tables: tables.as_ref().map_err(String::as_str),
            unseen: &told.unseen,
            under_way: &under_way,
        };
        self.write(path, recording.write())
    }

    fn each(&self) -> Each {
        match self.each {
            EachOption::Pause => Each::Pause(self.pause),
            EachOption::Connection => Each::Connection,
            EachOption::Transaction => Each::Transaction,
        }
    }

    fn say_where(&self, proxy: &Proxy, opened: &OpenDatabase, upstream: &Upstream) {
        let address = proxy.address();
        let place = &upstream.server;
        let engine = opened.database.engine();
        // The password of a private server is nobody's secret.
        let url = if opened.is_private() {
            upstream.url_through(address)
        } else {
            upstream.url_to_fill_in(address)
        };
        complain(&format!(
            "the proxy listens on {address}, in front of {engine}, at {place}"
        ));
        complain(&format!("point the application at it, without TLS: {url}"));
        match &self.record {
            Some(path) => complain(&format!("Ctrl-C ends it, and writes {}", path.display())),
            None => complain("Ctrl-C ends it"),
        }
    }

    fn write(&self, path: &Path, written: Result<Written, Nothing>) -> CommandResult {
        let written =
            written.map_err(|nothing| format!("nothing was recorded: {}", nothing.in_words()))?;
        self.write_file(path, &written.text)
            .map_err(|error| unwritable(path, &error))?;
        let count = written.recorded;
        let clients = if count == 1 { "client" } else { "clients" };
        let path_shown = path.display();
        complain(&format!(
            "recorded {count} {clients}, and wrote {path_shown}"
        ));
        if self.hide_values && written.cannot_be_right {
            complain("it cannot be right at some places: its first lines say where");
        } else if !self.hide_values {
            for doubt in &written.doubts {
                complain(doubt);
            }
        }
        if let Some(mistake) = written.mistake(&path_shown.to_string()) {
            complain(&format!(
                "it has to be edited before it can be explored: {mistake}"
            ));
            return Ok(ExitCode::from(FAILED));
        }
        if written.cannot_run {
            complain("it has to be edited before it can be explored: its first lines say where");
            return Ok(ExitCode::from(FAILED));
        }
        complain(&format!("explore it: racy explore {path_shown}"));
        Ok(ExitCode::SUCCESS)
    }

    /// Writes the whole file or none.
    fn write_file(&self, path: &Path, text: &str) -> io::Result<()> {
        let mut file = NamedTempFile::new_in(folder_of(path))?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        if self.force {
            file.persist(path)?;
        } else {
            file.persist_noclobber(path)?;
        }
        Ok(())
    }
}

/// What the proxy has told.
struct Told {
    listing: Listing,
    /// Whether statements are kept for a file.
    is_kept: bool,
    heard: Vec<Heard>,
    unseen: Vec<String>,
    /// The statement of each connection that is not answered yet.
    under_way: BTreeMap<ConnectionId, String>,
}

impl Told {
    /// Takes what comes, for ever.
    async fn follow(&mut self, news: &mut mpsc::UnboundedReceiver<News>) -> io::Result<()> {
        while let Some(one) = news.recv().await {
            self.take(one)?;
        }
        Ok(())
    }

    fn take(&mut self, news: News) -> io::Result<()> {
        match news {
            News::LostSight(connection, why) => {
                let words = format!("connection {connection}: {why}");
                complain(&format!("its statements are not seen any more: {words}"));
                self.unseen.push(words);
            }
            News::Came(connection, text) => {
                self.under_way.insert(connection, text);
            }
            News::Statement(heard) => {
                self.under_way.remove(&heard.connection);
                print(&self.listing.lines(&heard))?;
                if self.is_kept && self.heard.len() < MOST_STATEMENTS {
                    self.heard.push(*heard);
                } else if self.is_kept {
                    self.is_kept = false;
                    let words = format!("no more than {MOST_STATEMENTS} statements are kept");
                    complain(&words);
                    self.unseen.push(words);
                }
            }
        }
        Ok(())
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Box<dyn Error> {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{path} is there already: --force overwrites it").into()
        }
        // The error itself names a temporary file.
        io::ErrorKind::NotFound => {
            format!("{path} cannot be written: its folder is not there").into()
        }
        kind => format!("{path} cannot be written: {kind}").into(),
    }
}
