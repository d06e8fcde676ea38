//! The unprivileged user who runs a server that refuses to run as root.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::Error;
use super::product::Product;

/// PostgreSQL's own user, as Debian and macOS name it, and a user that every system has.
const NAMES: [&str; 3] = ["postgres", "_postgres", "nobody"];

const WRITE_AND_ENTER: u32 = 0o3;
const ENTER: u32 = 0o1;

/// A user of this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: &'static str,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The user who has to run this product's server. None if the current user can.
    ///
    /// # Errors
    /// [`Error::NoAccount`] if this system has no such user.
    pub(super) fn needed_by(product: Product) -> Result<Option<Self>, Error> {
        if !product.refuses_root() || id(&["-u"]) != Some(0) {
            return Ok(None);
        }
        let account = NAMES.into_iter().find_map(Self::named);
        account.map(Some).ok_or(Error::NoAccount)
    }

    fn named(name: &'static str) -> Option<Self> {
        Some(Self {
            name,
            uid: id(&["-u", name])?,
            gid: id(&["-g", name])?,
        })
    }

    /// Makes this user the owner of a folder.
    pub(super) fn take_over(&self, path: &Path) -> Result<(), Error> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(|source| Error::folder(path, source))
    }

    /// Makes this user the owner of a folder that belongs to root. A folder of a third user stays
    /// as it is.
    ///
    /// # Errors
    /// [`Error::KeptOut`] if this user may not enter the folder. [`Error::Folder`] if its owner
    /// cannot be changed.
    pub(super) fn settle_in(&self, folder: &Path) -> Result<(), Error> {
        if folder.metadata().is_ok_and(|metadata| metadata.uid() == 0) {
            self.take_over(folder)?;
        }
        self.check_path_to(folder)
    }

    /// Checks that this user may enter every folder of the path.
    ///
    /// # Errors
    /// [`Error::KeptOut`] with the first folder that this user may not enter.
    pub(super) fn check_path_to(&self, folder: &Path) -> Result<(), Error> {
        let account = self.name;
        self.closed_folder_on_path_to(folder)
            .map_or(Ok(()), |folder| Err(Error::KeptOut { account, folder }))
    }

    /// The first folder of the path that this user may not enter. The path includes its last
    /// folder.
    fn closed_folder_on_path_to(&self, folder: &Path) -> Option<PathBuf> {
        let mut path: Vec<_> = folder.ancestors().collect();
        path.reverse();
        path.into_iter()
            .find(|folder| !self.may(ENTER, folder))
            .map(Path::to_owned)
    }

    /// Whether this user may make and remove files in this folder.
    pub(super) fn may_work_in(&self, folder: &Path) -> bool {
        self.closed_folder_on_path_to(folder).is_none() && self.may(WRITE_AND_ENTER, folder)
    }

    fn may(&self, rights: u32, folder: &Path) -> bool {
        folder
            .metadata()
            .is_ok_and(|metadata| self.rights(&metadata) & rights == rights)
    }

    /// The permission bits that count for this user: the owner's, the group's or everybody's.
    fn rights(&self, metadata: &Metadata) -> u32 {
        match (metadata.uid() == self.uid, metadata.gid() == self.gid) {
            (true, _) => metadata.mode() >> 6,
            (false, true) => metadata.mode() >> 3,
            (false, false) => metadata.mode(),
        }
    }
}

/// The number that the program `id` prints. On every system it knows users that are in no file.
fn id(arguments: &[&str]) -> Option<u32> {
    let answer = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// The owner of the folder, and another user of another group.
    fn owner_and_stranger(folder: &Path) -> (Account, Account) {
        let metadata = folder.metadata().unwrap();
        let owner = Account {
            name: "owner",
            uid: metadata.uid(),
            gid: metadata.gid(),
        };
        let stranger = Account {
            name: "stranger",
            uid: owner.uid + 1,
            gid: owner.gid + 1,
        };
        (owner, stranger)
    }

    #[test]
    fn a_closed_folder_on_the_way_is_named_to_strangers_only() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (closed, inner) = (root.join("closed"), root.join("closed/inner"));
        fs::create_dir_all(&inner).unwrap();
        let (owner, stranger) = owner_and_stranger(&root);
        fs::set_permissions(&root, Permissions::from_mode(0o711)).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
        assert_eq!(
            stranger.closed_folder_on_path_to(&inner),
            Some(closed.clone())
        );
        assert_eq!(owner.closed_folder_on_path_to(&inner), None);
        fs::set_permissions(&closed, Permissions::from_mode(0o711)).unwrap();
        assert_eq!(stranger.closed_folder_on_path_to(&inner), None);
        assert!(!stranger.may_work_in(&inner));
        assert!(owner.may_work_in(&inner));
    }

    #[test]
    fn only_postgres_ever_needs_another_account() {
        for product in [Product::MySql, Product::MariaDb] {
            assert_eq!(Account::needed_by(product).unwrap(), None);
        }
        let account = Account::needed_by(Product::Postgres).unwrap();
        assert_eq!(account.is_some(), id(&["-u"]) == Some(0));
        assert!(account.is_none_or(|account| account.uid != 0));
    }
}
