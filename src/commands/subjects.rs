//! What is named on the command line to be explored: strategies, changes of the keeper's, and
//! files.

use std::error::Error;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command};

use crate::engine::Flavour;
use crate::engine::choice::{DatabaseUrl, Wanted};
use crate::engine::local::ServerKind;
use crate::exhibits;
use crate::explore::Subject;
use crate::keeper::{self, explored::Change};
use crate::scenarios::{Options, Scenario};

/// One name on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// A strategy, or a change of the keeper's.
    Strategy(String),
    /// A scenario file, or a folder with such files.
    File(PathBuf),
}

impl Named {
    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

/// Reads a name: a strategy's, or a file's. Completions show the strategies.
#[derive(Debug, Clone)]
pub(super) struct NamedParser;

impl TypedValueParser for NamedParser {
    type Value = Named;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Named, clap::Error> {
        let path = Path::new(value);
        let text = value.to_str();
        if let Some(name) = text.filter(|it| names().any(|known| known == *it)) {
            return Ok(Named::Strategy(name.to_owned()));
        }
        let is_a_file =
            is_scenario(path) || is_isolation_test(path) || path.is_dir() || path.is_file();
        if is_a_file {
            return Ok(Named::File(path.to_owned()));
        }
        // It is none of them. clap says which name is similar.
        let known = names().chain(["FILE.toml", "FILE.spec"]);
        let known = PossibleValuesParser::new(known);
        known
            .parse_ref(command, argument, value)
            .map(Named::Strategy)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(names().map(PossibleValue::new)))
    }
}

/// The names of all strategies, and of the keeper's changes.
fn names() -> impl Iterator<Item = &'static str> {
    exhibits::names().chain(Change::ALL.map(Change::full_name))
}

/// What is wrong with files, each with its place. There is at least one.
#[derive(Debug)]
pub(super) struct Mistakes(pub(super) Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl Error for Mistakes {}

/// The subjects that are named or, without a name, those of all strategies.
pub(super) fn subjects(
    named: &[Named],
    options: Options,
) -> Result<Vec<Arc<Subject>>, Box<dyn Error>> {
    let mut subjects: Vec<_> = ours(named).collect();
    let mut mistakes = Vec::new();
    for file in files(named)? {
        let name = file.display().to_string();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) => {
                mistakes.push(format!("{name}: {error}"));
                continue;
            }
        };
        let scenario = Scenario::parse(&name, &text);
        match scenario.and_then(|it| it.into_subject(options)) {
            Ok(subject) => subjects.push(Arc::new(subject)),
            Err(mistake) => mistakes.push(mistake.to_string()),
        }
    }
    if mistakes.is_empty() {
        Ok(subjects)
    } else {
        Err(Mistakes(mistakes).into())
    }
}

/// The database to open for these subjects. `url` is the one that was asked for.
pub(super) fn wanted(url: Option<DatabaseUrl>, subjects: &[Arc<Subject>]) -> Wanted {
    let leaves_sqlite_out = |subject: &Arc<Subject>| {
        let scenario = subject.about.scenario.as_ref();
        scenario.is_some_and(|it| !it.engines.contains(&Flavour::Sqlite))
    };
    let only = match url {
        Some(_) => None,
        None => private_server(subjects),
    };
    Wanted {
        is_the_only_one: only.is_some(),
        needs_a_server: !subjects.is_empty() && subjects.iter().all(leaves_sqlite_out),
        url: url.or(only),
    }
}

/// The private server to start if no database is named: None if the lab's default is right.
///
/// Files that are all for one engine alone choose it by their `engines`.
fn private_server(subjects: &[Arc<Subject>]) -> Option<DatabaseUrl> {
    let mut engines = subjects.iter().map(|subject| {
        let scenario = subject.about.scenario.as_ref();
        match scenario.map(|it| it.engines.as_slice()) {
            Some([only]) => Some(*only),
            _ => None,
        }
    });
    let first = engines.next().flatten()?;
    if !engines.all(|it| it == Some(first)) {
        return None;
    }
    Some(match first {
        Flavour::MySql => DatabaseUrl::Local(ServerKind::MySql),
        Flavour::MariaDb => DatabaseUrl::Local(ServerKind::MariaDb),
        Flavour::Postgres => DatabaseUrl::Local(ServerKind::Postgres),
        Flavour::Sqlite => DatabaseUrl::SqliteTemporary,
    })
}

fn ours(named: &[Named]) -> impl Iterator<Item = Arc<Subject>> {
    let is_named = |name: &str| {
        let mut strategies = named.iter().filter_map(|it| match it {
            Named::Strategy(strategy) => Some(strategy),
            Named::File(_) => None,
        });
        strategies.any(|it| it == name)
    };
    let strategies =
        exhibits::specimens().filter(move |it| named.is_empty() || is_named(it.full_name()));
    let changes = Change::ALL
        .into_iter()
        .filter(move |it| is_named(it.full_name()));
    strategies
        .flat_map(exhibits::subjects_of)
        .chain(changes.flat_map(keeper::explored::subjects_of))
}

/// The files that are named, and those in the folders that are named, in the order of their names.
fn files(named: &[Named]) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for name in named {
        let Named::File(path) = name else {
            continue;
        };
        if path.is_dir() {
            let before = files.len();
            collect(path, &mut files, is_scenario)?;
            if files.len() == before {
                let path = path.display();
                return Err(format!("{path} holds no scenario: no file ends in .toml").into());
            }
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

/// Adds the files of one sort in a folder and in those below it, in the order of their names.
fn collect(
    folder: &Path,
    files: &mut Vec<PathBuf>,
    is_wanted: fn(&Path) -> bool,
) -> Result<(), Box<dyn Error>> {
    let unreadable = |error| format!("{}: {error}", folder.display());
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        entries.push(entry.map_err(unreadable)?.path());
    }
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files, is_wanted)?;
        } else if is_wanted(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// The isolation test files that are named, and those in the folders that are named. None if there
/// are none.
///
/// # Errors
/// There is something else as well. Isolation tests bring their own schedules, and are explored
/// alone.
pub(super) fn isolation_test_files(
    named: &[Named],
) -> Result<Option<Vec<PathBuf>>, Box<dyn Error>> {
    let mut tests = Vec::new();
    let mut has_others = false;
    for name in named {
        match name {
            Named::File(path) if path.is_dir() => {
                let before = tests.len();
                collect(path, &mut tests, is_isolation_test)?;
                let mut scenarios = Vec::new();
                collect(path, &mut scenarios, is_scenario)?;
                has_others |= !scenarios.is_empty() || tests.len() == before;
            }
            Named::File(path) if is_isolation_test(path) => tests.push(path.clone()),
            Named::File(_) | Named::Strategy(_) => has_others = true,
        }
    }
    let is_named = |path: &PathBuf| named.contains(&Named::File(path.clone()));
    if !has_others {
        Ok((!tests.is_empty()).then_some(tests))
    } else if tests.iter().any(is_named) {
        Err(
            "isolation test files (.spec) are explored alone, without strategies and scenarios"
                .into(),
        )
    } else {
        // A folder of scenarios may hold isolation tests as well.
        Ok(None)
    }
}

fn is_scenario(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "toml")
}

fn is_isolation_test(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "spec")
}
