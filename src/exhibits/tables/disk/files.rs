//! How a table's files are made, opened and listed.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::damage::{Damage, Unreadable, shown};
use super::filenames;

/// The largest file of metadata that is read. A real one has some kilobytes.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Makes a file that was not there, brings its content to the disk, and marks it as in use. It gets
/// its name when it is whole and marked, so the expiry never takes it for one that nobody uses.
pub(in crate::exhibits::tables) fn write_new(path: &Path, content: &[u8]) -> io::Result<File> {
    write(path, content, File::sync_data)
}

/// Makes or replaces a file that may be lost with the machine's power.
pub(super) fn write_in_passing(path: &Path, content: &[u8]) -> io::Result<()> {
    write(path, content, |_| Ok(())).map(drop)
}

fn write(
    path: &Path,
    content: &[u8],
    bring_to_disk: fn(&File) -> io::Result<()>,
) -> io::Result<File> {
    let folder = path.parent().unwrap_or(path);
    loop {
        let temporary = folder.join(filenames::temporary());
        let mut new = File::options();
        let mut file = new
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)?;
        file.lock_shared()?;
        file.write_all(content)?;
        bring_to_disk(&file)?;
        match fs::rename(&temporary, path) {
            Ok(()) => return Ok(file),
            // The expiry has come before it was marked.
            Err(error) if error.kind() == ErrorKind::NotFound && folder.exists() => {}
            Err(error) => return Err(error),
        }
    }
}

/// Gives a file another name as well, which must be free. Returns false if it is not. This is how a
/// whole file appears in one instant, and at most once: the compare and swap of a file system.
pub(super) fn link_new(from: &Path, to: &Path) -> io::Result<bool> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Brings the names in a folder to the disk. A machine that loses its power could otherwise forget
/// a file whose content is there.
pub(in crate::exhibits::tables) fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Opens a file to read it, and marks it as in use. None if there is no such file. A symbolic link
/// is refused.
pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                "it is no regular file",
            ));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    file.lock_shared()?;
    // The expiry may have deleted it before it was marked.
    Ok(fs::exists(path)?.then_some(file))
}

/// Whether there is something of this name, be it a link to nothing.
pub(super) fn is_taken(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The text of a small file. None if there is no such file.
pub(super) fn text_of(path: &Path) -> io::Result<Option<String>> {
    let Some(file) = open(path)? else {
        return Ok(None);
    };
    let mut text = String::new();
    file.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// Reads a file that holds one JSON value.
pub(super) fn json_of<T: DeserializeOwned>(path: &Path, file: &File) -> Result<T, Unreadable> {
    let mut bytes = Vec::new();
    let read = file.take(MOST_BYTES).read_to_end(&mut bytes);
    read.map_err(|error| Unreadable::of_file(path, &error))?;
    if bytes.is_empty() {
        return Err(Damage::of(shown(path), "it is empty").into());
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let why = if error.is_eof() {
            format!("it is cut off: {error}")
        } else {
            format!("it is not what is written here: {error}")
        };
        Damage::of(shown(path), why).into()
    })
}

/// A value as a file of metadata holds it.
pub(super) fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// A file in a table's folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::exhibits::tables) struct Listing {
    pub(in crate::exhibits::tables) path: PathBuf,
    pub(in crate::exhibits::tables) name: String,
}

/// The files in a folder, by name. Folders and links are not among them.
pub(in crate::exhibits::tables) fn names_in(folder: &Path) -> io::Result<Vec<Listing>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string()
            && entry.file_type()?.is_file()
        {
            let path = entry.path();
            found.push(Listing { path, name });
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Whether the file is there, and no client has marked it as in use.
pub(in crate::exhibits::tables) fn is_unused(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => file.unlock()?,
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // It may have got another name, or been removed, since it was opened.
    fs::exists(path)
}
