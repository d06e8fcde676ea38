//! What a new connection is told and asked before it serves anybody, in one round trip.
//!
//! It is asked for each value that it was told to set. So every connection is as the first one was,
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

/// A connection that is told and asked things as text, by the protocol that needs no preparing.
pub(super) trait Greets: Connection {
    /// Runs these statements in one round trip, and returns all rows, whose columns are texts.
    fn hear(&mut self, sql: &str) -> impl Future<Output = Result<Vec<Vec<String>>, Fault>> + Send;
}

macro_rules! greets {
    ($connection:ty) => {
        impl Greets for $connection {
            async fn hear(&mut self, sql: &str) -> Result<Vec<Vec<String>>, Fault> {
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

greets!(MySqlConnection);
greets!(PgConnection);
greets!(SqliteConnection);

/// Something that has to be so on every connection.
#[derive(Debug)]
pub(super) struct Needed {
    /// What it is, for people.
    pub(super) name: String,
    /// The SQL expression, a text, that says what it is here.
    pub(super) expression: String,
    /// What it has to be.
    pub(super) value: String,
    /// What goes wrong otherwise.
    pub(super) why: String,
}

impl Needed {
    fn complain(&self, is: &str) -> Fault {
        Fault::unavailable(format!(
            "{} is {is}, and has to be {}: otherwise {}. This user may not set it, or something \
             resets it. Change what presets it: the server's settings, ALTER ROLE, init_connect or \
             a pooler",
            self.name, self.value, self.why
        ))
    }
}

/// What every connection of a pool is told and asked. The default says and asks nothing.
#[derive(Debug, Default)]
pub(super) struct Greeting {
    /// Statements that set something.
    pub(super) told: Vec<String>,
    /// What has to be so afterwards.
    pub(super) needed: Vec<Needed>,
    /// The SQL expression, a text, for the engine's number of the connection.
    pub(super) number: Option<&'static str>,
    /// What begins each transaction behind a pooler; None where nothing can be done about one.
    pub(super) behind_a_pooler: Option<Arc<pooler::Beginning>>,
    /// Whether a pooler changes the connection's backend between two transactions.
    pub(super) is_pooled: AtomicBool,
    /// How long an answer is waited for; None where it may take any time.
    pub(super) patience: Option<Duration>,
}

impl Greeting {
    /// Adds something that has to be so, which the SQL expression, a text, says.
    pub(super) fn need(&mut self, name: &str, expression: String, value: &str, why: &str) {
        self.needed.push(Needed {
            name: name.to_owned(),
            expression,
            value: value.to_owned(),
            why: why.to_owned(),
        });
    }

    /// Leaves out the statements that this server refuses, if all values are right without them.
    ///
    /// # Errors
    /// As the server refuses; or what is not as it has to be.
    pub(super) async fn tried_on(mut self, connection: &mut impl Greets) -> Result<Self, Fault> {
        if let Err(fault) = connection.hear(&self.told.join("; ")).await {
            if !fault.is_an_answer() {
                return Err(fault);
            }
            self.told = accepted(connection, self.told, ["", ""]).await?;
        }
        self.greet(connection).await?;
        Ok(self)
    }

    /// Tells and asks, and returns the engine's number for the connection, where it has one.
    ///
    /// # Errors
    /// As the server refuses; or what is not as it has to be.
    pub(super) async fn greet(&self, connection: &mut impl Greets) -> Result<Option<i64>, Fault> {
        let asked = self.needed.iter().map(|it| it.expression.as_str());
        let question: Vec<_> = self.number.into_iter().chain(asked).collect();
        let mut statements = self.told.clone();
        if !question.is_empty() {
            statements.push(format!("SELECT {}", question.join(", ")));
        }
        if statements.is_empty() {
            return Ok(None);
        }
        let answer = connection.hear(&statements.join("; ")).await?;
        let mut answer = answer.into_iter().next().unwrap_or_default().into_iter();
        let number = match self.number {
            Some(_) => answer.next().and_then(|number| number.parse().ok()),
            None => None,
        };
        for needed in &self.needed {
            let is = answer.next().unwrap_or_default();
            if !are_the_same(&is, &needed.value) {
                return Err(needed.complain(&is));
            }
        }
        Ok(number)
    }

    /// Whether a connection that has lain idle is still there, and still the one that it was.
    pub(super) async fn is_as_it_was(
        &self,
        connection: &mut impl Greets,
        number: Option<i64>,
    ) -> bool {
        let (Some(number), Some(question)) = (number, self.number) else {
            return connection.ping().await.is_ok();
        };
        match connection.hear(&format!("SELECT {question}")).await {
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

    /// Notes that a pooler is in between, which was not noticed at the start.
    pub(super) fn notice_a_pooler(&self) {
        if !self.is_pooled.swap(true, Ordering::Relaxed) {
            tracing::warn!("{}", pooler::noticed(self.behind_a_pooler.as_deref()));
        }
    }
}

/// Of these statements, those that this server takes; each is tried between `before` and `after`.
///
/// # Errors
/// Where it does not answer.
pub(super) async fn accepted(
    connection: &mut impl Greets,
    statements: Vec<String>,
    [before, after]: [&str; 2],
) -> Result<Vec<String>, Fault> {
    let mut accepted = Vec::new();
    for statement in statements {
        let tried = connection.hear(&format!("{before}{statement}")).await;
        if !after.is_empty() {
            connection.hear(after).await?;
        }
        match tried {
            Ok(_) => accepted.push(statement),
            // Whether that matters is asked afterwards.
            Err(refusal) if refusal.is_an_answer() => tracing::debug!("{statement}: {refusal}"),
            Err(fault) => return Err(fault),
        }
    }
    Ok(accepted)
}
