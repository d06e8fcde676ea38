//! The engines: the only rooms that know sqlx.
//!
//! Begin with `database`, which shows what a [`Database`] offers, and with `session`, one client's
//! connection, on which every statement is an observed step.
//!
//! Opening:
//! - `settings`: where a database is, and how it is treated. `error`: why it could not be opened.
//! - [`choice`]: which engine it is going to be. `url`: what `--database-url` may say, and
//!   `parameters`, what may stand after its `?`. [`local`]: a private server started by the lab.
//! - `mysql`, `postgres`, `sqlite`: what each engine is told and asked when a connection is opened.
//! - `presets`: the session variables that our statements rely on. `greeting`: how each connection
//!   is told them, and asked for them. `pooler`: a pooler in between;
//!   `pooler_search` looks for one, and `behind_pooler` runs statements behind it.
//! - `reach`: why a server cannot be reached. `encryption`: whether the connection is encrypted.
//! - `sqlite_file`: to whom a SQLite file belongs, before anything in it is changed.
//! - `migrate`: the schema, brought up to date. `migrations`: the statements. `schema`: how far it
//!   is.
//!
//! Talking:
//! - `pool`: the pool. `connection`: one of its connections, of any driver.
//! - `dialect`: what differs in spelling. A further engine is one more [`Flavour`] there, one more
//!   variant of the two enums that hold a pool and a connection, and its codes in `codes`.
//! - `literal`: values as SQL literals.
//! - `fault`: an engine's refusal, classified once. `codes`: the engines' own codes, by class.
//! - `quotes`: where strings and comments end. `statement`: statements of a user's, and their
//!   kinds. `answers`: what engines return to them.
//! - `blocks`: statements of a user's as one query. `notices`: what PostgreSQL tells besides.
//! - `work`: statements that no client races for. `ready`: does the database take writes?
//! - `named_lock`: locks that are on no row. `file_lock`: the lock file beside a SQLite database.
//!   `alone`: a transaction that no other client gets between.
//!
//! Exploring:
//! - `lane`: places for runs that must not meet. `beginning`: how a place is brought back to its
//!   beginning. `copies`: how a database that others have made is brought back.
//! - `excerpt`: tables and their first rows, as SQL that makes them again.
//! - `upstream`: how another program reaches a database, through a proxy.
//! - `room`: how many connections there are for them.
//! - `waits`: which connections wait for a lock?
//! - `unlocked`: lists of the server that are read without a lock.
//! - `footprint`: what a statement of a user's touches.

mod alone;
mod answers;
mod beginning;
mod behind_pooler;
mod blocks;
pub mod choice;
mod codes;
mod connection;
mod contents;
mod copies;
mod database;
mod dialect;
mod encryption;
mod error;
mod excerpt;
mod fault;
mod file_lock;
mod footprint;
mod greeting;
mod lane;
mod literal;
pub mod local;
mod migrate;
mod migrations;
mod mysql;
mod named_lock;
mod notices;
mod parameters;
mod pool;
mod pooler;
mod pooler_search;
mod postgres;
mod presets;
mod quotes;
mod reach;
mod ready;
mod room;
mod schema;
mod session;
mod settings;
mod sqlite;
mod sqlite_file;
mod statement;
mod unlocked;
mod upstream;
mod url;
mod waits;
mod wanted;
mod work;

pub use beginning::{Beginning, SetupError, SetupStatement};
pub use blocks::{BlockNews, BlockSession};
pub use connection::{ConnectionId, Row, Value};
pub use contents::{ColumnLayout, Contents, Layout, Reference, TableContents, TableLayout};
pub use copies::{Blocker, Copies, CopyError, Leftover};
pub use database::{Database, Engine};
pub use dialect::{Flavour, Isolation};
pub use error::OpenError;
pub use excerpt::{Excerpt, TableExcerpt};
pub use fault::{Fault, FaultKind};
pub use file_lock::FileLock;
pub use footprint::{SessionFacts, StatementReader, Tracker};
pub use lane::{BESIDE_THE_CLIENTS, Lane, LaneKind, Lanes, Scratch};
pub use notices::Notice;
pub use pool::PoolUse;
pub(crate) use quotes::{Endless, Quotes, begins_word, continues_name};
pub use ready::WriteProbe;
pub use schema::SchemaGap;
pub(crate) use session::shared_work;
pub use session::{Kept, Session};
pub use settings::{Address, Journal, SessionsOf, Settings};
pub(crate) use statement::is_refused_at_once;
pub use statement::{StatementKind, StatementPiece, StatementValue, UserStatement};
pub use upstream::{ServerPlace, Upstream};
pub use waits::{LockWaiter, Standstill};
pub use work::{MayBeFault, Work};
pub(crate) use work::{again, pauses_between_tries};

use database::{Pools, TRIAL};
use lane::Place;
