//! A private database server that Racy starts itself: [`find`](find()) a program,
//! [`start`](LocalServer::start) it, use it, [`stop`](LocalServer::stop) it.
//!
//! "Private" is meant literally. The server reads no configuration file and listens on no TCP port.
//! Its socket is in a folder that only this user may enter. It never outlives Racy, even if Racy is
//! killed: `supervise.sh` beside this file says how.
//!
//! Everything else is left as the server ships it. In particular its durability settings are the
//! stock ones, so measurements show what a plain installation would do.
//!
//! Reading order: `find` (which program), `folder` (where its files are), `server` (its life) and
//! `supervise.sh`. The details of each product are in `mysql` and `postgres`; `dispatch` chooses
//! between the two. Plain data is in `product`, `recipe` and `binary`.

mod account;
mod apparmor;
mod binary;
mod claim;
mod dispatch;
mod error;
mod find;
mod folder;
mod log;
mod mysql;
mod paths;
mod postgres;
mod product;
mod recipe;
mod server;
mod supervisor;

pub use binary::{Binary, Origin, RejectReason, RejectedProgram};
pub use error::Error;
pub use find::{ServerFound, find};
pub use folder::Folder;
pub use log::LogTail;
pub use paths::default_root;
pub use product::{Product, ServerKind, Version};
pub use server::{LocalServer, running_elsewhere};
