//! Whether the distribution confines a server program to the system server's folders.

use std::fs;
use std::path::{Path, PathBuf};

use super::find::resolved;

/// The AppArmor profile that is in force for `program`, if any.
///
/// Ubuntu's profile for `/usr/sbin/mysqld` allows the system server's folders only, so a private one
/// fails in ways that are hard to read: better to know beforehand. The kernel would tell which profiles
/// are loaded, but only root may ask it, so this goes by the files.
pub(super) fn confining_profile(root: &Path, program: &Path) -> Option<PathBuf> {
    let enabled = fs::read_to_string(root.join("sys/module/apparmor/parameters/enabled")).ok()?;
    if enabled.trim() != "Y" {
        return None;
    }
    // Profiles attach to the file that is executed, so links are followed first.
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
        let switched_off = profile.file_name().is_some_and(|name| {
            ["disable", "force-complain"]
                .iter()
                .any(|switch| folder.join(switch).join(name).symlink_metadata().is_ok())
        });
        !switched_off
            && fs::read_to_string(profile)
                .is_ok_and(|text| text.lines().any(|line| enforces(line, &attached)))
    })
}

/// Whether a profile's line opens a profile for `program` that is enforced: `/usr/sbin/mysqld {`,
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
