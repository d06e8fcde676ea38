//! The witness: it hands on what it is told, and holds nothing up.

use tokio::sync::mpsc;

use crate::engine::ConnectionId;
use crate::proxy::{Heard, Witness};

/// Hands on what the proxy's connections send.
#[derive(Debug)]
pub struct Recorder(mpsc::UnboundedSender<News>);

/// What a recorder was told.
#[derive(Debug)]
pub enum News {
    /// This statement has come on this connection, and is not answered yet.
    Came(ConnectionId, String),
    /// A statement was answered.
    Statement(Box<Heard>),
    /// The statements of this connection are not seen any more, and why.
    LostSight(ConnectionId, String),
}

impl Recorder {
    /// A recorder, and where its news come out. A statement has come out before its client has the
    /// answer.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<News>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }
}

impl Witness for Recorder {
    fn came(&self, connection: ConnectionId, text: &str) {
        let _ = self.0.send(News::Came(connection, text.to_owned()));
    }

    fn answered(&self, heard: Heard) {
        // At the end nobody reads any more.
        let _ = self.0.send(News::Statement(Box::new(heard)));
    }

    fn lost_sight(&self, connection: ConnectionId, why: &str) {
        let _ = self.0.send(News::LostSight(connection, why.to_owned()));
    }
}
