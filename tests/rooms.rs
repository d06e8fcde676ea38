//! The house's rooms: who may use what, read from the sources.
//!
//! A room is a module of the crate's root. Dependencies point down and make no circle, and a shared
//! room names no exhibit.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use racy::exhibits::{self, EXHIBITS};

/// Each room, and the rooms that it may use. A room uses none that is listed after it.
const ROOMS: [(&str, &[&str]); 21] = [
    ("answer", &[]),
    ("footprint", &[]),
    ("step", &["answer", "footprint"]),
    ("engine", &["answer", "footprint", "step"]),
    ("verdict", &["engine"]),
    ("recorder", &["step"]),
    (
        "explore",
        &["answer", "footprint", "step", "engine", "verdict"],
    ),
    (
        "proxy",
        &["answer", "footprint", "step", "engine", "explore"],
    ),
    (
        "scenarios",
        &[
            "answer",
            "footprint",
            "step",
            "engine",
            "verdict",
            "explore",
            "proxy",
        ],
    ),
    ("traffic", &["answer", "engine", "proxy", "scenarios"]),
    ("accounts", &["step", "engine"]),
    ("observe", &["step", "engine", "verdict", "accounts"]),
    (
        "exhibits",
        &[
            "step", "engine", "verdict", "recorder", "explore", "accounts",
        ],
    ),
    ("auth", &["engine"]),
    (
        "keeper",
        &[
            "step", "engine", "verdict", "explore", "accounts", "exhibits", "auth",
        ],
    ),
    (
        "console",
        &[
            "step",
            "engine",
            "verdict",
            "explore",
            "scenarios",
            "accounts",
            "observe",
            "exhibits",
            "auth",
            "keeper",
        ],
    ),
    (
        "http",
        &[
            "step",
            "engine",
            "verdict",
            "recorder",
            "explore",
            "scenarios",
            "accounts",
            "observe",
            "exhibits",
            "auth",
            "keeper",
            "console",
        ],
    ),
    ("descriptors", &["http"]),
    ("watch", &["observe"]),
    ("demo", &["step", "engine", "accounts", "exhibits", "http"]),
    (
        "commands",
        &[
            "step",
            "engine",
            "verdict",
            "explore",
            "proxy",
            "scenarios",
            "traffic",
            "accounts",
            "exhibits",
            "auth",
            "keeper",
            "http",
            "descriptors",
            "watch",
            "demo",
        ],
    ),
];

/// The rooms that several exhibits share.
const SHARED: [&str; 11] = [
    "answer",
    "step",
    "engine",
    "verdict",
    "recorder",
    "explore",
    "proxy",
    "scenarios",
    "traffic",
    "accounts",
    "observe",
];

/// Words of an exhibit that a shared room may have: files and metrics that keep their names.
const ALLOWED: [(&str, &str); 10] = [
    // The engine has a module of that name as well.
    ("src/engine/", "file_lock"),
    // The name of MySQL's counter for generated keys.
    ("src/engine/beginning/innodb.rs", "auto_increment"),
    ("src/engine/beginning/innodb.rs", "AUTO_INCREMENT"),
    ("src/engine/contents/", "auto_increment"),
    ("src/engine/contents/", "AUTO_INCREMENT"),
    ("src/engine/copies/", "auto_increment"),
    ("src/engine/copies/", "AUTO_INCREMENT"),
    ("src/engine/migrations.rs", "_deposits.sql"),
    ("src/engine/migrations.rs", "\"deposits\""),
    ("src/observe/metrics/", "batch_deposits"),
];

/// An exhibit that uses another one, and why that is so.
const EXHIBITS_THAT_USE_ANOTHER: [(&str, &str); 1] = [
    // The clients beside a reader are writers, and writers are deposits.
    ("statements", "deposits"),
];

/// A file of the sources.
struct Source {
    path: String,
    /// The module, e.g. `engine::local::server`.
    module: Vec<String>,
    /// Whether it is a `mod.rs` or a crate's root: a place of names that its children may use.
    is_facade: bool,
    /// The code, without comments and unit tests.
    code: String,
    text: String,
}

fn sources_in(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| source(&root, folder, &path))
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
}

fn source(root: &Path, folder: &str, path: &Path) -> Source {
    let relative = path.strip_prefix(root).unwrap();
    let mut module: Vec<String> = relative
        .with_extension("")
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    let is_facade = ["mod", "lib", "main"].contains(&module.last().unwrap().as_str());
    if is_facade {
        module.pop();
    }
    let text = fs::read_to_string(path).unwrap();
    let without_tests = text.split("#[cfg(test)]\nmod").next().unwrap();
    let code = without_tests
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    Source {
        path: format!("{folder}/{}", relative.display()),
        module,
        is_facade,
        code: code.collect::<Vec<_>>().join("\n"),
        text,
    }
}

impl Source {
    /// The paths into this crate that the code names, from the crate's root.
    fn paths(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        for start in ["crate::", "super::"] {
            for (at, _) in self.code.match_indices(start) {
                let before = self.code[..at].chars().next_back();
                if !before.is_some_and(|it| it.is_alphanumeric() || it == '_' || it == ':') {
                    expand(&mut Vec::new(), &self.code[at..], &mut paths);
                }
            }
        }
        paths.into_iter().map(|it| self.absolute(it)).collect()
    }

    fn absolute(&self, path: Vec<String>) -> Vec<String> {
        let mut base = self.module.clone();
        let mut rest = path.into_iter().peekable();
        while let Some(word) = rest.next_if(|it| it == "crate" || it == "super") {
            if word == "crate" {
                base.clear();
            } else {
                base.pop();
            }
        }
        base.extend(rest);
        base
    }
}

/// Adds what a path with braces stands for: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn expand<'t>(prefix: &mut Vec<String>, text: &'t str, paths: &mut Vec<Vec<String>>) -> &'t str {
    let length = prefix.len();
    let mut rest = text.trim_start();
    loop {
        let end = rest.find(|it: char| !it.is_alphanumeric() && it != '_');
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        if word.is_empty() && after.starts_with('{') {
            rest = after[1..].trim_start();
            while !rest.starts_with('}') && !rest.is_empty() {
                rest = expand(prefix, rest, paths).trim_start();
                // A renamed import: `a as b`.
                while !rest.starts_with([',', '}']) && !rest.is_empty() {
                    rest = &rest[rest.chars().next().map_or(0, char::len_utf8)..];
                }
                rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            }
            rest = rest.strip_prefix('}').unwrap_or(rest);
            break;
        }
        prefix.push(word.to_owned());
        match after.strip_prefix("::") {
            Some(next) => rest = next,
            None => {
                paths.push(prefix.clone());
                rest = after;
                break;
            }
        }
    }
    prefix.truncate(length);
    rest
}

#[test]
fn braces_are_expanded() {
    let mut paths = Vec::new();
    let text = "crate::{a::B, c::{self, D as E}, f}; rest";
    let rest = expand(&mut Vec::new(), text, &mut paths);
    let joined: Vec<_> = paths.iter().map(|path| path.join("::")).collect();
    let expected = ["crate::a::B", "crate::c::self", "crate::c::D", "crate::f"];
    assert_eq!(joined, expected);
    assert_eq!(rest, "; rest");
}

#[test]
fn each_room_is_listed_and_uses_only_rooms_before_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let here = fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        path.file_stem().unwrap().to_str().unwrap().to_owned()
    });
    let here: BTreeSet<String> = here.filter(|it| it != "lib" && it != "main").collect();
    let listed = ROOMS.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(here, listed);
    for (at, (room, uses)) in ROOMS.iter().enumerate() {
        for used in *uses {
            let before = ROOMS[..at].iter().any(|(it, _)| it == used);
            assert!(before, "{room} may not use {used}, which is above it");
        }
    }
}

#[test]
fn rooms_use_only_what_is_below_them() {
    let rooms: BTreeMap<_, _> = ROOMS.into_iter().collect();
    for source in sources_in("src") {
        let Some(room) = source.module.first() else {
            continue;
        };
        for path in source.paths() {
            let Some(used) = path.first().filter(|it| *it != room) else {
                continue;
            };
            if rooms.contains_key(used.as_str()) {
                assert!(
                    rooms[room.as_str()].contains(&used.as_str()),
                    "{} uses {}: {room} is not above {used}",
                    source.path,
                    path.join("::")
                );
            }
        }
    }
}

#[test]
fn a_shared_room_names_no_exhibit() {
    let strategies = exhibits::names().map(|it| it.rsplit('/').next().unwrap());
    let anomalies = EXHIBITS.iter().flat_map(|exhibit| exhibit.anomalies);
    let anomalies = anomalies.map(|it| it.name);
    // "Order" and "statement" are words of every SQL engine as well.
    let words: BTreeSet<_> = ["deposit", "deposits", "deposited"]
        .into_iter()
        .chain(strategies.filter(|it| it.contains('_')))
        .chain(anomalies)
        .collect();
    let is_shared = |source: &Source| {
        let room = source.module.first();
        room.is_some_and(|it| SHARED.contains(&it.as_str()))
    };
    for source in sources_in("src").iter().filter(|it| is_shared(it)) {
        for (number, line) in source.text.lines().enumerate() {
            let named = line
                .split(|it: char| !it.is_alphanumeric() && it != '_')
                .find(|it| words.contains(it.to_lowercase().as_str()));
            let is_allowed = |(file, words): &(&str, &str)| {
                source.path.starts_with(file) && line.contains(words)
            };
            assert!(
                named.is_none() || ALLOWED.iter().any(is_allowed),
                "{}:{}: a shared room speaks of {:?}: {line}",
                source.path,
                number + 1,
                named.unwrap_or_default()
            );
        }
    }
}

#[test]
fn an_exhibit_uses_no_other_exhibit() {
    let names: Vec<_> = EXHIBITS.iter().map(|it| it.name).collect();
    for source in sources_in("src") {
        let [room, exhibit, ..] = &source.module[..] else {
            continue;
        };
        if room != "exhibits" || !names.contains(&exhibit.as_str()) {
            continue;
        }
        for path in source.paths() {
            let [used_room, used, ..] = &path[..] else {
                continue;
            };
            let is_another =
                used_room == "exhibits" && used != exhibit && names.contains(&used.as_str());
            assert!(
                !is_another || EXHIBITS_THAT_USE_ANOTHER.contains(&(exhibit, used)),
                "{} uses {}",
                source.path,
                path.join("::")
            );
        }
    }
}

#[test]
fn no_two_files_use_each_other_in_a_circle() {
    for folder in ["src", "tools/make_requests/src"] {
        let sources = sources_in(folder);
        let files: BTreeMap<_, _> = sources
            .iter()
            .filter(|it| !it.is_facade)
            .map(|it| (it.module.clone(), it))
            .collect();
        let uses = |source: &Source| -> Vec<&Source> {
            let paths = source.paths().into_iter();
            let used = paths.filter_map(|path| {
                let prefixes = (1..=path.len()).rev().map(|length| path[..length].to_vec());
                prefixes.filter_map(|it| files.get(&it).copied()).next()
            });
            used.filter(|it| it.path != source.path).collect()
        };
        for source in files.values() {
            let mut seen = BTreeSet::new();
            let mut next: Vec<_> = uses(source);
            while let Some(used) = next.pop() {
                assert_ne!(
                    used.path, source.path,
                    "a circle goes through it and some of {seen:?}"
                );
                if seen.insert(used.path.clone()) {
                    next.extend(uses(used));
                }
            }
        }
    }
}
