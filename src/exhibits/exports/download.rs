//! A download: an export that is read in pieces. Its length is the file's when it was opened.

use std::fs::File;
use std::io::{self, Read as _};

/// An open export. While it is open, the janitor does not delete it.
#[derive(Debug)]
pub struct Download {
    file: File,
    length: u64,
    left: u64,
}

impl Download {
    pub(super) fn of(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self {
            file,
            length,
            left: length,
        })
    }

    /// The open file, for a caller that reads all of it.
    pub fn into_file(self) -> File {
        self.file
    }

    /// How many bytes it had when it was opened.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many of them are still to be read.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Reads the next bytes, at most `most`. Empty at the end.
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the file has become shorter since it was
    /// opened; or the operating system's error.
    pub fn read(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let wanted = self.left.min(u64::try_from(most).unwrap_or(u64::MAX));
        let mut bytes = Vec::with_capacity(usize::try_from(wanted).unwrap_or(most));
        let read = (&mut self.file).take(wanted).read_to_end(&mut bytes)?;
        if read as u64 != wanted {
            let why = "the file has become shorter since it was opened";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        self.left -= wanted;
        Ok(bytes)
    }
}
