//! How many files the process may have open, and how many connections they suffice for.
//!
//! A connection is an open file, and a file that is read or written for a client is another one. If
//! no more files may be opened, no client is accepted and no file is written. To prevent that, the
//! number of connections is limited by the number of files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::http::RESERVED_PLACES;

/// The files of the process itself: standard input and output, the listener, the runtime, a private
/// server.
const OWN: u64 = 24;

/// The files of one database connection. A server's is one file. SQLite's are the database, its log
/// and the log's index.
const OF_A_DATABASE_CONNECTION: u64 = 3;

/// The files of one client: its socket, and the file that is read or written for it.
const OF_A_CLIENT: u64 = 2;

/// Raises the limit of open files to this number, or to the largest that is allowed, and returns
/// the limit. It is not raised further, because the private server inherits it, and MySQL allocates
/// memory for each file.
pub fn raise_to(needed: u64) -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current.unwrap_or(u64::MAX);
    let wanted = needed.min(maximum.unwrap_or(u64::MAX));
    if wanted <= current {
        return current;
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => wanted,
        Err(_refused) => current,
    }
}

/// How many connections there may be at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Connections to the database.
    pub database: u32,
    /// Connections from clients, without those reserved for the keeper, health and metrics.
    pub clients: u32,
}

impl Share {
    /// How many files are open at most with these connections.
    pub fn files(self) -> u64 {
        let clients = u64::from(self.clients) + RESERVED_PLACES as u64;
        OWN + u64::from(self.database) * OF_A_DATABASE_CONNECTION + clients * OF_A_CLIENT
    }

    /// The connections that this number of files suffices for. If they are too few, the database
    /// gets at most half of them, or more if the clients need less.
    #[must_use]
    pub fn limited_to(self, files: u64) -> Self {
        let reserved = RESERVED_PLACES as u64 * OF_A_CLIENT;
        let left = files.saturating_sub(OWN + reserved);
        let wanted_by_clients = u64::from(self.clients) * OF_A_CLIENT;
        let for_database = (left / 2).max(left.saturating_sub(wanted_by_clients));
        let database = (for_database / OF_A_DATABASE_CONNECTION).max(1);
        let database = self
            .database
            .min(u32::try_from(database).unwrap_or(u32::MAX));
        let left = left.saturating_sub(u64::from(database) * OF_A_DATABASE_CONNECTION);
        let clients = (left / OF_A_CLIENT).max(1);
        Self {
            database,
            clients: self.clients.min(u32::try_from(clients).unwrap_or(u32::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Share = Share {
        database: 100,
        clients: 10_000,
    };

    #[test]
    fn where_files_are_many_no_connection_is_lost() {
        assert_eq!(WANTED.limited_to(u64::MAX), WANTED);
        assert_eq!(WANTED.limited_to(WANTED.files()), WANTED);
    }

    #[test]
    fn where_files_are_few_there_are_fewer_connections() {
        for (files, database, clients) in [
            (WANTED.files() - 1, 100, 9_999),
            (1024, 100, 342),
            (256, 36, 54),
            (64, 4, 6),
            (0, 1, 1),
        ] {
            let share = WANTED.limited_to(files);
            assert_eq!(share, Share { database, clients }, "{files} files");
        }
    }

    #[test]
    fn the_database_gets_what_the_clients_do_not_need() {
        let few = Share {
            database: 100,
            clients: 10,
        };
        assert_eq!(few.limited_to(360), few);
    }

    #[test]
    fn as_many_files_may_be_open_as_are_needed_and_allowed() {
        let allowed = || getrlimit(Resource::Nofile);
        let Rlimit { current, maximum } = allowed();
        let (current, maximum) = (current.unwrap(), maximum.unwrap());
        assert_eq!(raise_to(0), current);
        assert_eq!(raise_to(u64::MAX), maximum);
        assert_eq!(allowed().current, Some(maximum));
    }
}
