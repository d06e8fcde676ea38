//! The keeper's commands: users and tokens, accounts and their transactions.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::{Args, Subcommand};
use racy::accounts::{self, Account, Page};
use racy::auth::{self, Password, Username};
use racy::config::EngineOptions;
use racy::engine::Database;
use racy::keeper;

/// Make a user who may open, reset and list accounts and delete transactions.
///
/// Asks for what is not given. The password comes from RACY_SUPERUSER_PASSWORD, else from standard input:
/// typed twice at a terminal, else the first line.
#[derive(Debug, Args)]
pub(crate) struct CreateSuperuser {
    /// The user's name: letters, digits and @ . + - _
    #[arg(long, value_name = "NAME")]
    username: Option<String>,

    /// Take a password that is easily guessed.
    #[arg(long)]
    allow_weak: bool,

    #[command(flatten)]
    pub(crate) engine: EngineOptions,
}

/// What to do with accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Open an account, and print its number.
    Add {
        /// What it holds at first.
        #[arg(long, value_name = "AMOUNT", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..))]
        opening_balance: i64,

        #[command(flatten)]
        engine: EngineOptions,
    },
    /// Put an account back to its opening balance, without any transaction.
    Reset {
        /// The account's number.
        account: i64,

        #[command(flatten)]
        engine: EngineOptions,
    },
    /// List all accounts with their audit.
    List {
        #[command(flatten)]
        engine: EngineOptions,
    },
}

/// What to do with transactions.
#[derive(Debug, Subcommand)]
pub(crate) enum TransactionsCommand {
    /// Delete an account's transactions. Their amounts move into its opening balance: what it holds and
    /// what was lost stay as they are.
    Delete {
        /// The account's number.
        #[arg(long, value_name = "N")]
        account: i64,

        #[command(flatten)]
        engine: EngineOptions,
    },
}

/// What to do with API tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token for scripts, and print it. It is shown this once.
    Create {
        /// Whose it is.
        #[arg(long, value_name = "NAME")]
        username: String,

        /// What it is for.
        #[arg(long, value_name = "TEXT", default_value = "")]
        name: String,

        #[command(flatten)]
        engine: EngineOptions,
    },
}

/// Who did it, where nobody is signed in.
const ACTOR: &str = "(command line)";

type Done = Result<String, Box<dyn Error>>;

impl CreateSuperuser {
    /// Reads name and password: before the database is opened, so that nobody waits to be told of a
    /// mistake.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn credentials(&self) -> Result<(Username, Password), Box<dyn Error>> {
        let username = match &self.username {
            Some(username) => username.clone(),
            None => ask_username()?,
        };
        let username = Username::parse(username.trim())?;
        let password = Password::chosen(read_password()?, &username, self.allow_weak)?;
        Ok((username, password))
    }
}

/// Makes the user.
///
/// # Errors
/// Where there is one of that name.
pub(crate) async fn create(database: &Database, username: &Username, password: Password) -> Done {
    auth::create_superuser(database, username, password).await?;
    Ok(format!("The user {username} may sign in.\n"))
}

fn ask_username() -> Result<String, Box<dyn Error>> {
    if !io::stdin().is_terminal() {
        return Err("--username is missing: standard input is for the password".into());
    }
    eprint!("Username: ");
    io::stderr().flush()?;
    let mut username = String::new();
    io::stdin().lock().read_line(&mut username)?;
    Ok(username)
}

fn read_password() -> Result<String, Box<dyn Error>> {
    if let Ok(password) = env::var("RACY_SUPERUSER_PASSWORD")
        && !password.is_empty()
    {
        return Ok(password);
    }
    if io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        return match rpassword::prompt_password("Password (again): ")? == password {
            true => Ok(password),
            false => Err("the two passwords differ".into()),
        };
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

impl AccountCommand {
    /// Which database.
    pub(crate) fn engine(&self) -> &EngineOptions {
        match self {
            Self::Add { engine, .. } | Self::Reset { engine, .. } | Self::List { engine } => engine,
        }
    }

    /// Does it, and says what was done.
    ///
    /// # Errors
    /// Where there is no such account, or the engine refuses.
    pub(crate) async fn run(&self, database: &Database) -> Done {
        match self {
            Self::Add {
                opening_balance, ..
            } => {
                let account = keeper::open_account(database, ACTOR, *opening_balance).await?;
                Ok(format!("{account}\n"))
            }
            Self::Reset { account, .. } => {
                keeper::reset_account(database, ACTOR, *account).await?;
                Ok(format!(
                    "Account {account} is back at its opening balance.\n"
                ))
            }
            Self::List { .. } => list(database).await,
        }
    }
}

async fn list(database: &Database) -> Done {
    const AT_A_TIME: i64 = 1000;
    let mut text = String::from("account      balance     expected         lost transactions\n");
    let mut after = 0;
    loop {
        let page = Page {
            after,
            limit: AT_A_TIME,
        };
        let accounts = accounts::list(database, page).await?;
        for Account {
            id,
            balance,
            expected,
            lost,
            transactions,
            ..
        } in &accounts
        {
            let _ = writeln!(
                text,
                "{id:>7} {balance:>12} {expected:>12} {lost:>12} {transactions:>12}"
            );
        }
        match accounts.last() {
            Some(last) if accounts.len() as i64 == AT_A_TIME => after = last.id,
            _ => return Ok(text),
        }
    }
}

impl TransactionsCommand {
    /// Which database.
    pub(crate) fn engine(&self) -> &EngineOptions {
        let Self::Delete { engine, .. } = self;
        engine
    }

    /// Does it, and says what was done.
    ///
    /// # Errors
    /// Where there is no such account, or the engine refuses.
    pub(crate) async fn run(&self, database: &Database) -> Done {
        let Self::Delete { account, .. } = self;
        let deleted = keeper::delete_transactions(database, ACTOR, *account).await?;
        Ok(format!(
            "{deleted} transactions of account {account} are deleted.\n"
        ))
    }
}

impl TokenCommand {
    /// Which database.
    pub(crate) fn engine(&self) -> &EngineOptions {
        let Self::Create { engine, .. } = self;
        engine
    }

    /// Does it, and says what was done.
    ///
    /// # Errors
    /// Where there is no such user, or the engine refuses.
    pub(crate) async fn run(&self, database: &Database) -> Done {
        let Self::Create { username, name, .. } = self;
        let username = Username::parse(username)?;
        let token = auth::create_token(database, &username, name).await?;
        let token = token.ok_or_else(|| format!("there is no user {username}"))?;
        Ok(format!("{}\n", token.reveal()))
    }
}
