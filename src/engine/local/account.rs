//! The unprivileged user as whom a server runs that refuses to be root's.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Error, Product};

/// PostgreSQL's own user, as Debian and macOS call it, and the one that every system has.
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
    /// As whom this product's server has to run; none where it runs as whoever runs this.
    ///
    /// # Errors
    /// [`Error::NoAccount`] where there is no such user.
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

    /// Makes it the owner of a folder.
    ///
    /// # Errors
    /// [`Error::Folder`], as the system refuses.
    pub(super) fn take_over(&self, path: &Path) -> Result<(), Error> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(|source| Error::Folder {
            path: path.to_owned(),
            source,
        })
    }

    /// Makes it the owner of a folder that is root's, and with it of what will be in there. What is a
    /// third user's stays that user's.
    ///
    /// # Errors
    /// [`Error::Folder`], as the system refuses; [`Error::KeptOut`] where it is of no use to it.
    pub(super) fn settle_in(&self, folder: &Path) -> Result<(), Error> {
        if folder.metadata().is_ok_and(|metadata| metadata.uid() == 0) {
            self.take_over(folder)?;
        }
        self.check_the_way_to(folder)
    }

    /// Whether it can get to a folder, and into it.
    ///
    /// # Errors
    /// [`Error::KeptOut`] where it cannot.
    pub(super) fn check_the_way_to(&self, folder: &Path) -> Result<(), Error> {
        let account = self.name;
        let kept_out_by = self.is_kept_out_by(folder);
        kept_out_by.map_or(Ok(()), |folder| Err(Error::KeptOut { account, folder }))
    }

    /// The first folder on the way to `folder`, itself included, that it may not enter.
    fn is_kept_out_by(&self, folder: &Path) -> Option<PathBuf> {
        let mut way: Vec<_> = folder.ancestors().collect();
        way.reverse();
        let closed = way.into_iter().find(|folder| !self.may(ENTER, folder));
        closed.map(Path::to_owned)
    }

    /// Whether it may make and remove files in this folder.
    pub(super) fn may_work_in(&self, folder: &Path) -> bool {
        self.is_kept_out_by(folder).is_none() && self.may(WRITE_AND_ENTER, folder)
    }

    fn may(&self, wanted: u32, folder: &Path) -> bool {
        let metadata = folder.metadata();
        metadata.is_ok_and(|metadata| self.rights(&metadata) & wanted == wanted)
    }

    /// The owner's, the group's or everybody's bits, whichever count for this account.
    fn rights(&self, metadata: &Metadata) -> u32 {
        match (metadata.uid() == self.uid, metadata.gid() == self.gid) {
            (true, _) => metadata.mode() >> 6,
            (false, true) => metadata.mode() >> 3,
            (false, false) => metadata.mode(),
        }
    }
}

/// What `id` answers: it knows users that are in no file, on every system.
fn id(arguments: &[&str]) -> Option<u32> {
    let answer = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Whoever owns the folder, and somebody else.
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
        assert_eq!(stranger.is_kept_out_by(&inner), Some(closed.clone()));
        assert_eq!(owner.is_kept_out_by(&inner), None);
        fs::set_permissions(&closed, Permissions::from_mode(0o711)).unwrap();
        assert_eq!(stranger.is_kept_out_by(&inner), None);
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
