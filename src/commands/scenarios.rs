//! `racy new` and `racy schema`: how a scenario file begins, and what it may hold.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::CommandResult;
use super::terminal::print;
use crate::scenarios;

/// A commented file that runs as it is.
const TEMPLATE: &str = include_str!("../../scenarios/templates/new.toml");

#[derive(Debug, clap::Args)]
pub(super) struct NewArgs {
    /// The file to write. Without an ending it gets .toml.
    name: PathBuf,
}

impl NewArgs {
    pub(super) fn run(&self) -> CommandResult {
        let path = match self.name.extension() {
            Some(_) => self.name.clone(),
            None => self.name.with_extension("toml"),
        };
        write_new(&path).map_err(|error| complaint(&path, &error))?;
        let path = path.display();
        print(&format!("wrote {path}; explore it: racy explore {path}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Writes the file, but never over another one.
fn write_new(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(TEMPLATE.as_bytes())
}

fn complaint(path: &Path, error: &io::Error) -> Box<dyn Error> {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{path} is there already: choose another name, or remove it").into()
        }
        _ => format!("{path} cannot be written: {error}").into(),
    }
}

/// Prints the JSON Schema of the scenario format.
pub(super) fn print_schema() -> CommandResult {
    let schema = serde_json::to_string_pretty(&scenarios::schema())?;
    print(&format!("{schema}\n"))?;
    Ok(ExitCode::SUCCESS)
}
