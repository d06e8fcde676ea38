//! A limit to guesses at passwords, for each user and for each address.
//!
//! A guess is noted *before* the password is checked, and removed if it was right. To check first
//! and count afterwards is the mistake that this lab shows: a hundred guesses that arrive together
//! would all read "none so far".

use std::net::IpAddr;
use std::time::Duration;

use super::{micros, now};
use crate::engine::{Database, Fault, Value};

/// How many guesses at one user's password may be made within [`COUNTS_FOR`], at most.
const AT_A_USER: i64 = 5;

/// How many guesses may come from one address in that time, at most. It is more, because many users
/// may share an address.
const FROM_AN_ADDRESS: i64 = 20;

/// How long a guess counts.
const COUNTS_FOR: Duration = Duration::from_mins(5);

/// The number of a noted guess.
#[derive(Debug)]
pub(super) struct Guess(i64);

/// Whether a guess may be checked.
#[derive(Debug)]
pub(super) enum Allowance {
    /// The guess is noted, and may be checked.
    Within(Guess),
    /// There have been too many guesses. This one does not count.
    Exceeded {
        /// How long until the first of them stops counting.
        ends_in: Duration,
    },
}

/// Notes a guess, unless there have been too many.
pub(super) async fn note(
    database: &Database,
    username: &str,
    address: IpAddr,
) -> Result<Allowance, Fault> {
    let address = neighbourhood(address);
    let guess = insert(database, username, &address).await?;
    // The guess is committed, and so are all that were noted before it. So of the guesses that come
    // at once, at most the limit find themselves within it.
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
        return Ok(Allowance::Within(guess));
    };
    remove(database, guess).await?;
    let ends_in = u64::try_from(first - since).unwrap_or_default();
    Ok(Allowance::Exceeded {
        ends_in: Duration::from_micros(ends_in),
    })
}

/// Removes a guess that does not count.
pub(super) async fn remove(database: &Database, guess: Guess) -> Result<(), Fault> {
    let delete = "DELETE FROM guesses WHERE id = ?";
    database.execute(delete, &[guess.0.into()]).await?;
    Ok(())
}

/// The address under which guesses are counted. A client with one IPv6 address usually has 2⁶⁴ of
/// them, which count as one.
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
    // Each is removed by its number: removing a range of times would lock other guesses too.
    for guess in some_old_guesses(database).await? {
        remove(database, Guess(guess)).await?;
    }
    let insert = "INSERT INTO guesses (username, address, at) VALUES (?, ?, ?)";
    let values = [username.into(), address.into(), now().into()];
    database.insert(insert, &values).await.map(Guess)
}

/// The numbers of some guesses that no longer count.
async fn some_old_guesses(database: &Database) -> Result<Vec<i64>, Fault> {
    let select = "SELECT id FROM guesses WHERE at <= ? ORDER BY id LIMIT 50";
    let until = now() - micros(COUNTS_FOR);
    let rows = database.rows(select, &[until.into()]).await?;
    rows.iter().map(|row| row.integer(0)).collect()
}

/// How many guesses there are, and when the first of them was. The guess that asks is one of them.
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
