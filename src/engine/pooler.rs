//! A pooler between this program and the server, such as PgBouncer with `pool_mode=transaction`.
//!
//! It lends a client a connection of its own, a backend, for one transaction, and another one for
//! the next. What is set for a session then belongs to a backend, and to the next client that gets
//! it. So nothing is set for a session behind a pooler, and nothing is prepared. Each transaction
//! sets all that it relies on when it begins. A statement outside a transaction becomes a
//! transaction of one.

use std::sync::Arc;

use sqlx::ConnectOptions;

use super::connection::Connection;
use super::greeting::Greets;
use super::pool::hang_up;
use super::{Fault, Isolation};

/// How a transaction begins behind a pooler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beginning {
    /// The level of a transaction that asks for none.
    pub(super) level: Isolation,
    /// What is set for the transaction alone.
    pub(super) settings: Vec<String>,
}

impl Beginning {
    /// The statements that begin a transaction, in one round trip. None of them takes a snapshot.
    pub(super) fn spell(&self, begin: &str) -> String {
        let begin = match begin.contains("ISOLATION LEVEL") {
            true => begin.to_owned(),
            false => format!("BEGIN ISOLATION LEVEL {}", self.level.sql()),
        };
        let settings = self.settings.iter().map(|it| format!("; {it}"));
        std::iter::once(begin).chain(settings).collect()
    }
}

/// What a connection has to know behind a pooler.
pub(super) struct BehindAPooler {
    pub(super) beginning: Arc<Beginning>,
    pub(super) is_in_transaction: bool,
}

impl Connection {
    pub(super) fn is_behind_a_pooler(&mut self) -> bool {
        self.behind_a_pooler().is_some()
    }

    /// Begins a transaction where a statement would be without one, and says whether it did.
    pub(super) async fn begin_alone(&mut self) -> Result<bool, Fault> {
        match self.behind_a_pooler() {
            Some(behind) if !behind.is_in_transaction => {
                self.begin_behind_a_pooler("BEGIN").await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Ends what [`begin_alone`](Self::begin_alone) has begun.
    pub(super) async fn end_alone<T>(
        &mut self,
        alone: bool,
        done: Result<T, Fault>,
    ) -> Result<T, Fault> {
        if !alone {
            return done;
        }
        let ending = match &done {
            Ok(_) => "COMMIT",
            Err(_) => "ROLLBACK",
        };
        let ended = self.command_behind_a_pooler(ending).await;
        let done = done?;
        ended?;
        Ok(done)
    }

    async fn begin_behind_a_pooler(&mut self, begin: &str) -> Result<(), Fault> {
        let Some(behind) = self.behind_a_pooler() else {
            return self.send(begin).await;
        };
        let begin = behind.beginning.spell(begin);
        // Where only a part of it was done, a transaction may be open: the connection is given up.
        let begun = self.send(&begin).await;
        begun.map_err(|fault| Fault::unavailable(fault.to_string()))?;
        self.set_in_transaction(true);
        Ok(())
    }

    pub(super) async fn command_behind_a_pooler(&mut self, sql: &str) -> Result<(), Fault> {
        if sql.starts_with("BEGIN") {
            return self.begin_behind_a_pooler(sql).await;
        }
        if matches!(sql, "COMMIT" | "ROLLBACK") {
            let ended = self.send(sql).await;
            self.set_in_transaction(false);
            return ended;
        }
        let alone = Box::pin(self.begin_alone()).await?;
        let done = self.send(sql).await;
        Box::pin(self.end_alone(alone, done)).await
    }

    fn set_in_transaction(&mut self, is_in_transaction: bool) {
        if let Some(behind) = self.behind_a_pooler() {
            behind.is_in_transaction = is_in_transaction;
        }
    }
}

/// What is said of a pooler.
pub(super) fn noticed(beginning: Option<&Beginning>) -> String {
    match beginning {
        Some(beginning) => format!(
            "a pooler is in between, which gives each transaction another connection: each one is \
             begun at {} and with the settings that it needs, also where it is a statement alone; \
             that costs round trips, and figures of time are the pooler's too",
            beginning.level
        ),
        None => format!("{IN_BETWEEN}: {DIRECTLY}"),
    }
}

/// Why nothing can be done behind a pooler.
pub(super) fn refused(what: &str) -> String {
    format!("{IN_BETWEEN}, and {what}: {DIRECTLY}")
}

const IN_BETWEEN: &str = "a pooler is in between, which gives each transaction another connection";

const DIRECTLY: &str = "name the server itself, or a pooler that keeps one connection for each \
                        client (PgBouncer: pool_mode=session)";

/// Whether this connection and a second one to this address share the server's connections, or the
/// first one changes the server's connection between two transactions.
///
/// A pooler hands out the connection that was given back last, or the one that has waited longest.
/// In the first case the second client gets the first one's. In the other a client that asks twice
/// gets two of them, or the only one, which the second client gets as well. `question` begins a
/// transaction and asks for the number of the connection; `end` ends it, whatever the server
/// presets.
///
/// # Errors
/// As the server refuses.
pub(super) async fn is_in_between<O>(
    options: &O,
    one: &mut O::Connection,
    question: &str,
    end: &str,
) -> Result<bool, Fault>
where
    O: ConnectOptions<Connection: Greets + Sized>,
{
    let number = number_in_a_transaction(one, question, end).await?;
    if number_in_a_transaction(one, question, end).await? != number {
        return Ok(true);
    }
    let Ok(mut other) = options.connect().await else {
        // The server lets only one in.
        return Ok(false);
    };
    let is_shared = other.hear(question).await? == number;
    // Where the other one has the only one, there is nothing more to ask.
    let is_in_between = is_shared || number_in_a_transaction(one, question, end).await? != number;
    other.hear(end).await?;
    hang_up(other).await;
    Ok(is_in_between)
}

async fn number_in_a_transaction(
    connection: &mut impl Greets,
    question: &str,
    end: &str,
) -> Result<Vec<Vec<String>>, Fault> {
    let number = connection.hear(question).await?;
    connection.hear(end).await?;
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transaction_begins_with_all_that_it_relies_on() {
        let beginning = Beginning {
            level: Isolation::Serializable,
            settings: vec!["SET LOCAL lock_timeout = '5s'".to_owned()],
        };
        assert_eq!(
            beginning.spell("BEGIN"),
            "BEGIN ISOLATION LEVEL SERIALIZABLE; SET LOCAL lock_timeout = '5s'"
        );
        assert_eq!(
            beginning.spell("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '5s'"
        );
    }
}
