//! What `racy explore` tells a build, besides what it prints: a file of JUnit XML, a summary, and
//! annotations.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf, absolute};

use clap::builder::FalseyValueParser;

use super::terminal::complain;
use crate::explore::report::{self, Build, MOST_SUMMARY_BYTES};

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "In CI")]
pub(super) struct BuildArgs {
    /// Write JUnit XML to this file as well, whatever is printed.
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,

    /// Append a summary in Markdown to this file: a table, and each failure to unfold.
    ///
    /// GitHub Actions names one file for each step, and shows it on the page of the run. With what
    /// is there already it is at most 1 MiB, because GitHub shows nothing of a larger one.
    /// Isolation test files have no summary.
    #[arg(long, value_name = "FILE", env = "GITHUB_STEP_SUMMARY")]
    summary: Option<PathBuf>,

    /// Print an annotation for each failure to standard error: a workflow command of GitHub Actions
    /// that names the file and the line.
    #[arg(long, env = "GITHUB_ACTIONS", value_parser = FalseyValueParser::new())]
    annotate: bool,
}

impl BuildArgs {
    /// Makes sure that the files can be written, so that no exploration is in vain. What an earlier
    /// run has left in the JUnit file goes, so that it is not taken for this one's.
    pub(super) fn prepare(&self) -> Result<(), String> {
        if let Some(path) = &self.junit {
            File::create(path).map_err(|error| unwritten("--junit", path, &error))?;
        }
        if let Some(path) = &self.summary {
            open_to_append(path).map_err(|error| unwritten(SUMMARY, path, &error))?;
        }
        Ok(())
    }

    /// Writes what was asked for.
    pub(super) fn write(&self, build: &Build<'_>) -> Result<(), String> {
        if self.annotate {
            for line in report::annotations(build).lines() {
                complain(line);
            }
        }
        if let Some(path) = &self.junit {
            let written = fs::write(path, report::junit(build));
            written.map_err(|error| unwritten("--junit", path, &error))?;
        }
        if let Some(path) = &self.summary {
            append(path, build).map_err(|error| unwritten(SUMMARY, path, &error))?;
        }
        Ok(())
    }
}

const SUMMARY: &str = "--summary (or GITHUB_STEP_SUMMARY)";

fn append(path: &Path, build: &Build<'_>) -> io::Result<()> {
    let mut file = open_to_append(path)?;
    let there = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let room = MOST_SUMMARY_BYTES.saturating_sub(there);
    file.write_all(report::summary(build, room).as_bytes())
}

fn open_to_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn unwritten(option: &str, path: &Path, error: &io::Error) -> String {
    format!("{option}: {} cannot be written: {error}", path.display())
}

/// The path of a file within the repository that GitHub or GitLab has checked out. The path as it
/// is if the file is elsewhere, or if this is no build.
pub(super) fn in_repository(name: &str) -> String {
    let roots = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"];
    let mut roots = roots.into_iter().filter_map(env::var_os);
    let found = roots.find_map(|root| within(Path::new(&root), Path::new(name)));
    found.unwrap_or_else(|| name.to_owned())
}

/// A file's path from this folder. None if the file is not in it.
fn within(root: &Path, file: &Path) -> Option<String> {
    let file = without_parents(&absolute(file).ok()?);
    let inside = file.strip_prefix(root).ok()?;
    Some(inside.to_str()?.to_owned())
}

/// The path without `..`, for people: a link on the way does not matter to them.
fn without_parents(path: &Path) -> PathBuf {
    let mut straight = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                straight.pop();
            }
            other => straight.push(other),
        }
    }
    straight
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_from_the_root_of_the_repository() {
        let root = Path::new("/builds/shop");
        for (file, named) in [
            ("/builds/shop/race/x.toml", Some("race/x.toml")),
            ("/builds/shop/app/../race/./x.toml", Some("race/x.toml")),
            ("/builds/shopping/x.toml", None),
            ("/tmp/x.toml", None),
        ] {
            assert_eq!(within(root, Path::new(file)).as_deref(), named, "{file}");
        }
    }
}
