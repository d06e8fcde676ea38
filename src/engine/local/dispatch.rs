//! Chooses the module of a product. All other files here treat the products alike.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::product::{Product, ServerKind, Version};
use super::recipe::{Launch, Layout, Search};
use super::{mysql, postgres};
use crate::engine::Address;

/// How to search for a server of this kind.
pub(super) fn search(kind: ServerKind) -> &'static Search {
    match kind {
        ServerKind::Any | ServerKind::MySql | ServerKind::MariaDb => &mysql::SEARCH,
        ServerKind::Postgres => &postgres::SEARCH,
    }
}

/// The oldest version of a product that can be used.
pub(super) fn oldest(product: Product) -> Version {
    match product {
        Product::MySql => mysql::OLDEST_MYSQL,
        Product::MariaDb => mysql::OLDEST_MARIADB,
        Product::Postgres => postgres::OLDEST,
    }
}

/// The program that makes a data directory for this server. `path` is PATH.
///
/// # Errors
/// The name of the program that is missing.
pub(super) fn initialiser(
    product: Product,
    server: &Path,
    path: Option<&OsStr>,
) -> Result<PathBuf, &'static str> {
    match product {
        Product::MySql => Ok(server.to_owned()),
        Product::MariaDb => mysql::mariadb_initialiser(server, path),
        Product::Postgres => postgres::initialiser(server),
    }
}

/// The unix socket of a server whose temporary folder is `run`.
pub(super) fn socket_in(product: Product, run: &Path) -> PathBuf {
    match product {
        Product::MySql | Product::MariaDb => mysql::socket_in(run),
        Product::Postgres => postgres::socket_in(run),
    }
}

/// How a server is initialised, run and stopped.
pub(super) fn launch(product: Product, layout: &Layout, as_root: bool) -> Launch {
    match product {
        Product::MySql | Product::MariaDb => mysql::launch(product, layout, as_root),
        Product::Postgres => postgres::launch(layout),
    }
}

/// The address of the server's administrator, in no database of a user's.
pub(super) fn server_address(product: Product, run: &Path) -> Address {
    match product {
        Product::MySql | Product::MariaDb => Address::MySql(Box::new(mysql::options(run))),
        Product::Postgres => Address::Postgres(Box::new(postgres::maintenance_options(run))),
    }
}

/// Creates a database if it does not exist, and returns its address. `name` needs no quotes in SQL.
pub(super) async fn create_database(
    product: Product,
    run: &Path,
    name: &str,
) -> sqlx::Result<Address> {
    Ok(match product {
        Product::MySql | Product::MariaDb => {
            Address::MySql(Box::new(mysql::create_database(run, name).await?))
        }
        Product::Postgres => {
            Address::Postgres(Box::new(postgres::create_database(run, name).await?))
        }
    })
}

/// The URL by which another lab of this user reaches a database of the server.
pub(super) fn url(product: Product, run: &Path, database: &str) -> String {
    match product {
        Product::MySql | Product::MariaDb => mysql::url(run, database),
        Product::Postgres => postgres::url(run, database),
    }
}
