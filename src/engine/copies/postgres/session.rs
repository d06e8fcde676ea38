//! What is set in the transactions that copy and bring back. It ends with them, so that nothing is
//! left on the connection.

use serde::{Deserialize, Serialize};

use crate::engine::Fault;
use crate::engine::connection::Connection;
use crate::engine::copies::texts::texts;

/// Nobody is waited for longer than a second. A row that a policy hides is an error and not
/// missing. A plan is the plain one: the tables are read whole, in the order of their rows.
const SET: &str = "SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = 0; \
     SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL row_security = off; \
     SET LOCAL standard_conforming_strings = on; SET LOCAL jit = off; \
     SET LOCAL enable_nestloop = off; SET LOCAL synchronize_seqscans = off; \
     SET LOCAL max_parallel_workers_per_gather = 0";

/// Keeps triggers, rules and foreign keys still. Those that are set to act always are refused.
const STILL: &str = "SET LOCAL session_replication_role = replica";

/// How triggers, rules and foreign keys are kept still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Stillness {
    /// There are none that act.
    NotNeeded,
    /// The user may switch them off for a transaction.
    Allowed,
    /// This user may not.
    Refused(String),
}

impl Stillness {
    /// Why rows cannot be brought back. None if they can.
    pub(super) fn refusal(&self) -> Option<String> {
        match self {
            Self::NotNeeded | Self::Allowed => None,
            Self::Refused(user) => Some(format!(
                "user {user} may not set session_replication_role, which keeps triggers, rules and \
                 foreign keys still while rows come back (from PostgreSQL 15 on, a superuser allows \
                 it: GRANT SET ON PARAMETER session_replication_role TO …; before, name a superuser \
                 in --database-url)"
            )),
        }
    }
}

/// Begins the transaction in which copies are taken. All of it sees one snapshot.
pub(super) async fn begin_to_take(connection: &mut Connection) -> Result<(), Fault> {
    begin(connection, "REPEATABLE READ", "").await
}

/// Begins a transaction that brings rows back. A crash of the server may undo it: then the copies
/// are still there, so it waits for no disk.
pub(super) async fn begin_to_bring_back(
    connection: &mut Connection,
    stillness: &Stillness,
) -> Result<(), Fault> {
    let still = match stillness {
        Stillness::Allowed => format!("; {STILL}"),
        Stillness::NotNeeded | Stillness::Refused(_) => String::new(),
    };
    let more = format!("; SET LOCAL synchronous_commit = off{still}");
    begin(connection, "READ COMMITTED", &more).await
}

async fn begin(connection: &mut Connection, level: &str, more: &str) -> Result<(), Fault> {
    let begin = format!("BEGIN ISOLATION LEVEL {level} READ WRITE; {SET}{more}");
    connection.command(&begin).await
}

/// Ends the transaction without a trace, if need be with its connection.
pub(super) async fn give_up(connection: &mut Connection) {
    if connection.command("ROLLBACK").await.is_err() {
        connection.hang_up().await;
    }
}

/// How triggers and foreign keys can be kept still. The right is tried: what a superuser, a grant
/// and a service of others allow is known to the server alone.
pub(super) async fn stillness(connection: &mut Connection) -> Result<Stillness, Fault> {
    const ACT: &str = "SELECT CAST(EXISTS (SELECT FROM pg_trigger \
             WHERE tgenabled <> 'D' AND tgrelid >= 16384) \
         OR EXISTS (SELECT FROM pg_rewrite \
             WHERE rulename <> '_RETURN' AND ev_enabled <> 'D' AND ev_class >= 16384) AS TEXT)";
    const FOUND: &str = "SELECT current_setting('session_replication_role'), \
         CAST(current_user AS TEXT)";
    let acts = texts(connection, ACT, &[]).await?.into_iter().next();
    if acts == Some(["false".to_owned()]) {
        return Ok(Stillness::NotNeeded);
    }
    let tried =
        format!("DO $$ BEGIN {STILL}; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$");
    connection.command(&tried).await?;
    let found = texts(connection, FOUND, &[]).await?.into_iter().next();
    let [role, user] = found.unwrap_or_default();
    if role == "replica" {
        Ok(Stillness::Allowed)
    } else {
        Ok(Stillness::Refused(user))
    }
}
