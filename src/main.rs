//! The command line: wiring only.

mod commands {
    //! The commands that need more than wiring.

    pub(super) mod keeper;
}

use std::env;
use std::error::Error;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::{self, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use commands::keeper::{KeeperCommand, Unanswered};
use indicatif::{ProgressBar, ProgressStyle};
use racy::config::{
    DatabaseOptions, EngineOptions, ExploreOptions, ListenOption, LogFormat, ServiceOptions,
    WatchOptions,
};
use racy::demo::{self, Exhibits, Showing};
use racy::descriptors::{self, Share};
use racy::engine::Database;
use racy::engine::choice::{self, Lifetime, Opened};
use racy::exhibits::orders::consumer;
use racy::explore::{Stop, Tally};
use racy::http::{self, Service};
use racy::step::Unobserved;
use racy::survey::{self, Survey};
use racy::watch::Screen;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing_subscriber::EnvFilter;

/// A laboratory of race conditions: a service in which money gets lost on purpose.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show every strategy: ten requests released together, and what became of what they raced for.
    ///
    /// For each it opens an account or a book of its own in the database. The exit status is 0, or 1 where something
    /// went wrong with a strategy that must be safe, or 2 where the demo could not be given.
    Demo(DemoCommand),
    /// Serve the deposit endpoints over HTTP until Ctrl-C or SIGTERM.
    ///
    /// Deposits in flight are finished first; a second Ctrl-C or SIGTERM does not wait for them.
    Serve(ServeCommand),
    /// Run every schedule of a strategy's clients, step by step on the real engine, and count how each
    /// ends.
    ///
    /// It runs the functions that serve requests, in databases (MySQL, MariaDB), schemas
    /// (PostgreSQL) or files (SQLite) of its own, named racy_explore_… and racy_lane_…, which it
    /// removes afterwards. The exit status is 0, or 1 where a strategy that must be safe lost
    /// something. It is 2 where something could not be run to its end, or where the engine does not
    /// show which clients wait for a lock. Ctrl-C prints what was found so far.
    Explore(ExploreCommand),
    /// Show live how the strategies of a running service fare: what its /metrics says, again and again.
    ///
    /// Of each interval, a line per strategy: requests and applied deposits per second; conflict,
    /// the share of the requests that were answered with 409; retries per request; and the time
    /// within which half of them, and 99 of 100, were answered. On a terminal the picture is
    /// redrawn, into a pipe lines are appended. Ctrl-C ends it, as does the end of the terminal or
    /// of the pipe's reader, with exit status 0.
    Watch(WatchCommand),
    /// The other side of the orders: what reads them.
    #[command(subcommand)]
    Orders(OrdersCommand),
    #[command(flatten)]
    Keeper(KeeperCommand),
    /// Bring a database's schema up to date, and end. Commands that work on your data do it as
    /// well.
    Migrate(MigrateCommand),
    /// Ask the service on this host whether it can do its work, as a container's health check does.
    ///
    /// The exit status is 0 where it can, and 1 where it cannot or does not answer.
    Healthcheck(HealthcheckCommand),
}

#[derive(Debug, Args)]
struct DemoCommand {
    /// What they race for.
    #[arg(value_enum, default_value_t)]
    exhibits: Exhibits,

    /// Print the facts as JSON, an array with one object per strategy.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    engine: EngineOptions,
}

#[derive(Debug, Args)]
struct ServeCommand {
    #[command(flatten)]
    database: DatabaseOptions,

    #[command(flatten)]
    service: ServiceOptions,
}

#[derive(Debug, Args)]
struct ExploreCommand {
    /// The strategies to explore [default: all].
    #[arg(value_name = "STRATEGY", value_parser = PossibleValuesParser::new(survey::names()))]
    strategies: Vec<String>,

    #[command(flatten)]
    options: ExploreOptions,

    #[command(flatten)]
    engine: EngineOptions,
}

#[derive(Debug, Args)]
struct WatchCommand {
    #[command(flatten)]
    options: WatchOptions,
}

#[derive(Debug, Subcommand)]
enum OrdersCommand {
    /// Ship what waits in a book, once: read the heads that are not processed, for each its lines, and mark it.
    Process(ProcessCommand),
}

#[derive(Debug, Args)]
struct ProcessCommand {
    /// The book.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(i64).range(1..))]
    book: i64,

    #[command(flatten)]
    database: DatabaseOptions,
}

#[derive(Debug, Args)]
struct MigrateCommand {
    #[command(flatten)]
    engine: EngineOptions,
}

#[derive(Debug, Args)]
struct HealthcheckCommand {
    #[command(flatten)]
    listening: ListenOption,
}

type Ended = Result<ExitCode, Box<dyn Error>>;

const FAILED: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    run(arguments().command).await.unwrap_or_else(|error| {
        complain(&format!("racy: {error}"));
        ExitCode::from(FAILED)
    })
}

async fn run(command: Command) -> Ended {
    let signals = Signals::count()?;
    match command {
        Command::Serve(command) => serve(command, signals).await,
        Command::Demo(command) => unless_stopped(signals, show(command)).await,
        Command::Explore(command) => explore(command, signals).await,
        Command::Watch(command) => watch(command, signals).await,
        Command::Keeper(command) => {
            let command = answered(command, signals.clone()).await?;
            unless_stopped(signals, keep(command)).await
        }
        Command::Orders(OrdersCommand::Process(command)) => {
            unless_stopped(signals, process_orders(command)).await
        }
        Command::Migrate(command) => unless_stopped(signals, migrate(command)).await,
        Command::Healthcheck(command) => unless_stopped(signals, check_health(command)).await,
    }
}

fn arguments() -> Arguments {
    let command = without_empty_variables(Arguments::command());
    let matches = command.try_get_matches();
    let arguments = matches.and_then(|matches| Arguments::from_arg_matches(&matches));
    arguments.unwrap_or_else(|error| make_requests::without_credentials(error).exit())
}

/// An environment variable that is set to nothing counts as not set: Compose files cannot leave one
/// out.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| {
        let value = argument.get_env().and_then(env::var_os);
        match value.is_some_and(|value| value.is_empty()) {
            true => argument.env(None::<&str>),
            false => argument,
        }
    });
    command.mut_subcommands(without_empty_variables)
}

/// Drops the work when the signal to stop comes, and with it the private server it may have
/// started.
async fn unless_stopped(mut signals: Signals, work: impl Future<Output = Ended>) -> Ended {
    tokio::select! {
        ended = work => ended,
        exit_code = signals.nth(1) => Ok(exit_code),
    }
}

/// The Ctrl-Cs and SIGTERMs since the start, so that none is lost while nobody waits for one.
#[derive(Debug, Clone)]
struct Signals(watch::Receiver<(usize, u8)>);

impl Signals {
    /// Counts from now on. Signals no longer end the process by themselves.
    fn count() -> io::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let (counter, count) = watch::channel((0, 0));
        tokio::spawn(async move {
            loop {
                // The exit statuses by which shells tell the two.
                let status = tokio::select! {
                    _ = interrupts.recv() => 130,
                    _ = terminations.recv() => 143,
                };
                counter.send_modify(|(number, last)| (*number, *last) = (*number + 1, status));
            }
        });
        Ok(Self(count))
    }

    /// Done when there have been so many; with the exit status that the last one asks for.
    async fn nth(&mut self, number: usize) -> ExitCode {
        ExitCode::from(self.nth_status(number).await)
    }

    async fn nth_status(&mut self, number: usize) -> u8 {
        match self.0.wait_for(|(so_far, _)| *so_far >= number).await {
            Ok(count) => count.1,
            // The counting task ends with the runtime only.
            Err(_) => std::future::pending().await,
        }
    }
}

async fn show(command: DemoCommand) -> Ended {
    start_log(LogFormat::Text, "warn")?;
    let opened = open(&command.engine, Lifetime::Temporary, &|line| {
        complain(line);
    })
    .await?;
    complain("");
    let shown = demo::run(&opened.database, command.exhibits).await;
    let engine = demo::Ground::of(&opened.database);
    // A private server that has ended says why, and that is the better explanation.
    opened.close().await?;
    let showings = shown.map_err(|error| error.to_string())?;
    let broken = showings.iter().any(Showing::broke_its_promise);
    print(&if command.json {
        format!("{}\n", serde_json::to_string_pretty(&showings)?)
    } else {
        demo::text(showings, &engine)
    })?;
    Ok(match broken {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

async fn explore(command: ExploreCommand, mut signals: Signals) -> Ended {
    start_log(LogFormat::Text, "warn")?;
    let plan = command.options.plan(command.strategies.len())?;
    let all = command.strategies.is_empty();
    let survey = Survey {
        strategies: survey::subjects()
            .filter(|it| {
                all || command
                    .strategies
                    .iter()
                    .any(|name| survey::is_named(*it, name))
            })
            .collect(),
        plan,
        instances: command.options.instances.map(usize::from),
        parallel: command.options.parallel.into(),
        stop: &Stop::default(),
    };
    let mut stopped = signals.clone();
    let exploring = survey_and_print(&survey, &command);
    tokio::pin!(exploring);
    tokio::select! {
        ended = &mut exploring => ended,
        exit_code = stopped.nth(1) => {
            survey.stop.stop();
            complain(
                "stopping: the runs under way come to their end. A second signal does not wait for \
                 them, prints nothing, and on a server of yours leaves racy_explore_… or racy_lane_… \
                 behind",
            );
            tokio::select! {
                ended = exploring => ended.map(|_| exit_code),
                exit_code = signals.nth(2) => Ok(exit_code),
                () = sleep(COMES_TO_ITS_END) => {
                    complain(
                        "the runs under way do not come to their end: stopped without them. On a \
                         server of yours racy_explore_… or racy_lane_… may be left",
                    );
                    Ok(exit_code)
                }
            }
        }
    }
}

/// How long an exploration that is stopped may take to end. Waiting for a lock and making a lane
/// take far less; a database that does not answer may take for ever.
const COMES_TO_ITS_END: Duration = Duration::from_secs(20);

async fn survey_and_print(survey: &Survey<'_>, command: &ExploreCommand) -> Ended {
    let settings = survey::settings(&command.engine.settings());
    let url = command.engine.database_url()?;
    let bar = spinner();
    let progress = |strategy: &str, database: &Database, tally: &Tally| {
        bar.set_message(format!(
            "{strategy} on {}: {} schedules",
            database.engine(),
            tally.schedules
        ));
        bar.tick();
    };
    let say = |line: &str| bar.suspend(|| complain(line));
    let found = if command.options.matrix {
        survey
            .everywhere(url.as_ref(), &settings, &say, &progress)
            .await
    } else {
        let opened =
            choice::open_as_it_is(url.as_ref(), Lifetime::Temporary, &settings, &say).await?;
        let mut found = survey.beside(&opened, &say, &progress).await;
        if let Err(error) = opened.close().await {
            // A private server that has ended says why, and that is the better explanation.
            found.trouble = Some(error.into());
        }
        found
    };
    bar.finish_and_clear();
    print(&command.options.render(&found)?)?;
    for missing in &found.missing {
        complain(&format!("not run: {missing}"));
    }
    if found.is_empty() && !survey.stop.is_stopped() && found.trouble.is_none() {
        return Err("nothing was explored: no engine that is here has that isolation level".into());
    }
    if let Some(trouble) = &found.trouble {
        return Err(trouble.to_string().into());
    }
    Ok(match survey::broke_a_promise(&found.findings) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

/// Turns on stderr, and only where somebody looks.
fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg}");
    ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

async fn watch(command: WatchCommand, mut signals: Signals) -> Ended {
    let mut screen = Screen::on_stdout();
    let watch = command.options.watch();
    let ended = tokio::select! {
        ended = watch.run(&mut screen) => ended,
        // There is no other end: nobody has stopped anything half way.
        _ = signals.nth(1) => Ok(()),
    };
    screen.leave();
    ended.map(|()| ExitCode::SUCCESS)
}

/// The command with answers to its questions. They are asked aside, because reading blocks; and where a
/// signal comes instead, nothing can be waited for: the process ends here, having put the terminal back as the
/// question for a password has found it.
async fn answered(
    command: KeeperCommand,
    mut signals: Signals,
) -> Result<KeeperCommand, Box<dyn Error>> {
    let terminal = stty(&["-g"]);
    let asked = tokio::task::spawn_blocking(move || command.ask());
    let end = |status| {
        if let Some(terminal) = &terminal {
            stty(&[terminal]);
            complain("");
        }
        process::exit(status)
    };
    tokio::select! {
        answered = asked => match answered? {
            Ok(answered) => Ok(answered),
            Err(Unanswered::Interrupted) => end(130),
            Err(Unanswered::Wrong(what)) => Err(what.into()),
        },
        status = signals.nth_status(1) => end(status.into()),
    }
}

/// What the terminal on standard input answers; none where there is none.
fn stty(arguments: &[&str]) -> Option<String> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let mut stty = process::Command::new("stty");
    let output = stty.args(arguments).stdin(Stdio::inherit()).output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

async fn keep(command: KeeperCommand) -> Ended {
    start_log(LogFormat::Text, "warn")?;
    print(&command.run(&complain).await?)?;
    Ok(ExitCode::SUCCESS)
}

async fn process_orders(command: ProcessCommand) -> Ended {
    start_log(LogFormat::Text, "warn")?;
    let opened = command.database.open(Lifetime::Kept, &complain).await?;
    let shipped = consumer::perform(&opened.database, command.book, &Unobserved).await;
    opened.close().await?;
    let shipped = shipped?;
    if shipped.is_empty() {
        print(&format!("Nothing waits in book {}.\n", command.book))?;
    }
    for order in shipped {
        let (id, customer, lines) = (order.order, order.customer_no, order.lines);
        print(&format!(
            "Shipped order {id} of customer {customer}, with {lines} lines.\n"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn migrate(command: MigrateCommand) -> Ended {
    start_log(LogFormat::Text, "warn")?;
    let opened = open(&command.engine, Lifetime::Kept, &complain).await?;
    opened.close().await?;
    print("The schema is up to date.\n")?;
    Ok(ExitCode::SUCCESS)
}

async fn check_health(command: HealthcheckCommand) -> Ended {
    Ok(match http::probe(command.listening.listen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    })
}

/// Beyond the time for which a client is kept waiting, nobody is there for whom to finish a request.
const SHUTDOWN_SLACK: Duration = Duration::from_secs(5);

async fn serve(mut command: ServeCommand, mut signals: Signals) -> Ended {
    start_log(command.service.log_format, "info")?;
    let listen = command.service.listening.listen;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}; --listen takes another"))?;

    let exports = command.service.export_folder()?;
    let share = share_files(&command);
    let kept = kept_connections(share.database);
    command.database.engine.db_connections = share.database - kept;
    let say = |line: &str| tracing::info!("{line}");
    let opening = command.database.open(Lifetime::Kept, &say);
    let mut opened = tokio::select! {
        opened = opening => opened?,
        exit_code = signals.nth(1) => {
            tracing::info!("stopped before the database was open");
            return Ok(exit_code);
        }
    };
    warn_of_a_pool_that_does_not_fit(&command, &opened, kept);

    let service = Service::new(
        opened.database.clone(),
        &command
            .service
            .settings(exports.clone(), share.clients, kept),
        Arc::new(Unobserved),
    );
    // Dropped with this function: a sweep is no request that somebody waits for.
    let mut upkeep = JoinSet::new();
    upkeep.spawn(command.service.janitor(exports).run());
    let address = listener.local_addr()?;
    tracing::info!("listening on http://{address}, documentation at /docs");
    let requests = service.requests();
    let (stopping, stopped) = oneshot::channel();
    let mut first_signal = signals.clone();

    let serve_to_the_end = async move {
        let stop = async {
            tokio::select! {
                _ = first_signal.nth(1) => tracing::info!("stopping; a second signal does not wait for requests in flight"),
                () = opened.server_ended() => tracing::error!("the private server is gone: stopping"),
            }
            // Nobody listens any more only where nobody waits for the end either.
            let _ = stopping.send(());
        };
        http::serve(listener, service, stop).await;
        opened.close().await
    };
    let lose_patience = async {
        let _ = stopped.await;
        let limit = command.service.request_timeout + SHUTDOWN_SLACK;
        let exit_code = tokio::select! {
            () = sleep(limit) => ExitCode::from(FAILED),
            exit_code = signals.nth(2) => exit_code,
        };
        tracing::warn!("{} requests were not finished", requests.len());
        exit_code
    };
    tokio::select! {
        closed = serve_to_the_end => closed.map(|()| ExitCode::SUCCESS).map_err(Into::into),
        exit_code = lose_patience => Ok(exit_code),
    }
}

/// Sees to it that there are no more connections than there may be open files.
fn share_files(command: &ServeCommand) -> Share {
    let wanted = Share {
        database: command.database.engine.db_connections,
        clients: command.service.client_connections,
    };
    let files = descriptors::raise_to(wanted.files());
    let share = wanted.limited_to(files);
    if share != wanted {
        tracing::warn!(
            "only {files} files may be open: there are at most {} connections of clients and {} to the \
             database; ulimit -n allows more",
            share.clients,
            share.database
        );
    }
    share
}

/// How many connections to the database are kept for the keeper, health and metrics, so that
/// deposits do not take them all.
fn kept_connections(all: u32) -> u32 {
    (all / 4).min(3)
}

async fn open(
    options: &EngineOptions,
    lifetime: Lifetime,
    say: &(dyn Fn(&str) + Sync),
) -> Result<Opened, Box<dyn Error>> {
    let url = options.database_url()?;
    Ok(choice::open(url.as_ref(), lifetime, &options.settings(), say).await?)
}

/// Writes to standard output. A reader that has seen enough and left is no error.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a line to standard error. If nobody reads it, there is nobody to tell.
fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn start_log(format: LogFormat, level: &str) -> Result<(), String> {
    let wanted = env::var("RUST_LOG")
        .ok()
        .filter(|wanted| !wanted.is_empty());
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or(level))
        .map_err(|error| format!("RUST_LOG: {error}; give a level, e.g. info or racy=debug"))?;
    let colours =
        io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|it| it.is_empty());
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        // It would report a reader that has left to that same reader.
        .log_internal_errors(false)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
    Ok(())
}

fn warn_of_a_pool_that_does_not_fit(command: &ServeCommand, opened: &Opened, kept: u32) {
    let connections = opened.database.connections();
    match command.service.workers {
        Some(workers) if (connections as usize) < workers => tracing::warn!(
            "{connections} database connections for {workers} workers: requests will queue for a \
             connection instead of racing; --db-connections allows more"
        ),
        Some(_) => {}
        None => tracing::info!(
            "up to {connections} requests meet in the database, further ones queue for a connection"
        ),
    }
    let all = connections + kept;
    if let Some(most) = opened.database.most_connections()
        && most <= i64::from(all)
    {
        tracing::warn!(
            "--db-connections is {all}, and the server allows no more than {most}: once all are open, \
             whoever else comes is refused, also the keeper's commands"
        );
    }
}
