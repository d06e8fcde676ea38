//! The keeper's commands: users and tokens, accounts and their transactions.

use std::env::{self, VarError};
use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _, Read as _, Write as _};

use clap::{Args, Subcommand};
use racy::accounts::{self, Account, Page};
use racy::auth::{self, Password, Username};
use racy::config::DatabaseOptions;
use racy::engine::Database;
use racy::engine::choice::Lifetime;
use racy::keeper::{self, Actor};

/// What the keeper does between lessons. On the lab's own private server or file, also while
/// `racy serve` has it open.
#[derive(Debug, Subcommand)]
pub(crate) enum KeeperCommand {
    /// Make a user who may sign in at /admin: open, reset and list accounts, and delete transactions.
    ///
    /// Asks for what is not given. The password comes from RACY_SUPERUSER_PASSWORD, else from standard
    /// input: typed twice at a terminal, else the first line.
    Createsuperuser(CreateSuperuser),
    /// Open, reset and list accounts.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Delete transactions.
    #[command(subcommand)]
    Transactions(TransactionsCommand),
    /// Make and revoke API tokens for scripts.
    #[command(subcommand)]
    Token(TokenCommand),
}

/// A new user.
#[derive(Debug, Args)]
pub(crate) struct CreateSuperuser {
    /// The user's name: letters, digits and @ . + - _
    #[arg(long, value_name = "NAME")]
    username: Option<String>,

    /// Take a password that is easily guessed.
    #[arg(long)]
    allow_weak: bool,

    #[arg(skip)]
    credentials: Option<(Username, Password)>,

    #[command(flatten)]
    database: DatabaseOptions,
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
        database: DatabaseOptions,
    },
    /// Put an account back to its opening balance, without any transaction.
    ///
    /// Deposits may be made meanwhile. But one by mutex_in_process does not notice the change, and
    /// may overwrite it. While such deposits are made, reset at /admin.
    Reset {
        /// The account's number.
        account: i64,

        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// List all accounts with their audit.
    List {
        #[command(flatten)]
        database: DatabaseOptions,
    },
}

/// What to do with transactions.
#[derive(Debug, Subcommand)]
pub(crate) enum TransactionsCommand {
    /// Delete an account's transactions. Their amounts move into its opening balance: what it holds and
    /// what was lost stay as they are.
    ///
    /// Deposits may be made meanwhile. But one by mutex_in_process does not notice the change, and
    /// may overwrite it. While such deposits are made, delete at /admin.
    Delete {
        /// The account's number.
        #[arg(long, value_name = "N")]
        account: i64,

        #[command(flatten)]
        database: DatabaseOptions,
    },
}

/// What to do with API tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token for scripts, and print it. It is shown this once, and holds until it is revoked.
    Create {
        #[command(flatten)]
        whose: WhoseToken,

        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Revoke a user's tokens of one name.
    Revoke {
        #[command(flatten)]
        whose: WhoseToken,

        #[command(flatten)]
        database: DatabaseOptions,
    },
}

/// Which token.
#[derive(Debug, Args)]
pub(crate) struct WhoseToken {
    /// Whose it is.
    #[arg(long, value_name = "NAME", value_parser = Username::parse)]
    username: Username,

    /// What it is for.
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = token_name)]
    name: String,
}

/// As long as the column.
const LONGEST_TOKEN_NAME: usize = 150;

fn token_name(text: &str) -> Result<String, String> {
    match text.chars().count() {
        length if length > LONGEST_TOKEN_NAME => Err(format!(
            "it has {length} characters; {LONGEST_TOKEN_NAME} are the most"
        )),
        _ => Ok(text.to_owned()),
    }
}

/// The actor of a command, where no user is signed in. A command serves no deposits, and has none
/// to keep out.
const ACTOR: Actor<'_> = Actor {
    name: "(command line)",
    memory: None,
};

/// Says what a command cannot keep out, and that the pages can.
const UNKNOWN_TO_A_LOCK_IN_THE_PROCESS: &str = "\
    if a service was making deposits by mutex_in_process meanwhile, look at the account: they do not notice a change \
    made by a command. The pages at /admin and the API take that lock, each in its own instance.";

type Done = Result<String, Box<dyn Error>>;

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// Ctrl-C, which the question for a password reads as a character.
    Interrupted,
    /// What is wrong with the answer.
    Wrong(String),
}

impl From<&(dyn Error + 'static)> for Unanswered {
    fn from(error: &(dyn Error + 'static)) -> Self {
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(ErrorKind::Interrupted) => Self::Interrupted,
            _ => Self::Wrong(error.to_string()),
        }
    }
}

impl KeeperCommand {
    /// Asks for what is still to be known. Blocks until it is answered.
    ///
    /// # Errors
    /// What is wrong with the answers.
    pub(crate) fn ask(mut self) -> Result<Self, Unanswered> {
        if let Self::Createsuperuser(new) = &mut self {
            new.credentials = Some(
                new.ask()
                    .map_err(|error| Unanswered::from(error.as_ref()))?,
            );
        }
        Ok(self)
    }

    /// Does it, and says what was done.
    ///
    /// # Errors
    /// What is wrong with the command, why the database did not open, or why nothing was changed.
    pub(crate) async fn run(self, say: &(dyn Fn(&str) + Sync)) -> Done {
        use {
            AccountCommand as Account, TokenCommand as Token, TransactionsCommand as Transactions,
        };
        match self {
            Self::Createsuperuser(new) => {
                let (username, password) = match new.credentials {
                    Some(credentials) => credentials,
                    None => new.ask()?,
                };
                let create = async |it: &Database| create(it, &username, password).await;
                with_database(&new.database, say, create).await
            }
            Self::Account(Account::Add {
                opening_balance,
                database,
            }) => with_database(&database, say, async |it| add(it, opening_balance).await).await,
            Self::Account(Account::Reset { account, database }) => {
                let done =
                    with_database(&database, say, async |it| reset(it, account).await).await?;
                say(UNKNOWN_TO_A_LOCK_IN_THE_PROCESS);
                Ok(done)
            }
            Self::Account(Account::List { database }) => with_database(&database, say, list).await,
            Self::Transactions(Transactions::Delete { account, database }) => {
                let done =
                    with_database(&database, say, async |it| delete(it, account).await).await?;
                say(UNKNOWN_TO_A_LOCK_IN_THE_PROCESS);
                Ok(done)
            }
            Self::Token(Token::Create { whose, database }) => {
                with_database(&database, say, async |it| create_token(it, &whose).await).await
            }
            Self::Token(Token::Revoke { whose, database }) => {
                with_database(&database, say, async |it| revoke_tokens(it, &whose).await).await
            }
        }
    }
}

async fn with_database(
    database: &DatabaseOptions,
    say: &(dyn Fn(&str) + Sync),
    work: impl AsyncFnOnce(&Database) -> Done,
) -> Done {
    let opened = database.open(Lifetime::Shared, say).await?;
    let done = work(&opened.database).await;
    opened.close().await?;
    done
}

impl CreateSuperuser {
    fn ask(&self) -> Result<(Username, Password), Box<dyn Error>> {
        let username = match &self.username {
            Some(username) => username.clone(),
            None => ask_username()?,
        };
        let username = Username::parse(username.trim())?;
        let password = Password::chosen(read_password()?, &username, self.allow_weak)?;
        Ok((username, password))
    }
}

fn ask_username() -> Result<String, Box<dyn Error>> {
    if !io::stdin().is_terminal() {
        return Err("--username is missing: standard input is for the password".into());
    }
    let mut terminal = io::stderr();
    write!(terminal, "Username: ")?;
    terminal.flush()?;
    Ok(read_line()?)
}

/// A line from standard input, or as much of it as no name or password is long.
fn read_line() -> io::Result<String> {
    const LONGEST: u64 = 64 * 1024;
    let mut line = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut line)?;
    Ok(line)
}

fn read_password() -> Result<String, Box<dyn Error>> {
    match env::var("RACY_SUPERUSER_PASSWORD") {
        Ok(password) if !password.is_empty() => return Ok(password),
        Err(VarError::NotUnicode(_)) => return Err("RACY_SUPERUSER_PASSWORD is not UTF-8".into()),
        _not_set => {}
    }
    if io::stdin().is_terminal() {
        let password = rpassword::prompt_password("Password: ")?;
        return match rpassword::prompt_password("Password (again): ")? == password {
            true => Ok(password),
            false => Err("the two passwords differ".into()),
        };
    }
    Ok(read_line()?.trim_end_matches(['\r', '\n']).to_owned())
}

async fn create(database: &Database, username: &Username, password: Password) -> Done {
    auth::create_superuser(database, username, password).await?;
    Ok(format!("The user {username} may sign in.\n"))
}

async fn add(database: &Database, opening_balance: i64) -> Done {
    let account = keeper::open_account(database, ACTOR.name, opening_balance).await?;
    Ok(format!("{account}\n"))
}

async fn reset(database: &Database, account: i64) -> Done {
    let deleted = keeper::reset_account(database, ACTOR, account).await?;
    Ok(format!(
        "Account {account} is back at its opening balance; {deleted} transactions are deleted.\n"
    ))
}

async fn delete(database: &Database, account: i64) -> Done {
    let deleted = keeper::delete_transactions(database, ACTOR, account).await?;
    Ok(format!(
        "{deleted} transactions of account {account} are deleted.\n"
    ))
}

async fn create_token(database: &Database, WhoseToken { username, name }: &WhoseToken) -> Done {
    let token = auth::create_token(database, username, name).await?;
    let token = token.ok_or_else(|| no_user(username))?;
    Ok(format!("{}\n", token.reveal()))
}

async fn revoke_tokens(database: &Database, WhoseToken { username, name }: &WhoseToken) -> Done {
    let revoked = auth::revoke_tokens(database, username, name).await?;
    match revoked.ok_or_else(|| no_user(username))? {
        0 => Err(format!("{username} has no token named {name:?}").into()),
        revoked => Ok(format!("{revoked} tokens are revoked.\n")),
    }
}

fn no_user(username: &Username) -> String {
    format!("there is no user {username}")
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
