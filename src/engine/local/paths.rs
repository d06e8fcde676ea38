//! Paths from the environment and the file system, which the rest of the room shares.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::error::Error;

/// Where kept data lives unless told otherwise: `RACY_DATA_DIR`, else `$XDG_DATA_HOME/racy`, else
/// `$HOME/.local/share/racy`.
///
/// # Errors
/// [`Error::NoRoot`] if none of the three is set.
pub fn default_root() -> Result<PathBuf, Error> {
    default_root_from(|name| env::var_os(name))
}

fn default_root_from(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, Error> {
    let set = |name| {
        variable(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("RACY_DATA_DIR")
        .or_else(|| absolute(set("XDG_DATA_HOME")).map(|data| data.join("racy")))
        .or_else(|| set("HOME").map(|home| home.join(".local/share/racy")))
        .ok_or(Error::NoRoot)
}

/// The path if it is absolute. XDG's rules say to ignore a relative path in one of their variables.
pub(super) fn absolute(path: Option<PathBuf>) -> Option<PathBuf> {
    path.filter(|path| Path::is_absolute(path))
}

/// The folders of PATH. Relative ones are left out, because they depend on the current folder.
pub(super) fn folders_of(path: Option<&OsStr>) -> impl Iterator<Item = PathBuf> {
    path.map(|path| env::split_paths(path).collect::<Vec<_>>())
        .unwrap_or_default()
        .into_iter()
        .filter(|folder| folder.is_absolute())
}

/// The path with all symbolic links followed; the path itself if that fails.
pub(super) fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(variables: &[(&str, &str)]) -> Option<PathBuf> {
        default_root_from(|name| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| OsString::from(value))
        })
        .ok()
    }

    #[test]
    fn the_root_is_the_most_specific_variable_that_is_set() {
        let home = ("HOME", "/home/ada");
        let xdg = ("XDG_DATA_HOME", "/data");
        let own = ("RACY_DATA_DIR", "here");
        assert_eq!(root(&[home]), Some("/home/ada/.local/share/racy".into()));
        assert_eq!(root(&[home, xdg]), Some("/data/racy".into()));
        assert_eq!(root(&[home, xdg, own]), Some("here".into()));
    }

    #[test]
    fn empty_and_relative_variables_count_as_unset() {
        assert_eq!(
            root(&[
                ("RACY_DATA_DIR", ""),
                ("XDG_DATA_HOME", "data"),
                ("HOME", "/h")
            ]),
            Some("/h/.local/share/racy".into())
        );
        assert_eq!(root(&[("RACY_DATA_DIR", ""), ("HOME", "")]), None);
    }
}
