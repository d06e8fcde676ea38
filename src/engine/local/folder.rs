//! Where the files of a server are: below a private temporary folder, or below the root of the
//! kept folders.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::account::Account;
use super::binary::Binary;
use super::dispatch;
use super::error::Error;
use super::product::Product;

/// The longest path of a socket, in bytes. macOS allows 103 bytes, Linux 107.
const SOCKET_PATH_BYTES: usize = 103;

/// Where a server's data lives, and whether it outlives the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folder {
    /// A fresh temporary folder, removed when the server stops.
    Temporary,
    /// A folder below this root, kept for the next start. It belongs to one product and series of
    /// versions, e.g. `mysql-9.7` or `postgresql-15`. While another lab uses it, the folder with
    /// the next number is taken, `mysql-9.7-2`.
    Kept(PathBuf),
    /// The first of the kept folders below this root, for a short visit while no lab uses it. A lab
    /// that wants the folder waits until the visit ends, and so does another visitor.
    Visited(PathBuf),
}

/// Makes a temporary folder whose path is short enough for this product's socket. It is private to
/// the account if there is one, else to this user.
pub(super) fn temporary_folder(
    product: Product,
    account: Option<&Account>,
) -> Result<TempDir, Error> {
    let make_in = |base: &Path| {
        tempfile::Builder::new()
            .prefix("racy-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(base)
            .map_err(|source| Error::folder(base, source))
    };
    let base = absolute(&std::env::temp_dir())?;
    let mut run = make_in(&base)?;
    let socket = dispatch::socket_in(product, run.path());
    let fits = socket.as_os_str().as_bytes().len() <= SOCKET_PATH_BYTES;
    if !fits || account.is_some_and(|account| !account.may_work_in(&base)) {
        run = make_in(Path::new("/tmp"))?;
    }
    if let Some(account) = account {
        account.take_over(run.path())?;
    }
    Ok(run)
}

/// Makes the root of the kept folders if it is missing, and returns its absolute path.
pub(super) fn make_root(root: &Path, account: Option<&Account>) -> Result<PathBuf, Error> {
    let root = absolute(root)?;
    // Every user may pass through it, because the server may run as another one.
    make_folder(&root, 0o711)?;
    if let Some(account) = account {
        account.check_path_to(&root)?;
    }
    Ok(root)
}

/// Makes a kept folder if it is missing, and returns its path.
pub(super) fn make_kept_folder(
    root: &Path,
    binary: &Binary,
    number: usize,
    account: Option<&Account>,
) -> Result<PathBuf, Error> {
    let folder = root.join(kept_name(binary, number));
    make_folder(&folder, 0o700)?;
    if let Some(account) = account {
        account.settle_in(&folder)?;
    }
    Ok(folder)
}

/// `mysql-9.7`, `mysql-9.7-2`, …: a server never opens the data of another product or of a newer
/// version.
pub(super) fn kept_name(binary: &Binary, number: usize) -> String {
    let series = binary.product.series(binary.version);
    let name = format!("{}-{series}", binary.product.slug());
    if number == 1 {
        name
    } else {
        format!("{name}-{number}")
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|source| Error::folder(path, source))
}

/// Makes a folder with this mode, whatever the umask is. A folder that exists stays as it is.
fn make_folder(folder: &Path, mode: u32) -> Result<(), Error> {
    let is_new = !folder.exists();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(folder)
        .and_then(|()| {
            if is_new {
                fs::set_permissions(folder, fs::Permissions::from_mode(mode))
            } else {
                Ok(())
            }
        })
        .map_err(|source| Error::folder(folder, source))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::local::{Origin, Version};

    fn binary(product: Product) -> Binary {
        let path = PathBuf::from("/usr/sbin/mysqld");
        Binary {
            initialiser: path.clone(),
            path,
            product,
            version: Version {
                major: 9,
                minor: 7,
                patch: Some(4),
            },
            origin: Origin::Path,
        }
    }

    #[test]
    fn a_kept_folder_is_named_after_product_version_and_number() {
        assert_eq!(kept_name(&binary(Product::MySql), 1), "mysql-9.7");
        assert_eq!(kept_name(&binary(Product::MariaDb), 3), "mariadb-9.7-3");
        assert_eq!(kept_name(&binary(Product::Postgres), 1), "postgresql-9");
    }

    #[test]
    fn a_socket_in_the_temporary_folder_fits_into_an_address() {
        for product in [Product::MySql, Product::Postgres] {
            let run = temporary_folder(product, None).unwrap();
            let socket = dispatch::socket_in(product, run.path());
            assert!(socket.as_os_str().len() <= SOCKET_PATH_BYTES);
            assert_eq!(
                fs::metadata(run.path()).unwrap().permissions().mode() & 0o777,
                0o700
            );
        }
    }
}
