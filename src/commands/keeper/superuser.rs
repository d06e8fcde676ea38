//! `racy createsuperuser`: creates a user who may sign in at `/admin`.

use std::env::{self, VarError};
use std::error::Error;
use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::process;

use super::{Report, report_on};
use crate::auth::{self, Password, Username};
use crate::commands::CommandResult;
use crate::commands::database::DatabaseOptions;
use crate::commands::signals::Signals;
use crate::commands::terminal::{TerminalMode, complain};
use crate::engine::Database;

#[derive(Debug, clap::Args)]
pub(in crate::commands) struct Args {
    /// The user's name: letters, digits and @ . + - _
    #[arg(long, value_name = "NAME")]
    username: Option<String>,

    /// Accept a password that is easy to guess.
    #[arg(long)]
    allow_weak: bool,

    #[command(flatten)]
    database: DatabaseOptions,
}

impl Args {
    pub(in crate::commands) async fn run(self, signals: Signals) -> CommandResult {
        let question = Question {
            username: self.username,
            allow_weak: self.allow_weak,
        };
        let credentials = ask_beside(question, signals.clone()).await?;
        let create = async |database: &Database| create(database, credentials).await;
        signals
            .unless_stopped(report_on(&self.database, create))
            .await
    }
}

async fn create(database: &Database, Credentials { username, password }: Credentials) -> Report {
    auth::create_superuser(database, &username, password).await?;
    Ok(format!("The user {username} may sign in.\n"))
}

/// The name and the password of a new user.
struct Credentials {
    username: Username,
    password: Password,
}

/// What is known before the terminal is asked.
struct Question {
    username: Option<String>,
    allow_weak: bool,
}

/// Why a question has no answer.
enum NoAnswer {
    /// Ctrl-C, which the prompt for a password reads as a character.
    Interrupted,
    /// What is wrong with the answer.
    Wrong(Box<dyn Error + Send + Sync>),
}

impl From<Box<dyn Error + Send + Sync>> for NoAnswer {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(ErrorKind::Interrupted) => Self::Interrupted,
            _ => Self::Wrong(error),
        }
    }
}

/// Asks on another thread, because reading blocks. That thread cannot be stopped. So a signal ends
/// the process here, after the terminal is back in the mode that it had before the prompt.
async fn ask_beside(
    question: Question,
    mut signals: Signals,
) -> Result<Credentials, Box<dyn Error>> {
    let terminal = TerminalMode::current();
    let asked = tokio::task::spawn_blocking(move || question.ask().map_err(NoAnswer::from));
    let end = |status| {
        if let Some(terminal) = &terminal {
            terminal.restore();
            complain("");
        }
        process::exit(status)
    };
    tokio::select! {
        answer = asked => match answer? {
            Ok(credentials) => Ok(credentials),
            Err(NoAnswer::Interrupted) => end(130),
            Err(NoAnswer::Wrong(error)) => Err(error),
        },
        status = signals.nth_status(1) => end(status.into()),
    }
}

impl Question {
    /// Asks for what is not known. Blocks until it is answered.
    fn ask(self) -> Result<Credentials, Box<dyn Error + Send + Sync>> {
        let name = match self.username {
            Some(name) => name,
            None => ask_username()?,
        };
        let username = Username::parse(name.trim())?;
        let password = Password::chosen(read_password()?, &username, self.allow_weak)?;
        Ok(Credentials { username, password })
    }
}

fn ask_username() -> Result<String, Box<dyn Error + Send + Sync>> {
    if !io::stdin().is_terminal() {
        return Err("--username is missing: standard input is for the password".into());
    }
    let mut terminal = io::stderr();
    write!(terminal, "Username: ")?;
    terminal.flush()?;
    Ok(read_line()?)
}

/// Reads a line from standard input, or its first 64 KB: no name and no password is that long.
fn read_line() -> io::Result<String> {
    const LONGEST: u64 = 64 * 1024;
    let mut line = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut line)?;
    Ok(line)
}

fn read_password() -> Result<String, Box<dyn Error + Send + Sync>> {
    match env::var("RACY_SUPERUSER_PASSWORD") {
        Ok(password) if !password.is_empty() => return Ok(password),
        Err(VarError::NotUnicode(_)) => return Err("RACY_SUPERUSER_PASSWORD is not UTF-8".into()),
        Ok(_) | Err(VarError::NotPresent) => {}
    }
    if !io::stdin().is_terminal() {
        return Ok(read_line()?.trim_end_matches(['\r', '\n']).to_owned());
    }
    let password = rpassword::prompt_password("Password: ")?;
    if rpassword::prompt_password("Password (again): ")? != password {
        return Err("the two passwords differ".into());
    }
    Ok(password)
}
