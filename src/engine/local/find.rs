//! The search for a server program, and why a candidate is rejected.

use std::collections::HashSet;
use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::apparmor::confining_profile;
use super::binary::{Binary, Origin, RejectReason, RejectedProgram};
use super::dispatch;
use super::error::Error;
use super::paths::{absolute, folders_of, resolved};
use super::product::{Product, ServerKind, Version};
use super::recipe::Search;

/// How long a program may take to print its version.
const VERSION_WITHIN: Duration = Duration::from_secs(10);

/// What a successful search returns.
#[derive(Debug)]
pub struct ServerFound {
    /// The server to start.
    pub binary: Binary,
    /// The programs that were found before it and not used. Worth telling the user.
    pub rejected: Vec<RejectedProgram>,
}

impl Binary {
    /// Examines one program, for instance one that a user named.
    ///
    /// # Errors
    /// Why it cannot be started here.
    pub fn at(path: &Path, kind: ServerKind) -> Result<Self, RejectedProgram> {
        let origin = Origin::Named(dispatch::search(kind).variable);
        Places::of_this_machine(kind).examine(path, origin, kind)
    }
}

/// Searches for a server: the program that `RACY_MYSQLD` (PostgreSQL: `RACY_POSTGRES`) names, then
/// the one that `tools/get-mysql` fetched, then PATH, then the folders where servers usually are.
/// Returns the first that can be used.
///
/// Runs each candidate once, to ask for its version.
///
/// # Errors
/// [`Error::Unusable`] if the variable is set and its program cannot be used. Another program never
/// takes the place of one that was named. [`Error::NotFound`] if no usable program is installed.
pub fn find(kind: ServerKind) -> Result<ServerFound, Error> {
    Places::of_this_machine(kind).find(kind)
}

/// Everything outside the process that the search depends on.
struct Places {
    /// The program that the environment names.
    named: Option<OsString>,
    /// The user's cache folder.
    cache: Option<PathBuf>,
    /// PATH.
    path: Option<OsString>,
    /// The root of the file system, for the usual folders and AppArmor's. `/`, except in tests.
    root: PathBuf,
}

impl Places {
    fn of_this_machine(kind: ServerKind) -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            named: set(dispatch::search(kind).variable),
            cache: absolute(set("XDG_CACHE_HOME").map(PathBuf::from))
                .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache"))),
            path: set("PATH"),
            root: PathBuf::from("/"),
        }
    }

    fn find(&self, kind: ServerKind) -> Result<ServerFound, Error> {
        let search = dispatch::search(kind);
        let mut rejected = Vec::new();
        if let Some(named) = &self.named {
            return self
                .examine(Path::new(named), Origin::Named(search.variable), kind)
                .map(|binary| ServerFound { binary, rejected })
                .map_err(|one| Error::Unusable(search.variable, one));
        }
        for (candidate, origin) in self.candidates(search) {
            match self.examine(&candidate, origin, kind) {
                Ok(binary) => return Ok(ServerFound { binary, rejected }),
                Err(one) => rejected.push(one),
            }
        }
        Err(Error::NotFound {
            kind,
            how_to_get: search.how_to_get,
            rejected,
        })
    }

    /// The programs that exist, in the order of the search. A program that several links lead to
    /// occurs once.
    fn candidates(&self, search: &Search) -> Vec<(PathBuf, Origin)> {
        let fetched = self
            .cache
            .iter()
            .zip(search.fetched)
            .map(|(cache, folder)| (cache.join(folder), Origin::Fetched));
        let in_path = folders_of(self.path.as_deref()).map(|folder| (folder, Origin::Path));
        let usual = (search.usual_folders)(&self.root)
            .into_iter()
            .map(|folder| (folder, Origin::UsualFolder));
        let mut seen = HashSet::new();
        fetched
            .chain(in_path)
            .chain(usual)
            .flat_map(|(folder, origin)| {
                let programs = search.programs.iter();
                programs.map(move |program| (folder.join(program), origin))
            })
            .filter(|(candidate, _)| candidate.is_file() && seen.insert(resolved(candidate)))
            .collect()
    }

    fn examine(
        &self,
        path: &Path,
        origin: Origin,
        kind: ServerKind,
    ) -> Result<Binary, RejectedProgram> {
        let rejected = |reason| RejectedProgram {
            path: path.to_owned(),
            reason,
        };
        let program = std::path::absolute(path)
            .map_err(|error| rejected(RejectReason::NoServer(error.to_string())))?;
        let (product, version) = ask_version(&program, dispatch::search(kind))
            .map_err(|why| rejected(RejectReason::NoServer(why)))?;
        let initialiser = self
            .check(&program, product, version, kind)
            .map_err(rejected)?;
        Ok(Binary {
            path: program,
            product,
            version,
            origin,
            initialiser,
        })
    }

    /// Checks a server whose version is known, and returns its initialiser.
    fn check(
        &self,
        program: &Path,
        product: Product,
        version: Version,
        kind: ServerKind,
    ) -> Result<PathBuf, RejectReason> {
        if !kind.accepts(product) {
            return Err(RejectReason::OtherProduct(product));
        }
        let oldest = dispatch::oldest(product);
        if version < oldest {
            return Err(RejectReason::TooOld {
                product,
                version,
                oldest,
            });
        }
        if let Some(profile) = confining_profile(&self.root, program) {
            return Err(RejectReason::Confined { profile });
        }
        dispatch::initialiser(product, program, self.path.as_deref())
            .map_err(|missing| RejectReason::Incomplete { product, missing })
    }
}

/// Asks a program for its product and version. Its name does not tell: Debian's `mysqld` is a link
/// to MariaDB.
fn ask_version(program: &Path, search: &Search) -> Result<(Product, Version), String> {
    let cannot_run = |error: io::Error| format!("it cannot be run: {error}");
    let mut process = Command::new(program)
        .args(search.version_option)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot_run)?;
    if !ends_within(VERSION_WITHIN, &mut process).map_err(cannot_run)? {
        return Err(format!(
            "asked for its version, it prints nothing for {VERSION_WITHIN:?}"
        ));
    }
    let output = process.wait_with_output().map_err(cannot_run)?;
    let answer = String::from_utf8_lossy(&output.stdout);
    (search.parse_version)(&answer).ok_or_else(|| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let first = answer
            .lines()
            .chain(complaint.lines())
            .next()
            .unwrap_or("nothing");
        format!("asked for its version, it prints {first:?}")
    })
}

/// Waits for a process, and kills it when its time is up. The process must print little, because
/// its output is read only afterwards.
fn ends_within(limit: Duration, process: &mut Child) -> io::Result<bool> {
    const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

    let deadline = Instant::now() + limit;
    while process.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            process.kill()?;
            process.wait()?;
            return Ok(false);
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
