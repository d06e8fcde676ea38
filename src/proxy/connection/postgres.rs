//! A connection of PostgreSQL's protocol.
//!
//! What a client sends is forwarded in units: a statement with all that belongs to it. See
//! [`Unit`].

use std::io;

use tokio::sync::mpsc;

use super::entrance::Authenticated;
use super::exchange::Connection;
use super::postgres_entrance::{ask, authenticate};
use super::protocol::Protocol;
use super::served::{AnnouncedState, Dealt, Gatekeeper, Order, Served};
use crate::answer::Answer;
use crate::engine::{ConnectionId, Fault, Flavour, StatementKind, UserStatement};
use crate::proxy::postgres::{
    Conversation, Message, MessageReader, Outcome, Progress, SetAside, Unit, What, is_of_drivers,
};
use crate::proxy::statement::{executed, of_the_lab, outcome_of, sent};
use crate::proxy::turns::Arrived;
use crate::proxy::wire::Wire;

/// One connection, when the client is in.
pub(in crate::proxy) type PostgresConnection = Connection<Conversation>;

impl PostgresConnection {
    /// Lets the client in. None if it did not get in, or only asked to cancel a statement; it was
    /// told why. Orders may be sent to a connection as long as it is served.
    pub(in crate::proxy) async fn open(
        mut client: Wire<MessageReader>,
        mut server: Wire<MessageReader>,
        gatekeeper: &Gatekeeper<'_>,
    ) -> io::Result<Option<(Self, mpsc::Sender<Order>)>> {
        let (database, remarks) = (gatekeeper.database, gatekeeper.remarks);
        let Some(startup) = ask(&mut client, &mut server, database, remarks).await? else {
            return Ok(None);
        };
        let mut conversation = Conversation::new(&startup);
        let ended = authenticate(&mut client, &mut server, &mut conversation, remarks).await?;
        if ended != Authenticated::IsIn {
            return Ok(None);
        }
        let id = ConnectionId::from(i64::from(conversation.process().unwrap_or_default()));
        let (mut connection, orders) = Self::begin(id, client, server, conversation, gatekeeper);
        for (name, value) in &startup.settings {
            if !is_of_drivers(name) {
                let set = sent(&as_a_statement(name, value), Flavour::Postgres);
                connection.served.has_set(set);
            }
        }
        Ok(Some((connection, orders)))
    }

    /// Serves the connection to its end.
    pub(in crate::proxy) async fn serve(mut self) -> io::Result<()> {
        self.follow_session();
        loop {
            while let Some(unit) = self.conversation.next_unit() {
                self.client.has_more(self.conversation.has_requests());
                match self.deal_with(unit).await? {
                    Dealt::GoesOn => {}
                    Dealt::Closed => return Ok(()),
                    Dealt::NotUnderstood(why) => return self.only_forward(&why).await,
                }
            }
            tokio::select! {
                biased;
                // A notification, a setting that has changed, or the end of an idle connection.
                unasked = self.server.packet() => match unasked? {
                    Some(message) => {
                        let progress = self.conversation.answer(&message);
                        self.client.send_packet(&message).await?;
                        if let Progress::NotUnderstood(why) = progress {
                            return self.only_forward(&why).await;
                        }
                    }
                    None => return Ok(()),
                },
                message = self.client.packet() => {
                    let Ok(Some(message)) = message else { return self.leave(None).await };
                    self.conversation.client(message);
                }
                order = self.served.orders.recv() => {
                    self.obey(order, self.conversation.is_idle()).await?;
                }
            }
        }
    }

    /// Nothing is understood from here on.
    async fn only_forward(mut self, why: &str) -> io::Result<()> {
        let rest = self.conversation.take_held();
        self.server.send(&rest).await?;
        self.served.loses_sight(why);
        self.client.join(self.server).await
    }

    /// Holds and forwards one unit, and its answer.
    async fn deal_with(&mut self, unit: Unit) -> io::Result<Dealt> {
        let arrived = match &unit.what {
            What::Passes => None,
            What::Query { text } => Some(self.statement(sent(text, Flavour::Postgres))),
            What::Execute { text, arguments } => {
                let executed = executed(text.as_deref(), arguments, Flavour::Postgres);
                Some(self.statement(executed))
            }
            What::Commit => {
                let shown = "COMMIT /* Sync */".to_owned();
                Some(of_the_lab("COMMIT", shown, Flavour::Postgres))
            }
            What::Terminate => {
                self.leave(Some(unit.bytes)).await?;
                return Ok(Dealt::Closed);
            }
            What::Opaque(why) => {
                self.server.send(&unit.bytes).await?;
                return Ok(Dealt::NotUnderstood(why.clone()));
            }
        };
        let preparation = unit.prepares().map(|it| sent(&it, Flavour::Postgres));
        let preparation = self.served.hear(preparation.as_ref());
        // Without its Sync, a statement is in a transaction of several already.
        let may_split = unit.ends_its_transaction();
        let Some(mut held) = self.forward(arrived, may_split, &unit.bytes).await? else {
            return Ok(Dealt::Closed);
        };
        held.prepares(preparation);
        if !may_split {
            held.does_not_commit_itself();
        }
        if unit.awaits_answer {
            self.answer(held).await
        } else {
            Ok(Dealt::GoesOn)
        }
    }

    /// A COMMIT of a transaction in which a statement was refused is a ROLLBACK.
    fn statement(&self, arrived: Arrived) -> Arrived {
        if arrived.statement.kind == StatementKind::Commit && self.conversation.has_failed() {
            Arrived {
                statement: UserStatement::new("ROLLBACK", Flavour::Postgres),
                shown: format!("{} /* rolls back */", arrived.shown),
                ..arrived
            }
        } else {
            arrived
        }
    }
}

impl Protocol for Conversation {
    type Framing = MessageReader;
    type Outcome = Outcome;
    type SetAside = SetAside;

    /// Each statement outside a block is a transaction of its own.
    fn session(&self) -> AnnouncedState {
        AnnouncedState {
            in_transaction: self.in_transaction(),
            autocommit: true,
        }
    }

    fn follow(&mut self, message: &Message) -> Progress {
        self.answer(message)
    }

    /// The server may refuse one of the rows of a COPY while the client sends them.
    async fn next_packet(
        &mut self,
        client: &mut Wire<MessageReader>,
        server: &mut Wire<MessageReader>,
        served: &mut Served,
        sends_rows: &mut bool,
    ) -> io::Result<Option<Message>> {
        while *sends_rows {
            let message = match self.take_early_data() {
                Some(message) => message,
                None => tokio::select! {
                    biased;
                    message = server.packet() => return message,
                    message = client.packet() => match message? {
                        Some(message) => message,
                        None => return Ok(None),
                    },
                },
            };
            let data = self.client_data(message);
            server.send(&data.bytes).await?;
            *sends_rows = !data.is_last;
        }
        served.packet_of(server, client).await
    }

    fn answer_of(outcome: Outcome) -> Result<Answer, Fault> {
        outcome_of(outcome)
    }

    /// A statement returns it in a row.
    fn generated_key(_: &Outcome) -> Option<u64> {
        None
    }

    fn ask_aside(&mut self, sql: &str) -> (SetAside, Vec<u8>) {
        let before = self.set_aside();
        for message in Message::statement(sql) {
            self.client(message);
        }
        let bytes = self.next_unit().map(|unit| unit.bytes);
        (before, bytes.unwrap_or_default())
    }

    fn resume(&mut self, before: SetAside) {
        self.take_up(before);
    }

    fn deny_transaction(message: &mut Message, _: bool) {
        message.deny_transaction();
    }

    /// The error, and the state after it.
    fn tells_of_a_refusal(message: &Message) -> bool {
        matches!(message.tag, b'E' | b'Z')
    }

    /// The refusal comes before the end of the answer, as that of a deferred constraint does.
    fn refuse_commit(answer: &mut Vec<u8>, refusal: Vec<u8>) {
        answer.truncate(answer.len().saturating_sub(READY_FOR_QUERY));
        answer.extend(refusal);
    }
}

/// The length of ReadyForQuery, with which an answer ends.
const READY_FOR_QUERY: usize = 6;

/// The statement that sets what a client has set as it came in. A search path is a list of names.
fn as_a_statement(name: &str, value: &str) -> String {
    let is_list = name.eq_ignore_ascii_case("search_path") && !value.trim().is_empty();
    match is_list {
        true => format!("SET {name} = {value}"),
        false => format!("SET {name} = '{}'", value.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    use super::as_a_statement;

    #[test]
    fn what_is_set_at_the_door_is_a_statement() {
        for (name, value, statement) in [
            (
                "search_path",
                "s2, \"$user\"",
                "SET search_path = s2, \"$user\"",
            ),
            ("search_path", "", "SET search_path = ''"),
            (
                "default_transaction_isolation",
                "serializable",
                "SET default_transaction_isolation = 'serializable'",
            ),
            ("my.name", "it's", "SET my.name = 'it''s'"),
        ] {
            assert_eq!(as_a_statement(name, value), statement);
        }
    }
}
