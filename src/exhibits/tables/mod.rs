//! The fourth exhibit: a table that is a folder of files. Several clients append to it at the same
//! time, in several processes, as to a table of Apache Iceberg or Delta Lake. No database keeps
//! them apart: each commit reads the current snapshot, writes files, and makes a new snapshot the
//! current one.
//!
//! | file | strategy |
//! |---|---|
//! | [`overwrite_pointer`] | the last to write the pointer wins |
//! | [`rename_pointer`] | the same, and the pointer is whole at every moment |
//! | [`check_then_rename`] | looks at the pointer again first |
//! | [`exclusive_create`] | the next version is created, which fails if it is there |
//! | [`exclusive_create_retry`] | the same, and tries again |
//! | [`leader_lock`] | one writer at a time |
//! | [`partitioned`] | commits of different partitions are merged |
//! | [`batched`] | many appends in one commit |
//! | [`read_latest_twice`], [`read_snapshot`] | a reader's pair |
//!
//! The invariant: what a client was told is in the table is in its current snapshot, once; the
//! table can be read at every moment; and what a reader reads is one snapshot. [`audit`] reads this
//! off the folder, and off the lab's own book of what was acknowledged.
//!
//! Where the files are, and which of them keeps the truth, is said in `disk`.
//!
//! In the explorer each run has a table of its own, and two clients append one record each. In `…,
//! reader` client A reads meanwhile. In `…, killed` client A is a writer that client B kills
//! before it appends, after any of A's steps. In `…, expiry` client B appends, and then removes all
//! but the newest snapshot, as the [`expiry`] does.

mod anomalies;
mod append;
pub mod audit;
pub mod batched;
pub mod check_then_rename;
mod disk;
pub mod exclusive_create;
pub mod exclusive_create_retry;
pub mod expiry;
mod explored;
mod fixtures;
pub mod history;
pub mod leader_lock;
pub mod overwrite_pointer;
pub mod partitioned;
mod parts;
mod queue;
mod read;
pub mod read_latest_twice;
pub mod read_snapshot;
pub mod rename_pointer;
mod runs;
mod strategy;

pub use anomalies::{ANOMALIES, BROKEN_TABLE, LOST_APPEND, TORN_READ};
pub use append::{Append, Appended, Refusal};
pub use disk::{
    Damage, InvalidName, KeptBy, ManifestEntry, Metadata, PartitionName, Record, Summary, Table,
    TableName, Tables, Unreadable,
};
pub use explored::EXHIBIT;
pub use read::{ReadTable, Wanted};
pub use strategy::{Reader, Strategy};

/// All ways to append, in the order in which they are taught.
pub static STRATEGIES: [Strategy; 8] = [
    Strategy {
        full_name: "tables/overwrite_pointer",
        name: "overwrite_pointer",
        card: &overwrite_pointer::CARD,
        with_reader: overwrite_pointer::WITH_READER,
        killed: overwrite_pointer::KILLED,
        with_expiry: None,
        same_partition: None,
        apart: None,
        kept_by: KeptBy::Pointer,
        append: |s, table, wanted| Box::pin(overwrite_pointer::append(s, table, wanted)),
    },
    Strategy {
        full_name: "tables/rename_pointer",
        name: "rename_pointer",
        card: &rename_pointer::CARD,
        with_reader: rename_pointer::WITH_READER,
        killed: rename_pointer::KILLED,
        with_expiry: Some(rename_pointer::WITH_EXPIRY),
        same_partition: None,
        apart: None,
        kept_by: KeptBy::Pointer,
        append: |s, table, wanted| Box::pin(rename_pointer::append(s, table, wanted)),
    },
    Strategy {
        full_name: "tables/check_then_rename",
        name: "check_then_rename",
        card: &check_then_rename::CARD,
        with_reader: check_then_rename::WITH_READER,
        killed: check_then_rename::KILLED,
        with_expiry: None,
        same_partition: None,
        apart: None,
        kept_by: KeptBy::Pointer,
        append: |s, table, wanted| Box::pin(check_then_rename::append(s, table, wanted)),
    },
    Strategy {
        full_name: "tables/exclusive_create",
        name: "exclusive_create",
        card: &exclusive_create::CARD,
        with_reader: exclusive_create::WITH_READER,
        killed: exclusive_create::KILLED,
        with_expiry: Some(exclusive_create::WITH_EXPIRY),
        same_partition: None,
        apart: None,
        kept_by: KeptBy::Versions,
        append: |s, table, wanted| Box::pin(exclusive_create::append(s, table, wanted)),
    },
    Strategy {
        full_name: "tables/exclusive_create_retry",
        name: "exclusive_create_retry",
        card: &exclusive_create_retry::CARD,
        with_reader: exclusive_create_retry::WITH_READER,
        killed: exclusive_create_retry::KILLED,
        with_expiry: None,
        same_partition: None,
        apart: None,
        kept_by: KeptBy::Versions,
        append: |s, table, wanted| Box::pin(exclusive_create_retry::append(s, table, wanted)),
    },
    Strategy {
        full_name: "tables/leader_lock",
        name: "leader_lock",
        card: &leader_lock::CARD,
        with_reader: leader_lock::WITH_READER,
        killed: leader_lock::KILLED,
        with_expiry: None,
        same_partition: None,
        apart: None,
        kept_by: KeptBy::Versions,
        append: |s, table, wanted| Box::pin(leader_lock::append(s, table, wanted)),
    },
    Strategy {
        full_name: "tables/partitioned",
        name: "partitioned",
        card: &partitioned::CARD,
        with_reader: partitioned::WITH_READER,
        killed: partitioned::KILLED,
        with_expiry: None,
        same_partition: Some(partitioned::SAME_PARTITION),
        apart: None,
        kept_by: KeptBy::Versions,
        append: |s, table, wanted| Box::pin(partitioned::append(s, table, wanted)),
    },
    Strategy {
        full_name: "tables/batched",
        name: "batched",
        card: &batched::CARD,
        with_reader: batched::WITH_READER,
        killed: batched::KILLED,
        with_expiry: None,
        same_partition: None,
        apart: Some(batched::APART),
        kept_by: KeptBy::Versions,
        append: |s, table, wanted| Box::pin(batched::append(s, table, wanted)),
    },
];

/// All ways to read, in the order in which they are taught.
pub static READERS: [Reader; 2] = [
    Reader {
        full_name: "tables/read_latest_twice",
        name: "read_latest_twice",
        card: &read_latest_twice::CARD,
        with_expiry: None,
        read: |s, table, wanted| Box::pin(read_latest_twice::read(s, table, wanted)),
    },
    Reader {
        full_name: "tables/read_snapshot",
        name: "read_snapshot",
        card: &read_snapshot::CARD,
        with_expiry: Some(read_snapshot::WITH_EXPIRY),
        read: |s, table, wanted| Box::pin(read_snapshot::read(s, table, wanted)),
    },
];
