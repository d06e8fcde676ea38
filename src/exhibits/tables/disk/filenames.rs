//! The names of a table's files. No other name that a file of metadata holds becomes a part of a
//! path.

use std::path::{Path, PathBuf};

use super::damage::{Damage, shown};

/// The largest number in a snapshot, and of a version: JSON's numbers are exact up to here.
pub(super) const LARGEST_NUMBER: u64 = (1 << 53) - 1;

/// A new name for a file: 16 hexadecimal digits, drawn at random.
pub(super) fn draw() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// The name of a version's file, if the versions keep the truth.
pub(in crate::exhibits::tables) fn name_of(version: u64) -> String {
    format!("v{version}.json")
}

/// The name of a version's file, if a pointer keeps the truth: several may have the same number.
pub(super) fn name_beside(version: u64) -> String {
    format!("v{version}-{}.json", draw())
}

/// The version in the name of a snapshot's file. None if it is no such name.
pub(in crate::exhibits::tables) fn version_in(name: &str) -> Option<u64> {
    let stem = name.strip_prefix('v')?.strip_suffix(".json")?;
    let (number, drawn) = stem
        .split_once('-')
        .map_or((stem, None), |(it, id)| (it, Some(id)));
    let is_plain = number == "0" || !number.starts_with('0');
    let is_right = is_plain && drawn.is_none_or(is_drawn);
    let digits = number.bytes().all(|it| it.is_ascii_digit());
    let version = (is_right && digits).then(|| number.parse().ok()).flatten();
    version.filter(|it| *it < LARGEST_NUMBER)
}

/// Whether this is a manifest's name.
pub(in crate::exhibits::tables) fn is_manifest(name: &str) -> bool {
    name.strip_suffix(".json").is_some_and(is_drawn)
}

/// Whether this is a data file's name.
pub(in crate::exhibits::tables) fn is_data(name: &str) -> bool {
    name.strip_suffix(".csv").is_some_and(is_drawn)
}

/// Whether this name was [drawn](draw).
pub(super) fn is_drawn(name: &str) -> bool {
    let is_digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
    name.len() == 16 && name.bytes().all(is_digit)
}

/// The path of a file that a manifest or a snapshot names, if its name is one that is written here.
pub(super) fn checked(
    folder: &Path,
    name: &str,
    is_right: fn(&str) -> bool,
) -> Result<PathBuf, Damage> {
    if is_right(name) {
        Ok(folder.join(name))
    } else {
        let why = format!("{name:?} is no name of a file that is written here");
        Err(Damage::of(shown(folder), why))
    }
}

/// A new name for a temporary file.
pub(super) fn temporary() -> String {
    format!(".{}.tmp", draw())
}

/// Whether this is the name of a temporary file.
pub(in crate::exhibits::tables) fn is_temporary(name: &str) -> bool {
    let drawn = name
        .strip_prefix('.')
        .and_then(|it| it.strip_suffix(".tmp"));
    drawn.is_some_and(is_drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_the_names_that_are_written_here() {
        assert_eq!(version_in(&name_of(0)), Some(0));
        assert_eq!(version_in(&name_of(12)), Some(12));
        assert_eq!(version_in(&name_beside(3)), Some(3));
        for name in [
            "v.json",
            "v01.json",
            "v1",
            "w1.json",
            "v1-.json",
            "v1-x.json",
            "v+1.json",
        ] {
            assert_eq!(version_in(name), None, "{name}");
        }
    }
}
