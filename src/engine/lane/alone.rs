//! A database that was not made for the explorer has room for one exploration: two would bring back
//! each other's rows.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::engine::connection::Connection;
use crate::engine::{Database, Fault, Flavour, OpenError};

/// How long the lock is waited for: a process that was killed may still be known to the server.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// A name of InnoDB's servers has at most 64 characters, and is the whole server's.
const NAME: &str = "CONCAT('racy in place ', LEFT(SHA2(DATABASE(), 224), 40))";

/// PostgreSQL's lock is the database's. This is `Racy`, and the first of its kind.
const NUMBERS: &str = "1382114169, 1";

/// As long as it is there, no other exploration works in the same database.
#[derive(Debug)]
pub(super) struct Alone {
    connection: Connection,
}

impl Alone {
    /// Makes sure of it. None on SQLite, which locks its file for each transaction, and behind a
    /// pooler, which would keep the lock for itself.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if another exploration is at work here.
    pub(super) async fn in_database(database: &Database) -> Result<Option<Self>, OpenError> {
        let flavour = database.engine.flavour;
        if flavour == Flavour::Sqlite || database.is_pooled {
            return Ok(None);
        }
        let mut connection = database.connection().await?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            if is_taken_here(&mut connection, flavour).await? {
                return Ok(Some(Self { connection }));
            }
            if Instant::now() >= deadline {
                break;
            }
            sleep(PAUSE).await;
        }
        let whose = whose(&mut connection, flavour).await.unwrap_or_default();
        connection.give_back();
        Err(OpenError::InUse(in_words(&whose)))
    }

    /// Lets others work here again.
    pub(super) async fn end(mut self) {
        self.connection.hang_up().await;
    }
}

/// Whether this connection has got the lock.
async fn is_taken_here(connection: &mut Connection, flavour: Flavour) -> Result<bool, Fault> {
    let sql = match flavour {
        Flavour::Postgres => format!(
            "SELECT CAST(CASE WHEN pg_try_advisory_lock({NUMBERS}) THEN 1 ELSE 0 END AS BIGINT)"
        ),
        Flavour::MySql | Flavour::MariaDb | Flavour::Sqlite => {
            format!("SELECT CAST(GET_LOCK({NAME}, 0) AS SIGNED)")
        }
    };
    let rows = connection.integers::<1>(&sql, [0_i64; 0]).await?;
    Ok(rows.first() == Some(&[Some(1)]))
}

/// The connection that has the lock: its number, user, host, and for how many seconds it has been
/// as it is. Empty if the server does not show it to this user.
async fn whose(connection: &mut Connection, flavour: Flavour) -> Result<Vec<String>, Fault> {
    let sql = match flavour {
        Flavour::Postgres => "SELECT CAST(pid AS TEXT), CAST(COALESCE(usename, '') AS TEXT), \
                    COALESCE(host(client_addr), 'this machine'), \
                    CAST(CAST(EXTRACT(EPOCH FROM now() - backend_start) AS BIGINT) AS TEXT) \
             FROM pg_locks JOIN pg_stat_activity USING (pid) \
             WHERE locktype = 'advisory' AND classid = 1382114169 AND objid = 1 AND objsubid = 2 \
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            .to_owned(),
        Flavour::MySql | Flavour::MariaDb | Flavour::Sqlite => format!(
            "SELECT CAST(id AS CHAR), CAST(user AS CHAR), CAST(host AS CHAR), CAST(time AS CHAR) \
             FROM information_schema.processlist WHERE id = IS_USED_LOCK({NAME})"
        ),
    };
    let rows = connection.rows(&sql, [0_i64; 0]).await?;
    let row = rows.first().map(|row| (0..4).map(|it| row.text(it)));
    row.into_iter().flatten().collect()
}

fn in_words(whose: &[String]) -> String {
    let who = match whose {
        [number, user, host, seconds] => {
            format!(" (connection {number} of {user} at {host}, for {seconds} s)")
        }
        _ => String::new(),
    };
    format!(
        "another `racy explore --in-place` is at work in this database{who}: two would bring back each \
         other's rows. Wait until it has ended or end it, or name another database"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_the_other_one_is_said() {
        let known = ["12", "shop", "10.0.0.7:4711", "34"].map(str::to_owned);
        let said = in_words(&known);
        let words = "in this database (connection 12 of shop at 10.0.0.7:4711, for 34 s): two";
        assert!(said.contains(words), "{said}");
        assert!(in_words(&[]).contains("in this database: two"));
    }
}
