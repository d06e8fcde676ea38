//! The export folder: its files, and how they are opened.
//!
//! A client that writes or downloads an export holds a *shared* lock on the file itself (`flock`).
//! It marks the file as in use, and blocks only the janitor, which takes the exclusive lock before
//! it deletes a file. Symbolic links are not followed: only a regular file is opened.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::download::Download;
use super::name::{self, FileName};

/// The folder that contains the exports.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    chunk: usize,
}

/// The space that the exports take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FolderUsage {
    /// The number of files, including those that are being written.
    pub files: u64,
    /// The number of bytes in them.
    pub bytes: u64,
}

/// An export or a temporary file in the folder.
#[derive(Debug)]
pub(super) struct ExportEntry {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) modified: SystemTime,
}

impl Folder {
    /// How many bytes are written at once by default. It is enough to make the cost of a call
    /// negligible, and little enough for many exports at a time.
    const CHUNK: usize = 64 * 1024;

    /// The folder at this path, which need not exist yet.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            chunk: Self::CHUNK,
        }
    }

    /// Sets how many bytes are collected before they are written. At least one row is written at
    /// once.
    pub fn with_chunks_of(self, bytes: usize) -> Self {
        Self {
            chunk: bytes,
            ..self
        }
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn chunk(&self) -> usize {
        self.chunk
    }

    /// Creates the folder if it does not exist, for this user only. Checks that files can be
    /// created and locked in it.
    pub fn create(&self) -> io::Result<()> {
        let mut folder = fs::DirBuilder::new();
        folder.recursive(true).mode(0o700).create(&self.path)?;
        // A file system without locks would be of no use.
        let trial = self.path.join(TRIAL);
        let file = File::options().create(true).append(true).open(trial)?;
        file.lock_shared()
    }

    /// Opens an export for a download. None if there is no export of that name.
    pub fn open(&self, name: &FileName) -> io::Result<Option<Download>> {
        let found = open_existing(
            &self.path.join(name.as_str()),
            OpenOptions::new().read(true),
        )?;
        found.map(Download::of).transpose()
    }

    /// Opens an export to be overwritten and empties it, or creates it.
    pub(super) fn overwrite(&self, name: &FileName) -> io::Result<(File, PathBuf)> {
        let path = self.path.join(name.as_str());
        loop {
            if let Some(file) = open_existing(&path, OpenOptions::new().write(true))? {
                file.set_len(0)?;
                return Ok((file, path));
            }
            match create_new(&path) {
                Ok(file) => return Ok((file, path)),
                // Another client has just created it, so it can be opened now.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Creates a file. Fails if a file of that name exists.
    pub(super) fn create_file(&self, name: &str) -> io::Result<(File, PathBuf)> {
        let path = self.path.join(name);
        let file = create_new(&path)?;
        Ok((file, path))
    }

    /// The lock file that goes with an export.
    pub(super) fn lock_of(&self, name: &FileName) -> PathBuf {
        self.path.join(name.lock())
    }

    /// The space that the exports take, including those that are being written.
    pub fn held(&self) -> io::Result<FolderUsage> {
        let mut held = FolderUsage::default();
        for found in self.files()? {
            held.files += 1;
            held.bytes += found?.bytes;
        }
        Ok(held)
    }

    /// All exports and temporary files. Lock files are not among them.
    pub(super) fn files(&self) -> io::Result<impl Iterator<Item = io::Result<ExportEntry>>> {
        let entries = fs::read_dir(&self.path)?;
        Ok(entries.filter_map(|entry| found(entry).transpose()))
    }
}

/// The file that shows at the start whether the folder can be used. It is never removed, because it
/// is a lock file.
const TRIAL: &str = ".trial.lock";

fn found(entry: io::Result<fs::DirEntry>) -> io::Result<Option<ExportEntry>> {
    let entry = entry?;
    let name = entry.file_name();
    let is_ours = |name: &str| name.parse::<FileName>().is_ok() || name::is_temporary(name);
    if !name.to_str().is_some_and(is_ours) {
        return Ok(None);
    }
    // If it is a symbolic link, this is the metadata of the link itself.
    match entry.metadata() {
        Ok(metadata) if metadata.is_file() => Ok(Some(ExportEntry {
            path: entry.path(),
            bytes: metadata.len(),
            modified: metadata.modified()?,
        })),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens the regular file of this name, and marks it as in use. None if there is no such file.
fn open_existing(path: &Path, options: &OpenOptions) -> io::Result<Option<File>> {
    loop {
        let Some(named) = named(path)? else {
            return Ok(None);
        };
        let file = match options.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if !is_same(&named, &file.metadata()?) {
            // Something else has taken its place meanwhile, perhaps a link to elsewhere.
            continue;
        }
        // Only the janitor can make this wait, for as long as a deletion takes.
        file.lock_shared()?;
        if bears(path, &file)? {
            return Ok(Some(file));
        }
    }
}

/// Creates the file, and marks it as in use. A link in its place is refused, not followed.
fn create_new(path: &Path) -> io::Result<File> {
    let mut new = File::options();
    let file = new.write(true).create_new(true).mode(0o600).open(path)?;
    file.lock_shared()?;
    Ok(file)
}

/// The metadata of the regular file at this path. None if there is no file.
fn named(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(_) => Err(io::Error::other("it is not a regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the path leads to this file, and not to another one or to none.
pub(super) fn bears(path: &Path, file: &File) -> io::Result<bool> {
    let opened = file.metadata()?;
    Ok(named(path)?.is_some_and(|named| is_same(&named, &opened)))
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}
