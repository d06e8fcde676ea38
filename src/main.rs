//! The command line: wiring only.

use std::env;
use std::error::Error;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use racy::config::{EngineOptions, LogFormat, ServiceOptions};
use racy::demo::{self, Showing};
use racy::engine::choice::{self, Lifetime, Opened};
use racy::http::{self, Service};
use racy::step::Unobserved;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
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
    /// Show every strategy: ten deposits released together, and what became of the money.
    ///
    /// It opens five accounts of its own in the database. The exit status is 0, or 1 where a strategy
    /// that must be safe lost something, or 2 where the demo could not be given.
    Demo(DemoCommand),
    /// Serve the deposit endpoints over HTTP until Ctrl-C or SIGTERM.
    ///
    /// Deposits in flight are finished first; a second Ctrl-C or SIGTERM does not wait for them.
    Serve(ServeCommand),
    /// Bring a database's schema up to date, and end. The other commands do it as well.
    Migrate(MigrateCommand),
}

#[derive(Debug, Args)]
struct DemoCommand {
    /// Print the facts as JSON, an array with one object per strategy.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    engine: EngineOptions,
}

#[derive(Debug, Args)]
struct ServeCommand {
    #[command(flatten)]
    engine: EngineOptions,

    #[command(flatten)]
    service: ServiceOptions,
}

#[derive(Debug, Args)]
struct MigrateCommand {
    #[command(flatten)]
    engine: EngineOptions,
}

type Ended = Result<ExitCode, Box<dyn Error>>;

const FAILED: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match arguments().command {
        Command::Serve(command) => serve(command).await,
        Command::Demo(command) => unless_stopped(show(command)).await,
        Command::Migrate(command) => unless_stopped(migrate(command)).await,
    };
    ended.unwrap_or_else(|error| {
        eprintln!("racy: {error}");
        ExitCode::from(FAILED)
    })
}

/// An environment variable that is set to nothing counts as not set: Compose files cannot leave one
/// out.
fn arguments() -> Arguments {
    let command = Arguments::command().mut_subcommands(|command| {
        command.mut_args(|argument| {
            let value = argument.get_env().and_then(env::var_os);
            match value.is_some_and(|value| value.is_empty()) {
                true => argument.env(None::<&str>),
                false => argument,
            }
        })
    });
    let matches = command.get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Drops the work when the signal to stop comes, and with it the private server it may have
/// started.
async fn unless_stopped(work: impl Future<Output = Ended>) -> Ended {
    tokio::select! {
        ended = work => ended,
        exit_code = stop_signal() => Ok(exit_code),
    }
}

/// Done at the next Ctrl-C or SIGTERM; with the exit status by which shells tell the two.
async fn stop_signal() -> ExitCode {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => ExitCode::from(130),
        () = terminated => ExitCode::from(143),
    }
}

async fn show(command: DemoCommand) -> Ended {
    start_log(LogFormat::Text, "warn");
    let opened = open(&command.engine, Lifetime::Temporary, &|line| {
        eprintln!("{line}");
    })
    .await?;
    eprintln!();
    let shown = demo::run(&opened.database).await;
    let engine = demo::Ground::of(&opened.database);
    // A private server that has ended says why, and that is the better explanation.
    opened.close().await?;
    let showings = shown.map_err(|error| error.to_string())?;
    print(&if command.json {
        format!("{}\n", serde_json::to_string_pretty(&showings)?)
    } else {
        demo::text(&showings, &engine)
    })?;
    Ok(match showings.iter().any(Showing::broke_its_promise) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

async fn migrate(command: MigrateCommand) -> Ended {
    start_log(LogFormat::Text, "warn");
    let opened = open(&command.engine, Lifetime::Kept, &|line| eprintln!("{line}")).await?;
    opened.close().await?;
    print("The schema is up to date.\n")?;
    Ok(ExitCode::SUCCESS)
}

/// Beyond the time for which a client is kept waiting, nobody is there for whom to finish a request.
const SHUTDOWN_SLACK: Duration = Duration::from_secs(5);

async fn serve(command: ServeCommand) -> Ended {
    start_log(command.service.log_format, "info");
    let listen = command.service.listen;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}; --listen takes another"))?;

    let opening = open(&command.engine, Lifetime::Kept, &|line| {
        tracing::info!("{line}");
    });
    let mut opened = tokio::select! {
        opened = opening => opened?,
        exit_code = stop_signal() => {
            tracing::info!("stopped before the database was open");
            return Ok(exit_code);
        }
    };
    warn_of_a_pool_that_does_not_fit(&command, &opened);

    let service = Service::new(
        opened.database.clone(),
        &command.service.settings(),
        Arc::new(Unobserved),
    );
    let address = listener.local_addr()?;
    tracing::info!("listening on http://{address}, documentation at /docs");
    let requests = service.requests();
    let (stopping, stopped) = oneshot::channel();

    let serve_to_the_end = async move {
        let stop = async {
            tokio::select! {
                _ = stop_signal() => tracing::info!("stopping; a second signal does not wait for requests in flight"),
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
        tokio::select! {
            () = sleep(limit) => {}
            _ = stop_signal() => {}
        }
    };
    tokio::select! {
        closed = serve_to_the_end => closed?,
        () = lose_patience => tracing::warn!("{} requests were not finished", requests.len()),
    }
    Ok(ExitCode::SUCCESS)
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

fn start_log(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}

fn warn_of_a_pool_that_does_not_fit(command: &ServeCommand, opened: &Opened) {
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
    if let Some(most) = opened.database.most_connections()
        && most < i64::from(connections)
    {
        tracing::warn!(
            "--db-connections is {connections}, but the server allows no more than {most}: beyond, \
             requests will be refused"
        );
    }
}
