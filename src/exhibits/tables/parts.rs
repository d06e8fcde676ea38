//! The steps that the strategies share: each belongs to the line that calls it.

use std::fs;
use std::io;
use std::sync::Arc;

use super::append::{Append, Refusal};
use super::disk::{
    DataFile, DataFiles, Draft, Linked, Record, Snapshot, Table, Unreadable, sync_names, write_new,
};
use super::read::Wanted;
use crate::engine::{Fault, Session};
use crate::exhibits::files::blocking;
use crate::step::{Action, Argument, Effect};

const NONE: [Argument; 0] = [];

/// Does a step on the table's files. What is wrong with the table is told apart from what is wrong
/// with the file system.
#[track_caller]
pub(super) fn step<'s, T: Send + 'static>(
    s: &'s mut Session<'_>,
    step: (Action, &'static str, Effect),
    work: impl FnOnce() -> Result<T, Unreadable> + Send + 'static,
) -> impl Future<Output = Result<T, Unreadable>> + 's {
    let done = s.outside(step, NONE, async move {
        match blocking(step.1, || Ok(work())).await? {
            Err(Unreadable::Fault(fault)) => Err(fault),
            done => Ok(done),
        }
    });
    async { done.await.map_err(Unreadable::Fault)? }
}

/// Finds the current snapshot, and reads what it is.
#[track_caller]
pub(super) fn read_current<'s>(
    s: &'s mut Session<'_>,
    table: &Table,
) -> impl Future<Output = Result<Snapshot, Unreadable>> + 's {
    let table = table.clone();
    step(
        s,
        (Action::Read, "read current", Effect::Reads),
        move || table.current(),
    )
}

/// Writes the records into a data file, which nobody knows yet.
#[track_caller]
pub(super) fn write_data<'s>(
    s: &'s mut Session<'_>,
    table: &Table,
    wanted: &Append,
) -> impl Future<Output = Result<DataFiles, Fault>> + 's {
    write_data_of_all(s, table, std::slice::from_ref(wanted))
}

/// Writes a data file for each append of a batch.
#[track_caller]
pub(super) fn write_data_of_all<'s>(
    s: &'s mut Session<'_>,
    table: &Table,
    batch: &[Append],
) -> impl Future<Output = Result<DataFiles, Fault>> + 's {
    let (table, batch) = (table.clone(), batch.to_vec());
    let work = blocking("the records could not be written", move || {
        let files = batch.into_iter();
        let files = files.map(|it| DataFile::write(&table, &it.records, it.partition));
        let files = files.collect::<io::Result<Vec<_>>>()?;
        sync_names(&table.data_folder())?;
        Ok(Arc::new(files))
    });
    s.outside((Action::Write, "write data", Effect::Local), NONE, work)
}

/// Writes the snapshot that follows `base` and has these data files as well. Nobody knows it yet.
#[track_caller]
pub(super) fn write_metadata<'s>(
    s: &'s mut Session<'_>,
    table: &Table,
    base: Snapshot,
    added: &DataFiles,
) -> impl Future<Output = Result<Draft, Unreadable>> + 's {
    write_draft(s, table, base, added, Draft::write)
}

/// The same, under a name that a pointer can have.
#[track_caller]
pub(super) fn write_metadata_beside<'s>(
    s: &'s mut Session<'_>,
    table: &Table,
    base: Snapshot,
    added: &DataFiles,
) -> impl Future<Output = Result<Draft, Unreadable>> + 's {
    write_draft(s, table, base, added, Draft::write_beside)
}

#[track_caller]
fn write_draft<'s>(
    s: &'s mut Session<'_>,
    table: &Table,
    base: Snapshot,
    added: &DataFiles,
    write: fn(&Table, Snapshot, DataFiles) -> Result<Draft, Unreadable>,
) -> impl Future<Output = Result<Draft, Unreadable>> + 's {
    let (table, added) = (table.clone(), Arc::clone(added));
    let metadata = (Action::Write, "write metadata", Effect::Local);
    step(s, metadata, move || write(&table, base, added))
}

/// Replaces the pointer by one that names this snapshot, in one instant.
#[track_caller]
pub(super) fn rename_pointer<'s>(
    s: &'s mut Session<'_>,
    table: &Table,
    draft: &Draft,
) -> impl Future<Output = Result<(), Fault>> + 's {
    let (pointer, temporary, name) = (table.pointer(), table.temporary(), draft.name());
    let folder = table.metadata_folder();
    let work = blocking("the pointer could not be renamed", move || {
        let _file = write_new(&temporary, name.as_bytes())?;
        fs::rename(temporary, pointer)?;
        sync_names(&folder)
    });
    s.outside(
        (Action::Write, "rename pointer", Effect::Conflicts),
        NONE,
        work,
    )
}

/// Makes the draft the next version, and returns true. Returns false if there is one already.
#[track_caller]
pub(super) fn link_version<'s>(
    s: &'s mut Session<'_>,
    draft: Draft,
) -> impl Future<Output = Result<(bool, Draft), Refusal>> + 's {
    let work = blocking("the version could not be linked", move || {
        Ok((draft.link()?, draft))
    });
    let step = (Action::Write, "link version", Effect::Conflicts);
    let linked = s.outside(step, NONE, work);
    async {
        let (linked, draft) = linked.await?;
        match linked {
            Linked::IsNext => Ok((true, draft)),
            Linked::IsTaken => Ok((false, draft)),
            Linked::Unknown(error) => Err(Refusal::Unknown(Fault::of_file(
                "the new version could not be brought to the disk",
                &error,
            ))),
        }
    }
}

/// Reads records of a snapshot. Its files never change, so no other client can notice when.
#[track_caller]
pub(super) fn read_records<'s>(
    s: &'s mut Session<'_>,
    snapshot: &Snapshot,
    wanted: Wanted,
) -> impl Future<Output = Result<Vec<Record>, Unreadable>> + 's {
    let pages = snapshot.pages();
    step(
        s,
        (Action::Read, "read records", Effect::Local),
        move || pages.read(wanted),
    )
}
