//! What a new connection is told and asked before a client gets it, in one round trip.
//!
//! It is asked for each value that it was told to set. So every connection is like the first one,
//! even if the server, the role or a pooler has been changed in the meantime. A connection that
//! would be different is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection, Row as _};

use super::presets::are_the_same;
use super::{Fault, pooler};

/// A connection that runs statements by the protocol that prepares nothing and returns texts.
pub(super) trait TextProtocol: Connection {
    /// Runs these statements in one round trip, and returns all rows. All columns must be texts.
    fn ask(&mut self, sql: &str) -> impl Future<Output = Result<Vec<Vec<String>>, Fault>> + Send;
}

macro_rules! text_protocol {
    ($connection:ty) => {
        impl TextProtocol for $connection {
            async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<String>>, Fault> {
                let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(self).await?;
                let texts = rows.iter().map(|row| {
                    let columns = (0..row.len()).map(|column| row.try_get(column));
                    columns.collect::<Result<Vec<String>, _>>()
                });
                Ok(texts.collect::<Result<_, _>>()?)
            }
        }
    };
}

text_protocol!(MySqlConnection);
text_protocol!(PgConnection);
text_protocol!(SqliteConnection);

/// A value that every connection must have.
#[derive(Debug)]
pub(super) struct Requirement {
    /// What it is, for people.
    pub(super) name: String,
    /// The SQL expression for the value, a text.
    pub(super) expression: String,
    /// What the value must be.
    pub(super) value: String,
    /// What goes wrong otherwise.
    pub(super) why: String,
}

impl Requirement {
    /// Refuses a connection on which the value is `actual`.
    fn refuse(&self, actual: &str) -> Fault {
        Fault::unavailable(format!(
            "{} is {actual}, and must be {}: otherwise {}. This user may not set it, or something \
             resets it. Change what presets it: the server's settings, ALTER ROLE, init_connect or \
             a pooler",
            self.name, self.value, self.why
        ))
    }
}

/// What every connection of a pool is told and asked. The default tells and asks nothing.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    /// Statements that set something.
    pub(super) told: Vec<String>,
    /// What must be true afterwards.
    pub(super) needed: Vec<Requirement>,
    /// The SQL expression for the engine's number of the connection, a text.
    pub(super) number: Option<&'static str>,
    /// How each transaction begins behind a pooler. None if nothing can be done about a pooler.
    pub(super) behind_a_pooler: Option<Arc<pooler::Beginning>>,
    /// Whether a pooler changes the backend of a connection between two transactions.
    pub(super) is_pooled: AtomicBool,
    /// How long an answer may take. None if there is no limit.
    pub(super) patience: Option<Duration>,
}

impl Greeting {
    /// Adds a requirement. `expression` is the SQL expression for the value, a text.
    pub(super) fn need(&mut self, name: &str, expression: String, value: &str, why: &str) {
        self.needed.push(Requirement {
            name: name.to_owned(),
            expression,
            value: value.to_owned(),
            why: why.to_owned(),
        });
    }

    /// Leaves out the statements that this server refuses, if all values are right without them. A
    /// value that is not as required is an error.
    pub(super) async fn tried_on(
        mut self,
        connection: &mut impl TextProtocol,
    ) -> Result<Self, Fault> {
        if let Err(fault) = connection.ask(&self.told.join("; ")).await {
            if !fault.is_an_answer() {
                return Err(fault);
            }
            self.told = accepted(connection, self.told, ["", ""]).await?;
        }
        self.greet(connection).await?;
        Ok(self)
    }

    /// Tells and asks. Returns the engine's number for the connection, if it has one. A value that
    /// is not as required is an error.
    pub(super) async fn greet(
        &self,
        connection: &mut impl TextProtocol,
    ) -> Result<Option<i64>, Fault> {
        let asked = self.needed.iter().map(|it| it.expression.as_str());
        let question: Vec<_> = self.number.into_iter().chain(asked).collect();
        let mut statements = self.told.clone();
        if !question.is_empty() {
            statements.push(format!("SELECT {}", question.join(", ")));
        }
        if statements.is_empty() {
            return Ok(None);
        }
        let answer = connection.ask(&statements.join("; ")).await?;
        let mut values = answer.into_iter().next().unwrap_or_default().into_iter();
        let number = match self.number {
            Some(_) => values.next().and_then(|number| number.parse().ok()),
            None => None,
        };
        for requirement in &self.needed {
            let actual = values.next().unwrap_or_default();
            if !are_the_same(&actual, &requirement.value) {
                return Err(requirement.refuse(&actual));
            }
        }
        Ok(number)
    }

    /// Whether an idle connection still works, and still has the backend that it had.
    pub(super) async fn is_as_it_was(
        &self,
        connection: &mut impl TextProtocol,
        number: Option<i64>,
    ) -> bool {
        let (Some(number), Some(question)) = (number, self.number) else {
            return connection.ping().await.is_ok();
        };
        match connection.ask(&format!("SELECT {question}")).await {
            Ok(answer) => {
                let is_the_same = answer
                    .first()
                    .is_some_and(|row| row == &[number.to_string()]);
                if !is_the_same {
                    self.notice_a_pooler();
                }
                is_the_same
            }
            Err(_) => false,
        }
    }

    pub(super) fn is_pooled(&self) -> bool {
        self.is_pooled.load(Ordering::Relaxed)
    }

    /// Notes a pooler that was not noticed at the start.
    pub(super) fn notice_a_pooler(&self) {
        if !self.is_pooled.swap(true, Ordering::Relaxed) {
            tracing::warn!("{}", pooler::noticed(self.behind_a_pooler.as_deref()));
        }
    }
}

/// The statements that this server accepts. Each is tried between `before` and `after`. Only a
/// server that does not answer is an error.
pub(super) async fn accepted(
    connection: &mut impl TextProtocol,
    statements: Vec<String>,
    [before, after]: [&str; 2],
) -> Result<Vec<String>, Fault> {
    let mut accepted = Vec::new();
    for statement in statements {
        let tried = connection.ask(&format!("{before}{statement}")).await;
        if !after.is_empty() {
            connection.ask(after).await?;
        }
        match tried {
            Ok(_) => accepted.push(statement),
            // The requirements are checked afterwards, and tell whether the refusal matters.
            Err(refusal) if refusal.is_an_answer() => tracing::debug!("{statement}: {refusal}"),
            Err(fault) => return Err(fault),
        }
    }
    Ok(accepted)
}
