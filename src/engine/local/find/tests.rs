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

    /// A program that prints `answer`, whatever its options are.
    fn program(&self, path: &str, answer: &str) -> PathBuf {
        let path = self.file(path, "");
        // Another process writes it. A program that is open for writing cannot be run, and a
        // process that another test starts at this moment would inherit the open file.
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

    fn find(&self, kind: ServerKind) -> Result<ServerFound, Error> {
        self.places().find(kind)
    }
}

fn reasons(rejected: &[RejectedProgram]) -> Vec<&RejectReason> {
    rejected.iter().map(|one| &one.reason).collect()
}

#[test]
fn the_search_goes_from_the_named_to_the_usual() {
    let tree = Tree::new();
    let usual = tree.program("usr/sbin/mysqld", MYSQL);
    assert_eq!(tree.find(ServerKind::Any).unwrap().binary.path, usual);
    let in_path = tree.program("path/mysqld", MYSQL);
    assert_eq!(tree.find(ServerKind::Any).unwrap().binary.path, in_path);
    let fetched = tree.program("cache/racy/mysql/bin/mysqld", MYSQL);
    assert_eq!(tree.find(ServerKind::Any).unwrap().binary.path, fetched);
    let named = tree.program("mine", MYSQL);
    let places = Places {
        named: Some(named.clone().into()),
        ..tree.places()
    };
    let binary = places.find(ServerKind::Any).unwrap().binary;
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
        match places.find(ServerKind::Any) {
            Err(Error::Unusable(
                _,
                RejectedProgram {
                    path,
                    reason: RejectReason::NoServer(_),
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
    let found = tree.find(ServerKind::MariaDb).unwrap();
    assert_eq!(
        (found.binary.path, found.binary.initialiser),
        (mariadb, initialiser)
    );
    assert_eq!(
        reasons(&found.rejected),
        [&RejectReason::OtherProduct(Product::MySql)]
    );
}

#[test]
fn a_link_to_mariadb_is_mariadb_whatever_its_name_and_is_seen_once() {
    let tree = Tree::new();
    let mariadb = tree.program("usr/sbin/mariadbd", MARIADB);
    symlink(&mariadb, tree.at("usr/sbin/mysqld")).unwrap();
    match tree.find(ServerKind::MySql) {
        Err(Error::NotFound { rejected, .. }) => {
            assert_eq!(
                reasons(&rejected),
                [&RejectReason::OtherProduct(Product::MariaDb)]
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn old_servers_and_incomplete_ones_are_rejected() {
    let tree = Tree::new();
    tree.program(
        "path/mysqld",
        "mysqld  Ver 5.7.44 for Linux on x86_64 (MySQL)",
    );
    tree.program("usr/sbin/mariadbd", MARIADB);
    let rejected = || match tree.find(ServerKind::Any) {
        Err(Error::NotFound { rejected, .. }) => rejected,
        other => panic!("{other:?}"),
    };
    let version = |major, minor, patch| Version {
        major,
        minor,
        patch: Some(patch),
    };
    let old = RejectReason::TooOld {
        product: Product::MySql,
        version: version(5, 7, 44),
        oldest: version(8, 0, 13),
    };
    let product = Product::MariaDb;
    assert_eq!(
        reasons(&rejected()),
        [
            &old,
            &RejectReason::Incomplete {
                product,
                missing: "mariadb-install-db"
            }
        ]
    );
    tree.program("usr/bin/mariadb-install-db", "");
    assert_eq!(
        reasons(&rejected()),
        [
            &old,
            &RejectReason::Incomplete {
                product,
                missing: "my_print_defaults"
            }
        ]
    );
}

#[test]
fn the_sentence_about_a_missing_server_says_how_to_get_one() {
    let tree = Tree::new();
    tree.program("usr/sbin/mysqld", MARIADB);
    let sentence = tree.find(ServerKind::MySql).unwrap_err().to_string();
    for part in [
        "MySQL server",
        "tools/get-mysql",
        "RACY_MYSQLD",
        "/usr/sbin/mysqld",
        "MariaDB",
    ] {
        assert!(
            sentence.contains(part),
            "{part:?} is missing in: {sentence}"
        );
    }
}

#[test]
fn each_kind_of_server_is_looked_for_by_its_own_name() {
    let tree = Tree::new();
    tree.program("path/mysqld", MYSQL);
    let old = tree.program("path/postgres", "postgres (PostgreSQL) 9.6.24");
    let server = "usr/lib/postgresql/15/bin/postgres";
    let server = tree.program(server, "postgres (PostgreSQL) 15.18 (Debian)");
    match tree.find(ServerKind::Postgres) {
        Err(Error::NotFound { rejected, .. }) => assert_eq!(
            reasons(&rejected)[1],
            &RejectReason::Incomplete {
                product: Product::Postgres,
                missing: "initdb"
            }
        ),
        other => panic!("{other:?}"),
    }
    let initialiser = tree.program("usr/lib/postgresql/15/bin/initdb", "");
    let found = tree.find(ServerKind::Postgres).unwrap();
    assert_eq!(
        (found.binary.path, found.binary.initialiser),
        (server, initialiser)
    );
    assert_eq!(found.rejected[0].path, old);
    assert_eq!(
        tree.find(ServerKind::Any).unwrap().binary.product,
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
    let found = tree.find(ServerKind::Any).unwrap();
    assert_eq!(found.binary.path, free);
    assert_eq!(found.rejected[0].path, confined);
    let profile = tree.at("etc/apparmor.d/usr.sbin.mysqld");
    assert_eq!(found.rejected[0].reason, RejectReason::Confined { profile });
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
    let Err(Error::NotFound { rejected, .. }) = tree.find(ServerKind::Any) else {
        panic!("took a confined one")
    };
    assert!(
        matches!(rejected[0].reason, RejectReason::Confined { .. }),
        "{rejected:?}"
    );
}

#[test]
fn a_profile_that_is_not_in_force_confines_nothing() {
    let real = "/usr/sbin/mysqld {\n}\n";
    let unconfined = |prepare: &dyn Fn(&Tree)| {
        let tree = Tree::new();
        tree.program("usr/sbin/mysqld", MYSQL);
        prepare(&tree);
        tree.find(ServerKind::Any).is_ok()
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
