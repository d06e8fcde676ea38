//! Who may change what the clients race for: users, their sessions and tokens, and a limit to
//! guessing. All of it lives in the database, so that every replica knows the same.
//!
//! | file | |
//! |---|---|
//! | `credentials` | names and passwords as they come from outside |
//! | `hash` | what is kept of a password |
//! | `guessing` | how often a password may be tried |
//! | `token` | what a browser or a script shows instead of a password |

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
use guessing::Noted;

/// Somebody who is signed in.
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
pub const SESSION_LASTS: Duration = Duration::from_hours(12);

/// How long somebody waits for others who are signing in.
const LONGEST_QUEUE: Duration = Duration::from_secs(10);

/// Why somebody was not signed in.
#[derive(Debug)]
pub enum SignInError {
    /// There is no such user with that password.
    Wrong,
    /// There were too many wrong guesses. The first of them stops counting after so long.
    TooManyGuesses(Duration),
    /// The database did not answer, or refused.
    Fault(Fault),
}

impl From<Fault> for SignInError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Why a user was not made.
#[derive(Debug)]
pub enum CreateUserError {
    /// There is one of that name.
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

/// Makes a user who may do everything.
///
/// # Errors
/// [`CreateUserError`].
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

/// Signs somebody in, who types from that address: opens a session, and returns its token.
///
/// # Errors
/// [`SignInError`]. It takes as long for a user whom there is not as for a wrong password.
pub async fn sign_in(
    database: &Database,
    username: &str,
    password: Password,
    address: IpAddr,
) -> Result<Token, SignInError> {
    // What cannot be a name is nobody's. It is not told from a name that could be.
    let username = Username::parse(username).ok();
    let username = username.as_ref().map_or("", Username::as_str);
    // One at a time: right ones are not to be taken for many guesses because they come together.
    let turn = timeout(LONGEST_QUEUE, hash::TURN.lock()).await;
    let _turn = turn.map_err(|_elapsed| Fault {
        kind: FaultKind::Unavailable,
        code: None,
        message: "others are signing in, which takes too long".to_owned(),
    })?;
    let guess = match guessing::note(database, username, address).await? {
        Noted::Within(guess) => guess,
        Noted::TooMany { ends_in } => return Err(SignInError::TooManyGuesses(ends_in)),
    };
    let (user, hash) = find(database, username).await?.unzip();
    let is_right = hash::is_right(password, hash).await?;
    let user = user.filter(|_| is_right).ok_or(SignInError::Wrong)?;
    guessing::take_out(database, guess).await?;
    Ok(open_session(database, &user).await?)
}

/// A user and the hash of the password.
async fn find(database: &Database, username: &str) -> Result<Option<(User, String)>, Fault> {
    let select = "SELECT id, username, password_hash FROM users WHERE username = ?";
    let rows = database.rows(select, &[username.into()]).await?;
    let found = |row: &Row| Ok((User::of(row)?, row.text(2)?));
    rows.first().map(found).transpose()
}

async fn open_session(database: &Database, user: &User) -> Result<Token, Fault> {
    for session in sessions_that_are_over(database).await? {
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

/// Some of them, by what they are deleted by: a range of times would lock everybody's.
async fn sessions_that_are_over(database: &Database) -> Result<Vec<String>, Fault> {
    let select =
        "SELECT token_hash FROM sessions WHERE expires_at <= ? ORDER BY token_hash LIMIT 50";
    let rows = database.rows(select, &[now().into()]).await?;
    rows.iter().map(|row| row.text(0)).collect()
}

/// Whose session it is; none where it is nobody's, or over.
///
/// # Errors
/// As the engine refuses.
pub async fn by_session(database: &Database, token: &Token) -> Result<Option<User>, Fault> {
    let select = "SELECT u.id, u.username FROM sessions s JOIN users u ON u.id = s.user_id \
                  WHERE s.token_hash = ? AND s.expires_at > ?";
    let hash = token.hash();
    user(database, select, &[hash.as_str().into(), now().into()]).await
}

/// Whose API token it is; none where it is nobody's.
///
/// # Errors
/// As the engine refuses.
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

/// Ends a session, where there is one.
///
/// # Errors
/// As the engine refuses.
pub async fn sign_out(database: &Database, token: &Token) -> Result<(), Fault> {
    end_session(database, &token.hash()).await
}

/// Makes an API token for a user; none where there is no such user. The name says what it is for.
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

/// Revokes a user's API tokens of that name, and says how many they were; none where there is no such
/// user.
///
/// # Errors
/// As the engine refuses.
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

    use super::hash::tests::LOOKED_AT;
    use super::*;
    use crate::engine::Settings;
    use crate::engine::choice::{self, DatabaseUrl, Lifetime};

    /// Whoever measures how long it takes learns nothing: the same work is done for all of them.
    #[tokio::test]
    async fn a_password_is_looked_at_also_where_there_is_no_such_user() {
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
            let before = LOOKED_AT.get();
            let typed = Password::typed("a grain of sand".to_owned());
            let address = Ipv4Addr::LOCALHOST.into();
            let refused = sign_in(&opened.database, username, typed, address).await;
            assert!(
                matches!(refused, Err(SignInError::Wrong)),
                "{username:?}: {refused:?}"
            );
            assert_eq!(LOOKED_AT.get(), before + 1, "{username:?}");
        }
        opened.close().await.unwrap();
    }
}
