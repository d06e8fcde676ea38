//! What each product says about itself, as plain data: how its server is searched for, where its
//! files are, and how it is launched.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::product::{Product, Version};

/// How to search for a server program.
#[derive(Debug)]
pub(super) struct Search {
    /// The environment variable in which a user may name a program.
    pub(super) variable: &'static str,
    /// The names that a server program may have.
    pub(super) programs: &'static [&'static str],
    /// The folder of a server fetched for Racy, below the user's cache folder.
    pub(super) fetched: Option<&'static str>,
    /// The folders where servers usually are. The argument is the root of the file system.
    pub(super) usual_folders: fn(&Path) -> Vec<PathBuf>,
    /// The options that make a server print its version.
    pub(super) version_option: &'static [&'static str],
    /// Parses what the server then prints.
    pub(super) parse_version: fn(&str) -> Option<(Product, Version)>,
    /// What to tell a user when no server is found: where the search looked, and how to get one.
    pub(super) how_to_get: &'static str,
}

/// Where the files of one server are.
pub(super) struct Layout {
    /// The private temporary folder, for the socket, the pid file and scratch files. A temporary
    /// server has its data and its log here too.
    pub(super) run: PathBuf,
    /// The data directory.
    pub(super) data: PathBuf,
    /// Where a new data directory is made before it is renamed to `data`.
    pub(super) fresh: PathBuf,
}

impl Layout {
    /// Whether the data is removed together with the temporary folder.
    pub(super) fn is_temporary(&self) -> bool {
        self.data.starts_with(&self.run)
    }

    /// The file in which the server writes its process number.
    pub(super) fn pid_file(&self) -> PathBuf {
        self.run.join("server.pid")
    }
}

/// What `supervise.sh` runs, and how it stops it.
#[derive(Debug)]
pub(super) struct Launch {
    /// The initialiser's options. The last one lacks its value, the folder to work in. Constant
    /// words only, because the shell splits them.
    pub(super) initialiser_flags: &'static str,
    /// The server's options.
    pub(super) server_arguments: Vec<OsString>,
    /// The signal for an orderly shutdown that does not wait for clients.
    pub(super) stop: &'static str,
    /// The signal that ends the server at once, for data that is thrown away.
    pub(super) stop_at_once: &'static str,
}
