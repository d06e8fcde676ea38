//! What is stored, as another client reads it.

use std::borrow::Cow;
use std::fmt;

use crate::engine::{Database, Fault, Isolation, Session};
use crate::step::{Observer, Parked, Record, Step, Turn};

/// A named value that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredValue {
    /// Its name, e.g. `balance`.
    pub name: Cow<'static, str>,
    /// The value, as the engine's own client shows it.
    pub value: String,
}

impl StoredValue {
    /// A value with this name.
    pub fn new(name: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        Self {
            name: name.into(),
            value: value.to_string(),
        }
    }
}

/// A session to look in: it sees what is committed, locks no row and waits for no lock.
pub async fn session_to_look_in(database: &Database) -> Result<Session<'static>, Fault> {
    let mut session = database.session(&Impatient).await?;
    session.begin_at(Isolation::ReadCommitted).await?;
    Ok(session)
}

/// Sees nothing, and gives up where a step would have to be tried again.
#[derive(Debug)]
struct Impatient;

impl Observer for Impatient {
    fn before<'a>(&'a self, _step: &'a Step) -> Parked<'a> {
        Box::pin(std::future::ready(()))
    }

    fn held_up<'a>(&'a self, _step: &'a Step) -> Option<Turn<'a>> {
        Some(Box::pin(std::future::ready(false)))
    }

    fn after(&self, _record: &Record) {}
}
