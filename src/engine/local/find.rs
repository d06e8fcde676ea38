//! Which server program to start: the search, and why a candidate is passed over.

use std::collections::HashSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::apparmor::confining_profile;
use super::{Error, Product, Version, Wanted, absolute};

/// How long a program may take to say its version.
const VERSION_WITHIN: Duration = Duration::from_secs(10);

/// How the servers of one kind are looked for.
#[derive(Debug)]
pub(super) struct Search {
    /// The environment variable that names a program.
    pub(super) variable: &'static str,
    /// The names a server program goes by.
    pub(super) programs: &'static [&'static str],
    /// Where one is put that was fetched for Racy, below the user's cache folder.
    pub(super) fetched: Option<&'static str>,
    /// The folders where they usually are, below the root of the file system.
    pub(super) usual_folders: fn(&Path) -> Vec<PathBuf>,
    /// What makes a server say its version.
    pub(super) version_option: &'static [&'static str],
    /// Understands that answer.
    pub(super) parse_version: fn(&str) -> Option<(Product, Version)>,
    /// Where it was looked for, and what to do where there is none.
    pub(super) how_to_get: &'static str,
}

/// A server program that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binary {
    /// The program, an absolute path.
    pub path: PathBuf,
    /// Whose server it is.
    pub product: Product,
    /// Its version.
    pub version: Version,
    /// Where it was found.
    pub origin: Origin,
    /// The program that makes a data directory: `path` itself for MySQL.
    pub(super) initialiser: PathBuf,
}

impl Binary {
    /// Looks at one program, e.g. one that a user named.
    ///
    /// # Errors
    /// Why it cannot be started here.
    pub fn at(path: &Path, wanted: Wanted) -> Result<Self, PassedOver> {
        let origin = Origin::Named(wanted.search().variable);
        Places::of_this_machine(wanted).examine(path, origin, wanted)
    }
}

/// "MySQL 9.7.4, fetched by tools/get-mysql (/home/ada/.cache/racy/mysql/bin/mysqld)".
impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}, {} ({})",
            self.product,
            self.version,
            self.origin,
            self.path.display()
        )
    }
}

/// Where a server program was found, in the order of the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Named by the user, in this environment variable.
    Named(&'static str),
    /// Fetched by `tools/get-mysql`.
    Fetched,
    /// In one of PATH's folders.
    Path,
    /// In a folder where distributions put servers.
    UsualFolder,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Named(variable) => return write!(f, "named by {variable}"),
            Self::Fetched => "fetched by tools/get-mysql",
            Self::Path => "found in PATH",
            Self::UsualFolder => "found where servers usually are",
        })
    }
}

/// What a successful search brings back.
#[derive(Debug)]
pub struct Found {
    /// The server to start.
    pub binary: Binary,
    /// The programs that came first and were not taken. Worth telling the user.
    pub passed_over: Vec<PassedOver>,
}

/// A program that looked like a server and was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// The program.
    pub path: PathBuf,
    /// Why it was not taken.
    pub reason: Reason,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.reason)
    }
}

/// Why a program was not taken. Reads on after the program's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An AppArmor profile keeps it from using folders other than the system server's.
    Confined {
        /// The profile's file.
        profile: PathBuf,
    },
    /// It cannot be run, or does not say its version as a server does.
    NoServer(String),
    /// Its version is older than the options used here.
    TooOld(Product, Version),
    /// It is another product.
    OtherProduct(Product),
    /// A program with which its data directory is made is not installed.
    Incomplete {
        /// Whose server it is.
        product: Product,
        /// The program's name.
        missing: &'static str,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confined { profile } => write!(
                f,
                "is confined by AppArmor ({}), which forbids it folders other than the system server's; the copy that \
                 tools/get-mysql fetches is not confined",
                profile.display()
            ),
            Self::NoServer(why) => write!(f, "is no server that can be started: {why}"),
            Self::TooOld(product, version) => write!(
                f,
                "is version {version}, which is too old: {product} {} is the oldest",
                product.oldest()
            ),
            Self::OtherProduct(product) => write!(f, "is {product}, which was not asked for"),
            Self::Incomplete { product, missing } => {
                write!(
                    f,
                    "is {product} without {missing}, which is needed to make its data directory"
                )?;
                if *product == Product::MariaDb {
                    f.write_str(" (Debian has it in mariadb-server-core and mariadb-client-core: install both)")?;
                }
                Ok(())
            }
        }
    }
}

/// Searches for a server: the one that `RACY_MYSQLD` (PostgreSQL: `RACY_POSTGRES`) names, then what
/// `tools/get-mysql` fetched, then PATH, then the folders where servers usually are. The first that
/// can be used is taken.
///
/// Runs each candidate once, to ask for its version.
///
/// # Errors
/// [`Error::Unusable`] where that variable is set but cannot be used: what was named is never
/// replaced by something else. [`Error::NotFound`] where nothing usable is installed.
pub fn find(wanted: Wanted) -> Result<Found, Error> {
    Places::of_this_machine(wanted).find(wanted)
}

/// Everything outside the program that the search depends on.
struct Places {
    named: Option<OsString>,
    cache: Option<PathBuf>,
    path: Option<OsString>,
    /// What the usual folders and AppArmor's are relative to: `/`.
    root: PathBuf,
}

impl Places {
    fn of_this_machine(wanted: Wanted) -> Self {
        let set = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            named: set(wanted.search().variable),
            cache: absolute(set("XDG_CACHE_HOME").map(PathBuf::from))
                .or_else(|| set("HOME").map(|home| Path::new(&home).join(".cache"))),
            path: set("PATH"),
            root: PathBuf::from("/"),
        }
    }

    fn find(&self, wanted: Wanted) -> Result<Found, Error> {
        if let Some(named) = &self.named {
            let variable = wanted.search().variable;
            return match self.examine(Path::new(named), Origin::Named(variable), wanted) {
                Ok(binary) => Ok(Found {
                    binary,
                    passed_over: Vec::new(),
                }),
                Err(one) => Err(Error::Unusable(variable, one)),
            };
        }
        let mut passed_over = Vec::new();
        for (candidate, origin) in self.candidates(wanted.search()) {
            match self.examine(&candidate, origin, wanted) {
                Ok(binary) => {
                    return Ok(Found {
                        binary,
                        passed_over,
                    });
                }
                Err(one) => passed_over.push(one),
            }
        }
        Err(Error::NotFound {
            wanted,
            passed_over,
        })
    }

    /// The programs that exist, in the order of the search; each only once, however many links lead to it.
    fn candidates(&self, search: &Search) -> Vec<(PathBuf, Origin)> {
        let fetched = self.cache.iter().zip(search.fetched);
        let fetched = fetched.map(|(cache, folder)| (cache.join(folder), Origin::Fetched));
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

    fn examine(&self, path: &Path, origin: Origin, wanted: Wanted) -> Result<Binary, PassedOver> {
        let pass_over = |reason| PassedOver {
            path: path.to_owned(),
            reason,
        };
        let path = std::path::absolute(path)
            .map_err(|error| pass_over(Reason::NoServer(error.to_string())))?;
        let (product, version) =
            ask_version(&path, wanted.search()).map_err(|why| pass_over(Reason::NoServer(why)))?;
        if !wanted.accepts(product) {
            return Err(pass_over(Reason::OtherProduct(product)));
        }
        if version < product.oldest() {
            return Err(pass_over(Reason::TooOld(product, version)));
        }
        if let Some(profile) = confining_profile(&self.root, &path) {
            return Err(pass_over(Reason::Confined { profile }));
        }
        let initialiser = product
            .initialiser(&path, self.path.as_deref())
            .map_err(|missing| pass_over(Reason::Incomplete { product, missing }))?;
        Ok(Binary {
            path,
            product,
            version,
            origin,
            initialiser,
        })
    }
}

/// PATH's folders. Relative ones are left out: what they hold depends on where one stands.
pub(super) fn folders_of(path: Option<&OsStr>) -> impl Iterator<Item = PathBuf> {
    path.map(|path| env::split_paths(path).collect::<Vec<_>>())
        .unwrap_or_default()
        .into_iter()
        .filter(|folder| folder.is_absolute())
}

/// Where a path leads when all links are followed.
pub(super) fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Asks a program who it is. Its name says nothing: Debian's `mysqld` is a link to MariaDB.
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
            "asked for its version, it says nothing for {VERSION_WITHIN:?}"
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
        format!("asked for its version, it says {first:?}")
    })
}

/// Waits for a process that says little, and kills it when its time is up.
fn ends_within(limit: Duration, process: &mut Child) -> io::Result<bool> {
    let deadline = Instant::now() + limit;
    while process.try_wait()?.is_none() {
        if Instant::now() >= deadline {
            process.kill()?;
            process.wait()?;
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    const MYSQL: &str = "mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))";
    const MARIADB: &str =
        "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)";

    /// A made-up file system.
    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().canonicalize().unwrap().join(path)
        }

        fn file(&self, path: &str, text: &str) -> PathBuf {
            let path = self.at(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        }

        /// A program that says `answer`, whatever it is asked.
        fn program(&self, path: &str, answer: &str) -> PathBuf {
            let path = self.file(path, "");
            // Written by another process: a program that is open for writing cannot be run, and here
            // a test that starts a process at the same moment would hold it open a little longer.
            let write = "printf '#!/bin/sh\\necho \"%s\"\\n' \"$1\" >\"$0\" && chmod 755 \"$0\"";
            assert!(
                Command::new("sh")
                    .arg("-c")
                    .arg(write)
                    .arg(&path)
                    .arg(answer)
                    .status()
                    .unwrap()
                    .success()
            );
            path
        }

        fn apparmor(&self, profile: &str, text: &str) {
            self.file("sys/module/apparmor/parameters/enabled", "Y\n");
            self.file(&format!("etc/apparmor.d/{profile}"), text);
        }

        fn places(&self) -> Places {
            Places {
                named: None,
                cache: Some(self.at("cache")),
                path: Some(env::join_paths([self.at("path"), PathBuf::from("relative")]).unwrap()),
                root: self.at(""),
            }
        }

        fn find(&self, wanted: Wanted) -> Result<Found, Error> {
            self.places().find(wanted)
        }
    }

    fn reasons(passed_over: &[PassedOver]) -> Vec<&Reason> {
        passed_over.iter().map(|one| &one.reason).collect()
    }

    #[test]
    fn the_search_goes_from_the_named_to_the_usual() {
        let tree = Tree::new();
        let usual = tree.program("usr/sbin/mysqld", MYSQL);
        assert_eq!(tree.find(Wanted::Any).unwrap().binary.path, usual);
        let in_path = tree.program("path/mysqld", MYSQL);
        assert_eq!(tree.find(Wanted::Any).unwrap().binary.path, in_path);
        let fetched = tree.program("cache/racy/mysql/bin/mysqld", MYSQL);
        assert_eq!(tree.find(Wanted::Any).unwrap().binary.path, fetched);
        let named = tree.program("mine", MYSQL);
        let places = Places {
            named: Some(named.clone().into()),
            ..tree.places()
        };
        let binary = places.find(Wanted::Any).unwrap().binary;
        let origin = Origin::Named("RACY_MYSQLD");
        assert_eq!((binary.path, binary.origin), (named, origin));
    }

    #[test]
    fn a_named_server_that_cannot_be_used_is_an_error_although_there_are_others() {
        let tree = Tree::new();
        tree.program("usr/sbin/mysqld", MYSQL);
        let missing = tree.at("missing");
        let other = tree.program("other", "cat (GNU coreutils) 9.1");
        for named in [&missing, &other] {
            let places = Places {
                named: Some(named.into()),
                ..tree.places()
            };
            match places.find(Wanted::Any) {
                Err(Error::Unusable(
                    _,
                    PassedOver {
                        path,
                        reason: Reason::NoServer(_),
                    },
                )) => assert_eq!(&path, named),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_wanted_product_is_found_behind_the_other() {
        let tree = Tree::new();
        tree.program("path/mysqld", MYSQL);
        let mariadb = tree.program("usr/sbin/mariadbd", MARIADB);
        let initialiser = tree.program("usr/bin/mariadb-install-db", "");
        tree.program("usr/bin/my_print_defaults", "");
        let found = tree.find(Wanted::MariaDb).unwrap();
        assert_eq!(
            (found.binary.path, found.binary.initialiser),
            (mariadb, initialiser)
        );
        assert_eq!(
            reasons(&found.passed_over),
            [&Reason::OtherProduct(Product::MySql)]
        );
    }

    #[test]
    fn a_link_to_mariadb_is_mariadb_whatever_its_name_and_is_seen_once() {
        let tree = Tree::new();
        let mariadb = tree.program("usr/sbin/mariadbd", MARIADB);
        symlink(&mariadb, tree.at("usr/sbin/mysqld")).unwrap();
        match tree.find(Wanted::MySql) {
            Err(Error::NotFound { passed_over, .. }) => {
                assert_eq!(
                    reasons(&passed_over),
                    [&Reason::OtherProduct(Product::MariaDb)]
                );
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn old_servers_and_incomplete_ones_are_passed_over() {
        let tree = Tree::new();
        tree.program(
            "path/mysqld",
            "mysqld  Ver 5.7.44 for Linux on x86_64 (MySQL)",
        );
        tree.program("usr/sbin/mariadbd", MARIADB);
        let not_taken = || match tree.find(Wanted::Any) {
            Err(Error::NotFound { passed_over, .. }) => passed_over,
            other => panic!("{other:?}"),
        };
        let version = Version {
            major: 5,
            minor: 7,
            patch: Some(44),
        };
        let old = Reason::TooOld(Product::MySql, version);
        let product = Product::MariaDb;
        assert_eq!(
            reasons(&not_taken()),
            [
                &old,
                &Reason::Incomplete {
                    product,
                    missing: "mariadb-install-db"
                }
            ]
        );
        tree.program("usr/bin/mariadb-install-db", "");
        assert_eq!(
            reasons(&not_taken()),
            [
                &old,
                &Reason::Incomplete {
                    product,
                    missing: "my_print_defaults"
                }
            ]
        );
    }

    #[test]
    fn each_kind_of_server_is_looked_for_by_its_own_name() {
        let tree = Tree::new();
        tree.program("path/mysqld", MYSQL);
        let old = tree.program("path/postgres", "postgres (PostgreSQL) 9.6.24");
        let server = "usr/lib/postgresql/15/bin/postgres";
        let server = tree.program(server, "postgres (PostgreSQL) 15.18 (Debian)");
        match tree.find(Wanted::Postgres) {
            Err(Error::NotFound { passed_over, .. }) => assert_eq!(
                reasons(&passed_over)[1],
                &Reason::Incomplete {
                    product: Product::Postgres,
                    missing: "initdb"
                }
            ),
            other => panic!("{other:?}"),
        }
        let initialiser = tree.program("usr/lib/postgresql/15/bin/initdb", "");
        let found = tree.find(Wanted::Postgres).unwrap();
        assert_eq!(
            (found.binary.path, found.binary.initialiser),
            (server, initialiser)
        );
        assert_eq!(found.passed_over[0].path, old);
        assert_eq!(
            tree.find(Wanted::Any).unwrap().binary.product,
            Product::MySql
        );
    }

    #[test]
    fn a_server_confined_by_apparmor_gives_way_to_one_that_is_not() {
        let tree = Tree::new();
        let confined = tree.program("usr/sbin/mysqld", MYSQL);
        tree.apparmor(
            "usr.sbin.mysqld",
            "#include <tunables/global>\n/usr/sbin/mysqld {\n  capability setuid,\n}\n",
        );
        let free = tree.program("usr/local/bin/mysqld", MYSQL);
        let found = tree.find(Wanted::Any).unwrap();
        assert_eq!(found.binary.path, free);
        assert_eq!(found.passed_over[0].path, confined);
        let profile = tree.at("etc/apparmor.d/usr.sbin.mysqld");
        assert_eq!(found.passed_over[0].reason, Reason::Confined { profile });
    }

    #[test]
    fn the_profile_follows_the_file_a_link_leads_to() {
        let tree = Tree::new();
        let server = tree.program("usr/sbin/mysqld", MYSQL);
        fs::create_dir_all(tree.at("path")).unwrap();
        symlink(&server, tree.at("path/mysqld")).unwrap();
        tree.apparmor(
            "mysqld",
            "profile mysqld /usr/sbin/mysqld flags=(attach_disconnected) {\n}\n",
        );
        let Err(Error::NotFound { passed_over, .. }) = tree.find(Wanted::Any) else {
            panic!("took a confined one")
        };
        assert!(
            matches!(passed_over[0].reason, Reason::Confined { .. }),
            "{passed_over:?}"
        );
    }

    #[test]
    fn a_profile_that_is_not_in_force_confines_nothing() {
        let real = "/usr/sbin/mysqld {\n}\n";
        let unconfined = |prepare: &dyn Fn(&Tree)| {
            let tree = Tree::new();
            tree.program("usr/sbin/mysqld", MYSQL);
            prepare(&tree);
            tree.find(Wanted::Any).is_ok()
        };
        assert!(
            !unconfined(&|tree| tree.apparmor("usr.sbin.mysqld", real)),
            "the profile itself confines"
        );
        assert!(unconfined(&|tree| {
            tree.apparmor("usr.sbin.mysqld", real);
            tree.file("etc/apparmor.d/disable/usr.sbin.mysqld", "");
        }));
        assert!(unconfined(&|tree| {
            tree.apparmor("usr.sbin.mysqld", real);
            tree.file("sys/module/apparmor/parameters/enabled", "N\n");
        }));
        assert!(unconfined(&|tree| tree.apparmor(
            "usr.sbin.mysqld",
            "/usr/sbin/mysqld flags=(complain) {\n}\n"
        )));
        assert!(unconfined(
            &|tree| tree.apparmor("usr.sbin.mysqld", "# /usr/sbin/mysqld {\n")
        ));
        assert!(unconfined(
            &|tree| tree.apparmor("usr.sbin.mysqld", "/usr/sbin/mysqld-other {\n}\n")
        ));
    }
}
