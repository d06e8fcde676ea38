//! Whose a statement is: the statements of all connections become clients.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::sessions::Entry;
use crate::engine::ConnectionId;
use crate::proxy::Heard;

/// What one client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    /// What came between two pauses of this length, without an open transaction. Connections that
    /// were at work at once are clients of their own.
    Pause(Duration),
    /// One connection, from its first statement to its last.
    Connection,
    /// What came on one connection up to the end of a transaction, or up to its last statement.
    Transaction,
}

/// Statements in their order. There is at least one.
pub(super) type Statements<'h> = Vec<&'h Entry>;

/// One client.
pub(super) struct Client<'h> {
    /// As people know it: the listing has the same name, if that is known when statements come.
    pub(super) name: String,
    pub(super) statements: Statements<'h>,
}

/// The name of a client, by its place in the order of pauses. It is numbered from 1.
pub(super) fn numbered(number: usize) -> String {
    format!("client {number}")
}

/// The name of a connection's part in a client, or of a connection alone.
pub(super) fn on_connection(client: Option<&str>, connection: ConnectionId) -> String {
    let client = client.map(|it| format!("{it}, ")).unwrap_or_default();
    format!("{client}connection {connection}")
}

/// Deals the statements out to clients, in the order in which these began. What drivers send for
/// themselves belongs to nobody.
pub(super) fn clients(entries: &[Entry], each: Each) -> Vec<Client<'_>> {
    let heard: Vec<&Entry> = entries.iter().filter(|it| it.noise.is_none()).collect();
    let mut clients: Vec<Client<'_>> = match each {
        Each::Connection => by_connection(&heard).into_iter().map(connection).collect(),
        Each::Transaction => by_connection(&heard)
            .into_iter()
            .flat_map(transactions)
            .collect(),
        Each::Pause(pause) => between_pauses(&heard, pause)
            .into_iter()
            .zip(1..)
            .flat_map(|(part, number)| requests(part, number))
            .collect(),
    };
    clients.sort_by_key(|it| it.statements[0].heard.came);
    clients
}

fn connection(statements: Statements<'_>) -> Client<'_> {
    let name = on_connection(None, statements[0].heard.connection);
    Client { name, statements }
}

fn transactions(connection: Statements<'_>) -> Vec<Client<'_>> {
    let of = on_connection(None, connection[0].heard.connection);
    let parts = by_transaction(connection).into_iter().zip(1_usize..);
    let client = |(statements, number)| Client {
        name: format!("{of}, transaction {number}"),
        statements,
    };
    parts.map(client).collect()
}

/// The client between two pauses, or one for each of its connections.
fn requests(part: Statements<'_>, number: usize) -> Vec<Client<'_>> {
    let parts = apart_if_at_once(part);
    let is_whole = parts.len() == 1;
    let client = numbered(number);
    let named = parts.into_iter().map(|statements| {
        let name = match is_whole {
            true => client.clone(),
            false => on_connection(Some(&client), statements[0].heard.connection),
        };
        Client { name, statements }
    });
    named.collect()
}

fn by_connection<'h>(heard: &[&'h Entry]) -> Vec<Statements<'h>> {
    let mut connections: BTreeMap<ConnectionId, Statements<'h>> = BTreeMap::new();
    for statement in heard {
        let of_connection = connections.entry(statement.heard.connection);
        of_connection.or_default().push(statement);
    }
    connections.into_values().collect()
}

fn by_transaction(heard: Statements<'_>) -> Vec<Statements<'_>> {
    let mut clients = Vec::new();
    let mut client = Vec::new();
    for statement in heard {
        client.push(statement);
        let (before, after) = (statement.heard.before, statement.heard.after);
        if before.in_transaction && !after.in_transaction {
            clients.push(std::mem::take(&mut client));
        }
    }
    if !client.is_empty() {
        clients.push(client);
    }
    clients
}

/// Cuts where nothing came for this time and no transaction was open.
fn between_pauses<'h>(heard: &[&'h Entry], pause: Duration) -> Vec<Statements<'h>> {
    let mut cutter = Cutter::new(pause);
    let mut parts: Vec<Statements<'h>> = Vec::new();
    for statement in heard {
        let is_new = cutter.begins_another(&statement.heard);
        match parts.last_mut().filter(|_| !is_new) {
            Some(part) => part.push(statement),
            None => parts.push(vec![statement]),
        }
    }
    parts
}

/// Tells where a pause was, statement by statement.
#[derive(Debug)]
pub(super) struct Cutter {
    pause: Duration,
    /// When the last statement was answered.
    last: Option<Instant>,
    /// The connections with an open transaction.
    open: BTreeSet<ConnectionId>,
}

impl Cutter {
    pub(super) fn new(pause: Duration) -> Self {
        Self {
            pause,
            last: None,
            open: BTreeSet::new(),
        }
    }

    /// Whether a pause is over when this statement comes.
    pub(super) fn is_after_a_pause(&self, heard: &Heard) -> bool {
        let is_open = !self.open.is_empty();
        self.last
            .is_none_or(|last| heard.came.saturating_duration_since(last) >= self.pause && !is_open)
    }

    /// Whether this statement is the first one after a pause.
    pub(super) fn begins_another(&mut self, heard: &Heard) -> bool {
        let has_paused = self.is_after_a_pause(heard);
        self.last = self.last.max(Some(heard.answered));
        if heard.after.in_transaction {
            self.open.insert(heard.connection);
        } else {
            self.open.remove(&heard.connection);
        }
        has_paused
    }
}

/// What came between two pauses, as one client. If connections were at work at once, each is one.
fn apart_if_at_once(heard: Statements<'_>) -> Vec<Statements<'_>> {
    let connections = by_connection(&heard);
    let spans: Vec<_> = connections.iter().map(|it| spans(it)).collect();
    let meet = spans.iter().enumerate().any(|(at, one)| {
        spans[at + 1..].iter().any(|other| {
            one.iter()
                .any(|one| other.iter().any(|other| one.0 < other.1 && other.0 < one.1))
        })
    });
    if meet { connections } else { vec![heard] }
}

/// When a connection was at work: its transactions, and its statements outside of them.
fn spans(heard: &[&Entry]) -> Vec<(Instant, Instant)> {
    let mut spans: Vec<(Instant, Instant)> = Vec::new();
    for statement in heard.iter().map(|it| &it.heard) {
        match spans.last_mut().filter(|_| statement.before.in_transaction) {
            Some(span) => span.1 = statement.answered,
            None => spans.push((statement.came, statement.answered)),
        }
    }
    spans
}
