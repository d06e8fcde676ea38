//! Who may change what the clients race for: users, their sessions and tokens, and a limit to
//! guessing. All of it lives in the database, so that every replica knows the same.

mod credentials;
mod hash;
mod token;

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use utoipa::ToSchema;

pub use credentials::{Password, Username};
pub use token::Token;

use crate::engine::{Database, Fault, FaultKind, Work};

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub id: i64,
    /// The user's name.
    pub username: String,
}

/// How long a session lasts.
pub const SESSION_LASTS: Duration = Duration::from_hours(12);

/// So many wrong guesses at one user within [`GUESSES_COUNT`], and nobody may guess at that user.
const GUESSES_AT_A_USER: i64 = 5;

/// So many from one address, and nobody may guess from there. More, because many may share one.
const GUESSES_FROM_AN_ADDRESS: i64 = 20;

/// How long a wrong guess counts.
pub const GUESSES_COUNT: Duration = Duration::from_mins(5);

/// Why somebody was not signed in.
#[derive(Debug)]
pub enum Refused {
    /// There is no such user with that password.
    Wrong,
    /// There were too many wrong guesses; they count for so long.
    TooManyGuesses(Duration),
    /// The database did not answer.
    Fault(Fault),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Why a user was not made.
#[derive(Debug)]
pub enum NotMade {
    /// There is one of that name.
    Taken(Username),
    /// The database did not answer.
    Fault(Fault),
}

impl From<Fault> for NotMade {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(username) => write!(f, "there is a user {username} already"),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for NotMade {}

/// Makes a user who may do everything.
///
/// # Errors
/// [`NotMade`].
pub async fn create_superuser(
    database: &Database,
    username: &Username,
    password: Password,
) -> Result<(), NotMade> {
    let hash = hash::hash(password).await?;
    let mut work = database.work().await?;
    let inserted = work
        .insert(
            "INSERT INTO users (username, password_hash, created_at) VALUES (?, ?, ?)",
            &[username.as_str().into(), hash.as_str().into(), now().into()],
        )
        .await;
    match inserted {
        Ok(_number) => Ok(work.commit().await?),
        Err(fault) if fault.kind == FaultKind::UniqueViolation => {
            Err(NotMade::Taken(username.clone()))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Signs somebody in, who types from that address.
///
/// # Errors
/// [`Refused`]. It takes as long for a user whom there is not as for a wrong password.
pub async fn sign_in(
    database: &Database,
    username: &str,
    password: Password,
    address: &str,
) -> Result<Token, Refused> {
    // Longer ones are nobody's, and would not fit.
    let username: String = username.chars().take(150).collect();
    refuse_many_guesses(database, &username, address).await?;
    let known = find(database, &username).await?;
    let (user, hash) = known.unzip();
    let is_right = hash::is_right(password, hash).await?;
    let Some(user) = user.filter(|_| is_right) else {
        note_wrong_guess(database, &username, address).await?;
        return Err(Refused::Wrong);
    };
    Ok(open_session(database, &user).await?)
}

async fn find(database: &Database, username: &str) -> Result<Option<(User, String)>, Fault> {
    let mut work = database.work().await?;
    let sql = "SELECT id, username, password_hash FROM users WHERE username = ?";
    let rows = work.rows(sql, &[username.into()]).await?;
    work.commit().await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let user = User {
        id: row.integer(0)?,
        username: row.text(1)?,
    };
    Ok(Some((user, row.text(2)?)))
}

/// Counted before the password is looked at: whoever guesses learns nothing any more, also not that a
/// guess was right.
async fn refuse_many_guesses(
    database: &Database,
    username: &str,
    address: &str,
) -> Result<(), Refused> {
    let since = now() - micros(GUESSES_COUNT);
    let mut work = database.work().await?;
    let at_the_user = "SELECT COUNT(*) FROM failed_logins WHERE username = ? AND at > ?";
    let at_the_user = count(&mut work, at_the_user, username, since).await?;
    let from_there = "SELECT COUNT(*) FROM failed_logins WHERE address = ? AND at > ?";
    let from_there = count(&mut work, from_there, address, since).await?;
    work.commit().await?;
    match at_the_user >= GUESSES_AT_A_USER || from_there >= GUESSES_FROM_AN_ADDRESS {
        true => Err(Refused::TooManyGuesses(GUESSES_COUNT)),
        false => Ok(()),
    }
}

async fn count(work: &mut Work, sql: &'static str, what: &str, since: i64) -> Result<i64, Fault> {
    let rows = work.rows(sql, &[what.into(), since.into()]).await?;
    rows.first().map_or(Ok(0), |row| row.integer(0))
}

async fn note_wrong_guess(database: &Database, username: &str, address: &str) -> Result<(), Fault> {
    let mut work = database.work().await?;
    work.run(
        "DELETE FROM failed_logins WHERE at <= ?",
        &[(now() - micros(GUESSES_COUNT)).into()],
    )
    .await?;
    work.run(
        "INSERT INTO failed_logins (username, address, at) VALUES (?, ?, ?)",
        &[username.into(), address.into(), now().into()],
    )
    .await?;
    work.commit().await
}

/// A new token each time, so that one which somebody else has planted before is worth nothing.
async fn open_session(database: &Database, user: &User) -> Result<Token, Fault> {
    let token = Token::new()?;
    let mut work = database.work().await?;
    work.run(
        "DELETE FROM sessions WHERE expires_at <= ?",
        &[now().into()],
    )
    .await?;
    work.run(
        "INSERT INTO sessions (token_hash, user_id, expires_at) VALUES (?, ?, ?)",
        &[
            token.hash().as_str().into(),
            user.id.into(),
            (now() + micros(SESSION_LASTS)).into(),
        ],
    )
    .await?;
    work.commit().await?;
    Ok(token)
}

/// Whose session it is; none where it is nobody's, or over.
///
/// # Errors
/// As the engine refuses.
pub async fn by_session(database: &Database, token: &Token) -> Result<Option<User>, Fault> {
    let sql = "SELECT u.id, u.username FROM sessions s JOIN users u ON u.id = s.user_id \
               WHERE s.token_hash = ? AND s.expires_at > ?";
    let hash = token.hash();
    user(database, sql, &[hash.as_str().into(), now().into()]).await
}

/// Whose API token it is; none where it is nobody's.
///
/// # Errors
/// As the engine refuses.
pub async fn by_token(database: &Database, token: &Token) -> Result<Option<User>, Fault> {
    let sql = "SELECT u.id, u.username FROM tokens t JOIN users u ON u.id = t.user_id \
               WHERE t.token_hash = ?";
    let hash = token.hash();
    user(database, sql, &[hash.as_str().into()]).await
}

async fn user(
    database: &Database,
    sql: &'static str,
    args: &[crate::engine::Value<'_>],
) -> Result<Option<User>, Fault> {
    let mut work = database.work().await?;
    let rows = work.rows(sql, args).await?;
    work.commit().await?;
    let user = |row: &crate::engine::Row| {
        Ok(User {
            id: row.integer(0)?,
            username: row.text(1)?,
        })
    };
    rows.first().map(user).transpose()
}

/// Ends a session.
///
/// # Errors
/// As the engine refuses.
pub async fn sign_out(database: &Database, token: &Token) -> Result<(), Fault> {
    let mut work = database.work().await?;
    let sql = "DELETE FROM sessions WHERE token_hash = ?";
    work.run(sql, &[token.hash().as_str().into()]).await?;
    work.commit().await
}

/// Makes an API token for a user; none where there is no such user.
///
/// # Errors
/// As the engine refuses.
pub async fn create_token(
    database: &Database,
    username: &Username,
    name: &str,
) -> Result<Option<Token>, Fault> {
    let Some((user, _)) = find(database, username.as_str()).await? else {
        return Ok(None);
    };
    let token = Token::new()?;
    let mut work = database.work().await?;
    work.insert(
        "INSERT INTO tokens (token_hash, user_id, name, created_at) VALUES (?, ?, ?, ?)",
        &[
            token.hash().as_str().into(),
            user.id.into(),
            name.into(),
            now().into(),
        ],
    )
    .await?;
    work.commit().await?;
    Ok(Some(token))
}

/// A change that somebody made outside the deposit endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Change {
    /// The change's number.
    pub id: i64,
    /// Who made it.
    pub username: String,
    /// When, in microseconds since 1970-01-01 UTC.
    pub at_us: i64,
    /// To which account.
    pub account: i64,
    /// What.
    pub what: String,
}

/// Notes who changed what, in the change's own transaction: neither is there without the other.
///
/// # Errors
/// As the engine refuses.
pub async fn note_change(
    work: &mut Work,
    actor: &str,
    account: i64,
    what: &str,
) -> Result<(), Fault> {
    work.insert(
        "INSERT INTO changes (username, at, account_id, what) VALUES (?, ?, ?, ?)",
        &[actor.into(), now().into(), account.into(), what.into()],
    )
    .await?;
    Ok(())
}

/// Microseconds since 1970-01-01 UTC.
fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    micros(since_epoch.unwrap_or_default())
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
