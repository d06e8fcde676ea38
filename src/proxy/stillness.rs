//! Between two runs: nothing goes to the server while the tables are brought back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::turns::Turns;

/// How long it is waited for statements that are at work although all requests were answered.
const AT_REST_WITHIN: Duration = Duration::from_secs(2);

/// What arrives waits until this is dropped.
#[derive(Debug)]
pub struct Stillness<'t>(&'t Turns);

impl Drop for Stillness<'_> {
    fn drop(&mut self) {
        self.0.state().is_held = false;
        self.0.has_changed();
    }
}

/// The lab asks the application something, until this is dropped.
#[derive(Debug)]
pub struct Asked<'t>(&'t Turns);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.state().is_asked = false;
    }
}

/// A statement that is at the server, until this is dropped.
pub(super) struct AtTheServer(Arc<Turns>);

impl Drop for AtTheServer {
    fn drop(&mut self) {
        self.0.state().at_the_server -= 1;
        self.0.has_changed();
    }
}

impl Turns {
    /// Lets nothing go to the server, and waits until nothing is there; but not for ever, because a
    /// job of the application's may wait in the server for long.
    pub async fn hold_everything(&self) -> Stillness<'_> {
        self.state().is_held = true;
        let held = Stillness(self);
        let at_rest = async {
            let mut changes = self.changes.subscribe();
            while self.state().at_the_server > 0 {
                // The sender lives as long as the turns.
                let _ = changes.changed().await;
            }
        };
        if timeout(AT_REST_WITHIN, at_rest).await.is_err() {
            tracing::warn!("a statement is at work while the tables are brought back");
        }
        held
    }

    /// From now on the lab asks the application something, until this is dropped: what comes is no
    /// client's.
    pub fn ask(&self) -> Asked<'_> {
        self.state().is_asked = true;
        Asked(self)
    }

    /// A statement goes to the server.
    pub(super) fn goes_to_the_server(self: &Arc<Self>) -> AtTheServer {
        self.state().at_the_server += 1;
        AtTheServer(Arc::clone(self))
    }

    /// Waits until what arrives may go on.
    pub(super) async fn until_not_held(&self) {
        let mut changes = self.changes.subscribe();
        while self.state().is_held {
            // The sender lives as long as the turns.
            let _ = changes.changed().await;
        }
    }
}
