//! Whether the distribution confines a server program to the system server's folders.

use std::fs;
use std::path::{Path, PathBuf};

use super::paths::resolved;

/// The AppArmor profile that is in force for `program`, if any.
///
/// Ubuntu's profile for `/usr/sbin/mysqld` allows only the system server's folders. A private
/// server would then fail with errors that are hard to understand, so this is checked beforehand.
/// Only root may ask the kernel which profiles are loaded, so the profiles' files are read instead.
pub(super) fn confining_profile(root: &Path, program: &Path) -> Option<PathBuf> {
    let enabled = fs::read_to_string(root.join("sys/module/apparmor/parameters/enabled")).ok()?;
    if enabled.trim() != "Y" {
        return None;
    }
    // A profile names the file that is executed, so links are followed first.
    let program = resolved(program);
    let attached = Path::new("/").join(program.strip_prefix(resolved(root)).ok()?);
    let folder = root.join("etc/apparmor.d");
    let mut profiles: Vec<PathBuf> = fs::read_dir(&folder)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    profiles.sort();
    profiles.into_iter().find(|profile| {
        !is_switched_off(&folder, profile)
            && fs::read_to_string(profile)
                .is_ok_and(|text| text.lines().any(|line| enforces(line, &attached)))
    })
}

/// Whether a link in one of AppArmor's folders disables the profile, or makes it only complain.
fn is_switched_off(folder: &Path, profile: &Path) -> bool {
    profile.file_name().is_some_and(|name| {
        ["disable", "force-complain"]
            .iter()
            .any(|switch| folder.join(switch).join(name).symlink_metadata().is_ok())
    })
}

/// Whether a line begins an enforced profile for `program`: `/usr/sbin/mysqld {` or
/// `profile mysqld /usr/sbin/mysqld {`, but not with `flags=(complain)`.
fn enforces(line: &str, program: &Path) -> bool {
    let line = line.trim();
    line.ends_with('{')
        && !line.starts_with('#')
        && !line.contains("complain")
        && !line.contains("unconfined")
        && line
            .split([' ', '\t', '{', '"'])
            .any(|word| Path::new(word) == program)
}
