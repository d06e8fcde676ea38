//! A limit to guessing passwords: so many at a user, and so many from an address.
//!
//! A guess is noted *before* the password is looked at, and taken out again if it was right. The other
//! way round, look first and count afterwards, is this lab's own lesson: a hundred guesses that
//! arrive together would all read "none so far".

use std::net::IpAddr;
use std::time::Duration;

use super::{micros, now};
use crate::engine::{Database, Fault, Value};

/// So many guesses at one user within [`COUNTS_FOR`], and nobody may guess at that user.
const AT_A_USER: i64 = 5;

/// So many from one address, and nobody may guess from there. More, because many may share one.
const FROM_AN_ADDRESS: i64 = 20;

/// How long a guess counts.
const COUNTS_FOR: Duration = Duration::from_mins(5);

/// A guess that is noted.
#[derive(Debug)]
pub(super) struct Guess(i64);

/// What becomes of a guess before it is looked at.
#[derive(Debug)]
pub(super) enum Noted {
    /// It may be looked at.
    Within(Guess),
    /// There have been too many, and this is not one of them.
    TooMany {
        /// When the first of them stops counting.
        ends_in: Duration,
    },
}

/// Notes a guess.
pub(super) async fn note(
    database: &Database,
    username: &str,
    address: IpAddr,
) -> Result<Noted, Fault> {
    let address = neighbourhood(address);
    let guess = insert(database, username, &address).await?;
    // It is committed, and so are all that were noted before it: of any number that come at once,
    // no more than the limit find themselves within it.
    let since = now() - micros(COUNTS_FOR);
    let at_the_user = "SELECT COUNT(*), MIN(at) FROM guesses WHERE username = ? AND at > ?";
    let at_the_user = count(database, at_the_user, &[username.into(), since.into()]).await?;
    let from_there = "SELECT COUNT(*), MIN(at) FROM guesses WHERE address = ? AND at > ?";
    let values = [address.as_str().into(), since.into()];
    let from_there = count(database, from_there, &values).await?;
    let first_of_too_many = [(at_the_user, AT_A_USER), (from_there, FROM_AN_ADDRESS)]
        .into_iter()
        .filter_map(|((count, first), limit)| (count > limit).then_some(first))
        .max();
    let Some(first) = first_of_too_many else {
        return Ok(Noted::Within(guess));
    };
    take_out(database, guess).await?;
    let ends_in = u64::try_from(first - since).unwrap_or_default();
    Ok(Noted::TooMany {
        ends_in: Duration::from_micros(ends_in),
    })
}

/// Takes out a guess that does not count.
pub(super) async fn take_out(database: &Database, guess: Guess) -> Result<(), Fault> {
    let delete = "DELETE FROM guesses WHERE id = ?";
    database.execute(delete, &[guess.0.into()]).await?;
    Ok(())
}

/// Whoever has one IPv6 address has the 2⁶⁴ beside it as well: they count as one.
fn neighbourhood(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

async fn insert(database: &Database, username: &str, address: &str) -> Result<Guess, Fault> {
    // By number: a range of times would lock everybody's.
    for guess in old_ones(database).await? {
        take_out(database, Guess(guess)).await?;
    }
    let insert = "INSERT INTO guesses (username, address, at) VALUES (?, ?, ?)";
    let values = [username.into(), address.into(), now().into()];
    database.insert(insert, &values).await.map(Guess)
}

/// Some of those that count no more.
async fn old_ones(database: &Database) -> Result<Vec<i64>, Fault> {
    let select = "SELECT id FROM guesses WHERE at <= ? ORDER BY id LIMIT 50";
    let until = now() - micros(COUNTS_FOR);
    let rows = database.rows(select, &[until.into()]).await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// How many there are, and when the first of them was. There is one at least: the one that asks.
async fn count(
    database: &Database,
    select: &'static str,
    values: &[Value<'_>],
) -> Result<(i64, i64), Fault> {
    let rows = database.rows(select, values).await?;
    let row = rows.first();
    row.map_or(Ok((0, 0)), |row| Ok((row.integer(0)?, row.integer(1)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_count_as_one() {
        let of = |text: &str| neighbourhood(text.parse().unwrap());
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }
}
