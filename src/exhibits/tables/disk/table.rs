//! A table's folder, and the folder of all tables.

use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use serde::{Deserialize, Serialize};

use super::damage::{Damage, Unreadable, shown};
use super::filenames::{
    self, checked, is_data, is_manifest, is_temporary, name_beside, name_of, version_in,
};
use super::files::{self, names_in};
use super::kept_by::KeptBy;
use super::metadata::Metadata;
use super::name::TableName;
use crate::engine::{Fault, FileLock};
use crate::exhibits::tables::queue::Queue;

/// The folder that contains the tables, and what one instance of the service has in its memory
/// about them.
#[derive(Debug, Clone)]
pub struct Tables {
    path: PathBuf,
    /// The appends that wait to be committed together. A queue that no client uses is dropped.
    queues: Arc<Mutex<HashMap<TableName, Weak<Queue>>>>,
}

/// One table's folder. See the module's documentation for what is in it.
#[derive(Debug, Clone)]
pub struct Table {
    path: PathBuf,
    /// The appends of this instance that wait to be committed together.
    queue: Arc<Queue>,
}

/// The content of `table.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    kept_by: KeptBy,
}

impl Tables {
    /// The folder at this path, which need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            queues: Arc::default(),
        }
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the folder if it does not exist, for this user only. Checks that files can be
    /// created, locked and linked in it.
    pub fn create(&self) -> io::Result<()> {
        folder().recursive(true).create(&self.path)?;
        // A file system without locks or hard links would be of no use.
        let lock = self.path.join(TRIAL);
        drop(FileLock::try_take(&lock)?);
        let link = self.path.join(format!("{TRIAL}.{}", filenames::draw()));
        files::link_new(&lock, &link)?;
        fs::remove_file(link)
    }

    /// The table of this name, which need not exist.
    pub fn table(&self, name: &TableName) -> Table {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|_, queue| queue.strong_count() > 0);
        let known = queues.get(name).and_then(Weak::upgrade);
        let queue = known.unwrap_or_default();
        queues.insert(name.clone(), Arc::downgrade(&queue));
        Table {
            path: self.path.join(name.as_str()),
            queue,
        }
    }

    /// The names of all tables, in order.
    pub fn names(&self) -> io::Result<Vec<TableName>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            if let Some(name) = name.to_str().and_then(|it| it.parse().ok())
                && entry.file_type()?.is_dir()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}

/// The file that shows at the start whether the folder can be used. It is never removed, because it
/// is a lock file.
const TRIAL: &str = ".trial.lock";

fn folder() -> fs::DirBuilder {
    let mut folder = fs::DirBuilder::new();
    folder.mode(0o700);
    folder
}

impl Table {
    /// The table's folder.
    pub(in crate::exhibits::tables) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::exhibits::tables) fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Makes the table with its first snapshot, if there is none. Fails if there is one whose truth
    /// is kept in another way.
    pub(in crate::exhibits::tables) fn prepare(
        &self,
        kept_by: KeptBy,
    ) -> Result<Result<(), KeptBy>, Unreadable> {
        let known = match self.kept_by() {
            Err(Unreadable::NoTable) => {
                self.make(kept_by)?;
                self.kept_by()?
            }
            known => known?,
        };
        Ok(if known == kept_by { Ok(()) } else { Err(known) })
    }

    /// What keeps the truth about which snapshot is the current one.
    pub fn kept_by(&self) -> Result<KeptBy, Unreadable> {
        let path = self.path.join("table.json");
        match files::open(&path) {
            Ok(Some(file)) => files::json_of::<About>(&path, &file).map(|it| it.kept_by),
            Ok(None) => Err(self.undescribed()),
            Err(error) => Err(Unreadable::of_file(&path, &error)),
        }
    }

    /// What it means that there is no `table.json`. A table that is being made has at most a
    /// version 0.
    fn undescribed(&self) -> Unreadable {
        // Without the folder of all tables nothing can be said of one.
        if let Err(error) = fs::metadata(self.path.parent().unwrap_or(&self.path)) {
            return Unreadable::Fault(Fault::of_file("the folder of the tables", &error));
        }
        let folder = self.metadata_folder();
        match names_in(&folder) {
            Ok(listed) if listed.iter().any(|it| version_in(&it.name) > Some(0)) => {
                Damage::absent(&self.path.join("table.json")).into()
            }
            Ok(_) => Unreadable::NoTable,
            Err(error) if error.kind() == ErrorKind::NotFound => Unreadable::NoTable,
            Err(error) => Unreadable::of_file(&folder, &error),
        }
    }

    /// Makes the table. One client does so at a time. `table.json` comes last, so it appears with
    /// all that a table needs.
    fn make(&self, kept_by: KeptBy) -> Result<(), Unreadable> {
        let refused =
            |error| Unreadable::Fault(Fault::of_file("the table could not be made", &error));
        for path in [
            self.path.clone(),
            self.data_folder(),
            self.metadata_folder(),
        ] {
            match folder().create(path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                made => made.map_err(refused)?,
            }
        }
        let _turn = FileLock::take(&self.leader_lock()).map_err(refused)?;
        match self.kept_by() {
            Err(Unreadable::NoTable) => {}
            made => return made.map(|_| ()),
        }
        self.clear()?;
        self.make_first(kept_by).map_err(refused)
    }

    /// Removes what a client has left that was killed while it made the table.
    fn clear(&self) -> Result<(), Unreadable> {
        let folder = self.metadata_folder();
        let refused = |error| Unreadable::of_file(&folder, &error);
        let listed = names_in(&folder).map_err(refused)?;
        let around = names_in(&self.path).map_err(refused)?;
        for left in listed.into_iter().chain(around) {
            let is_of_the_first = version_in(&left.name).is_some() || left.path == self.pointer();
            if is_of_the_first || is_temporary(&left.name) {
                fs::remove_file(left.path).map_err(refused)?;
            }
        }
        Ok(())
    }

    fn make_first(&self, kept_by: KeptBy) -> io::Result<()> {
        let first = files::json(&Metadata::first())?;
        match kept_by {
            KeptBy::Versions => drop(files::write_new(&self.version(0), &first)?),
            KeptBy::Pointer => {
                let name = name_beside(0);
                let _first = files::write_new(&self.metadata_folder().join(&name), &first)?;
                files::write_new(&self.pointer(), name.as_bytes())?;
            }
        }
        files::sync_names(&self.metadata_folder())?;
        let about = self.path.join("table.json");
        files::write_new(&about, &files::json(&About { kept_by })?)?;
        files::sync_names(&self.path)
    }

    /// A temporary file, in `metadata/`.
    pub(in crate::exhibits::tables) fn temporary(&self) -> PathBuf {
        self.metadata_folder().join(filenames::temporary())
    }

    pub(in crate::exhibits::tables) fn data_folder(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(in crate::exhibits::tables) fn metadata_folder(&self) -> PathBuf {
        self.path.join("metadata")
    }

    /// The file of a version, if the versions keep the truth.
    pub(in crate::exhibits::tables) fn version(&self, version: u64) -> PathBuf {
        self.metadata_folder().join(name_of(version))
    }

    /// The pointer, if that keeps the truth.
    pub(in crate::exhibits::tables) fn pointer(&self) -> PathBuf {
        self.metadata_folder().join("current")
    }

    pub(in crate::exhibits::tables) fn hint(&self) -> PathBuf {
        self.metadata_folder().join("version-hint")
    }

    pub(in crate::exhibits::tables) fn acknowledged(&self) -> PathBuf {
        self.path.join("acknowledged.csv")
    }

    /// The lock file of those who write one after the other.
    pub(in crate::exhibits::tables) fn leader_lock(&self) -> PathBuf {
        self.path.join(".leader.lock")
    }

    /// The lock file of those who delete.
    pub(in crate::exhibits::tables) fn expiry_lock(&self) -> PathBuf {
        self.path.join(".expiry.lock")
    }

    pub(super) fn manifest(&self, name: &str) -> Result<PathBuf, Damage> {
        checked(&self.metadata_folder(), name, is_manifest)
    }

    pub(super) fn data(&self, name: &str) -> Result<PathBuf, Damage> {
        checked(&self.data_folder(), name, is_data)
    }

    /// What it means that no snapshot is there.
    pub(super) fn without_snapshots(&self) -> Unreadable {
        Damage::of(shown(&self.metadata_folder()), "there is no snapshot").into()
    }
}
