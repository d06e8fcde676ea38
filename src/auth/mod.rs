//! The users who may change accounts: their sessions and API tokens, and a limit to guesses at
//! their passwords. All of it is in the database, so that every replica knows the same.
//!
//! | file | |
//! |---|---|
//! | `credentials` | names and passwords as they come from outside |
//! | `hash`, `argon` | the hash of a password, which is all that is kept |
//! | `guessing` | how often a password may be guessed |
//! | `token` | what a browser or a script sends instead of a password |

mod argon;
mod credentials;
mod guessing;
mod hash;
mod token;

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::timeout;

pub use credentials::{Password, Username};
pub use token::Token;

use crate::engine::{Database, Fault, FaultKind, Row, Value};
use guessing::Allowance;

/// A user who may change accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub id: i64,
    /// The user's name.
    pub username: String,
}

impl User {
    fn of(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.integer(0)?,
            username: row.text(1)?,
        })
    }
}

/// How long a session lasts.
const SESSION_LASTS: Duration = Duration::from_hours(12);

/// How long a sign-in waits for the sign-ins before it, at most.
const LONGEST_QUEUE: Duration = Duration::from_secs(10);

/// Why a user was not signed in.
#[derive(Debug)]
pub enum SignInError {
    /// There is no such user with that password.
    Wrong,
    /// There were too many wrong guesses. The first of them stops counting after this time.
    TooManyGuesses(Duration),
    /// The database did not answer, or refused.
    Fault(Fault),
}

impl From<Fault> for SignInError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Why a user was not created.
#[derive(Debug)]
pub enum CreateUserError {
    /// There is a user of this name.
    Taken(Username),
    /// The database did not answer, or refused.
    Fault(Fault),
}

impl From<Fault> for CreateUserError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl fmt::Display for CreateUserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(username) => write!(f, "there is a user {username} already"),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for CreateUserError {}

/// Creates a user who may do everything.
pub async fn create_superuser(
    database: &Database,
    username: &Username,
    password: Password,
) -> Result<(), CreateUserError> {
    let hash = hash::hash(password).await?;
    let insert = "INSERT INTO users (username, password_hash, created_at) VALUES (?, ?, ?)";
    let values = [username.as_str().into(), hash.as_str().into(), now().into()];
    match database.insert(insert, &values).await {
        Ok(_number) => Ok(()),
        Err(fault) if fault.kind == FaultKind::UniqueViolation => {
            Err(CreateUserError::Taken(username.clone()))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Signs a user in, who types at that address: opens a session, and returns its token.
///
/// # Errors
/// [`SignInError`]. An unknown user takes as long as a wrong password.
pub async fn sign_in(
    database: &Database,
    username: &str,
    password: Password,
    address: IpAddr,
) -> Result<Token, SignInError> {
    // An impossible name is treated as an unknown one, which the empty name is too.
    let username = Username::parse(username).ok();
    let username = username.as_ref().map_or("", Username::as_str);
    // One at a time, so that right passwords that come together do not count as many guesses.
    let turn = timeout(LONGEST_QUEUE, hash::TURN.lock()).await;
    let _turn = turn.map_err(|_elapsed| Fault {
        kind: FaultKind::Unavailable,
        code: None,
        state: None,
        message: "others are signing in, which takes too long".to_owned(),
    })?;
    let guess = match guessing::note(database, username, address).await? {
        Allowance::Within(guess) => guess,
        Allowance::Exceeded { ends_in } => return Err(SignInError::TooManyGuesses(ends_in)),
    };
    let (user, hash) = find(database, username).await?.unzip();
    let is_right = hash::is_right(password, hash).await?;
    let user = user.filter(|_| is_right).ok_or(SignInError::Wrong)?;
    guessing::remove(database, guess).await?;
    Ok(open_session(database, &user).await?)
}

/// Finds a user and the hash of the password.
async fn find(database: &Database, username: &str) -> Result<Option<(User, String)>, Fault> {
    let select = "SELECT id, username, password_hash FROM users WHERE username = ?";
    let rows = database.rows(select, &[username.into()]).await?;
    let found = |row: &Row| Ok((User::of(row)?, row.text(2)?));
    rows.first().map(found).transpose()
}

async fn open_session(database: &Database, user: &User) -> Result<Token, Fault> {
    for session in some_expired_sessions(database).await? {
        end_session(database, &session).await?;
    }
    let token = Token::new()?;
    let hash = token.hash();
    let insert = "INSERT INTO sessions (token_hash, user_id, expires_at) VALUES (?, ?, ?)";
    let expires_at = now() + micros(SESSION_LASTS);
    let values = [hash.as_str().into(), user.id.into(), expires_at.into()];
    database.execute(insert, &values).await?;
    Ok(token)
}

async fn end_session(database: &Database, hash: &str) -> Result<(), Fault> {
    let delete = "DELETE FROM sessions WHERE token_hash = ?";
    database.execute(delete, &[hash.into()]).await?;
    Ok(())
}

/// The hashes of some sessions that are over. Each is deleted by its hash, because deleting a range
/// of times would lock other sessions too.
async fn some_expired_sessions(database: &Database) -> Result<Vec<String>, Fault> {
    let select =
        "SELECT token_hash FROM sessions WHERE expires_at <= ? ORDER BY token_hash LIMIT 50";
    let rows = database.rows(select, &[now().into()]).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// Finds the user of a session. None if there is no such session, or if it is over.
pub async fn by_session(database: &Database, token: &Token) -> Result<Option<User>, Fault> {
    let select = "SELECT u.id, u.username FROM sessions s JOIN users u ON u.id = s.user_id \
                  WHERE s.token_hash = ? AND s.expires_at > ?";
    let hash = token.hash();
    user(database, select, &[hash.as_str().into(), now().into()]).await
}

/// Finds the user of an API token. None if there is no such token.
pub async fn by_token(database: &Database, token: &Token) -> Result<Option<User>, Fault> {
    let select = "SELECT u.id, u.username FROM tokens t JOIN users u ON u.id = t.user_id \
                  WHERE t.token_hash = ?";
    user(database, select, &[token.hash().as_str().into()]).await
}

async fn user(
    database: &Database,
    select: &'static str,
    values: &[Value<'_>],
) -> Result<Option<User>, Fault> {
    let rows = database.rows(select, values).await?;
    rows.first().map(User::of).transpose()
}

/// Ends a session, if it exists.
pub async fn sign_out(database: &Database, token: &Token) -> Result<(), Fault> {
    end_session(database, &token.hash()).await
}

/// Creates an API token for a user. Its name says what it is for. None if there is no such user.
pub async fn create_token(
    database: &Database,
    username: &Username,
    name: &str,
) -> Result<Option<Token>, Fault> {
    let Some((user, _)) = find(database, username.as_str()).await? else {
        return Ok(None);
    };
    let token = Token::new()?;
    let hash = token.hash();
    let insert = "INSERT INTO tokens (token_hash, user_id, name, created_at) VALUES (?, ?, ?, ?)";
    let values = [
        hash.as_str().into(),
        user.id.into(),
        name.into(),
        now().into(),
    ];
    database.insert(insert, &values).await?;
    Ok(Some(token))
}

/// Revokes a user's API tokens of this name, and returns their number. None if there is no such
/// user.
pub async fn revoke_tokens(
    database: &Database,
    username: &Username,
    name: &str,
) -> Result<Option<u64>, Fault> {
    let Some((user, _)) = find(database, username.as_str()).await? else {
        return Ok(None);
    };
    let delete = "DELETE FROM tokens WHERE user_id = ? AND name = ?";
    let revoked = database
        .execute(delete, &[user.id.into(), name.into()])
        .await?;
    Ok(Some(revoked))
}

/// Microseconds since 1970-01-01 UTC.
pub(crate) fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    micros(since_epoch.unwrap_or_default())
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::hash::tests::HASHES;
    use super::*;
    use crate::engine::Settings;
    use crate::engine::choice::{self, DatabaseUrl, Lifetime};

    /// The time of an answer tells nothing about a name, because each name costs the same work.
    #[tokio::test]
    async fn a_password_is_checked_also_if_there_is_no_such_user() {
        let sqlite = DatabaseUrl::SqliteTemporary;
        let settings = Settings::default();
        let opened = choice::open(Some(&sqlite), Lifetime::Temporary, &settings, &|_| {});
        let opened = opened.await.unwrap();
        let ada = Username::parse("ada").unwrap();
        let password = Password::chosen("a grain of salt".to_owned(), &ada, false).unwrap();
        create_superuser(&opened.database, &ada, password)
            .await
            .unwrap();
        for username in ["ada", "grace", "no name", ""] {
            let before = HASHES.get();
            let typed = Password::typed("a grain of sand".to_owned());
            let address = Ipv4Addr::LOCALHOST.into();
            let refused = sign_in(&opened.database, username, typed, address).await;
            assert!(
                matches!(refused, Err(SignInError::Wrong)),
                "{username:?}: {refused:?}"
            );
            assert_eq!(HASHES.get(), before + 1, "{username:?}");
        }
        opened.close().await.unwrap();
    }
}
