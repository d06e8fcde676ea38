//! PostgreSQL's notices. sqlx tells them to the log alone, so that this is where they are heard.

use std::fmt;

use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Something that PostgreSQL tells a client besides its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How important it is, in PostgreSQL's words: `NOTICE`, `WARNING`.
    pub severity: &'static str,
    /// What it says. Its detail and its hint are not known.
    pub message: String,
}

/// Sends each notice that comes while this dispatcher is the current one.
pub(super) fn heard_by<T: From<Notice> + Send + 'static>(
    listener: mpsc::UnboundedSender<T>,
) -> Dispatch {
    Dispatch::new(Listener(listener))
}

struct Listener<T>(mpsc::UnboundedSender<T>);

impl<T: From<Notice> + Send + 'static> Subscriber for Listener<T> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::postgres::notice"
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let notice = Notice {
            severity: severity(event.metadata().level()),
            message: message.0,
        };
        // If nobody listens any more, the notice comes too late.
        let _ = self.0.send(notice.into());
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

/// The severity that sqlx has made this level of. INFO and LOG share one, and a client gets a LOG
/// only if it asks for it.
fn severity(level: &Level) -> &'static str {
    match *level {
        Level::WARN => "WARNING",
        Level::INFO => "NOTICE",
        Level::DEBUG => "DEBUG",
        Level::TRACE => "INFO",
        Level::ERROR => "ERROR",
    }
}

struct Message(String);

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
