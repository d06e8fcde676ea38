//! A table on disk, as Apache Iceberg and Delta Lake keep theirs on plain files:
//!
//! ```text
//! TABLE/table.json                what keeps the truth: the versions, or a pointer
//! TABLE/data/<id>.csv             records; a file never changes
//! TABLE/metadata/<id>.json        a manifest: names data files
//! TABLE/metadata/v<N>.json        a snapshot: names manifests, and the snapshot before it
//! TABLE/metadata/v<N>-<id>.json   the same, if a pointer keeps the truth: several may be version N
//! TABLE/metadata/version-hint     about how high N is
//! TABLE/metadata/current          the pointer, if that keeps the truth
//! TABLE/acknowledged.csv          the keys that clients were told are in the table
//! TABLE/.leader.lock              the lock file of `leader_lock`, and of making the table
//! TABLE/.expiry.lock              that of the expiry
//! TABLE/*/.<id>.tmp               what is being written
//! ```
//!
//! All files but the last six are written once, under a name that is new. So a client that knows
//! one snapshot can read it at its leisure. The race is about which snapshot is the current one.
//!
//! A client that reads a snapshot, or writes files that no snapshot names yet, holds a *shared*
//! lock (`flock`) on these files. It blocks no other client. The [expiry](super::expiry) takes the
//! exclusive lock before it deletes a file, and leaves a file alone whose lock it cannot get. A
//! process that is killed loses its locks, so what it has left can be told from what is in use.

mod acknowledged;
mod current;
mod damage;
mod data;
mod draft;
mod filenames;
mod files;
mod kept_by;
mod manifest;
mod metadata;
mod name;
mod record;
mod snapshot;
mod table;

pub use damage::{Damage, Unreadable};
pub use kept_by::KeptBy;
pub use metadata::{ManifestEntry, Metadata, Summary};
pub use name::{InvalidName, PartitionName, TableName};
pub use record::Record;
pub use table::{Table, Tables};

pub(super) use data::{DataFile, DataFiles};
pub(super) use draft::{Draft, Linked};
pub(super) use filenames::{is_data, is_manifest, is_temporary, name_of};
pub(super) use files::{Listing, is_unused, names_in, sync_names, write_new};
pub(super) use snapshot::Snapshot;
