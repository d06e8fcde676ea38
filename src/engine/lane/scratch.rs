//! Databases and schemas that are made for the explorer, and dropped after it.

use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::MySqlConnectOptions;
use tokio::time::timeout;

use super::LaneKind;
use super::place::Place;
use crate::engine::{Address, Database, Fault, Flavour, OpenError};

/// A database of the explorer's own, on a server that has other users.
#[derive(Debug)]
pub struct Scratch {
    /// The database to explore in.
    pub database: Database,
    home: Database,
    name: String,
}

impl Scratch {
    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Drops the database.
    pub async fn close(self) -> Result<(), OpenError> {
        self.database.close().await;
        drop_database(&self.home, self.name).await
    }
}

/// See [`Database::scratch`].
pub(in crate::engine) async fn scratch(home: &Database) -> Result<Scratch, OpenError> {
    let Address::MySql(options) = &home.address else {
        let no_such = "only MySQL and MariaDB need a database beside this one";
        return Err(Fault::other(no_such).into());
    };
    let place = Place::named("racy_explore_");
    let name = place.name.clone();
    Ok(Scratch {
        database: database_beside(home, options, place, LaneKind::Rows).await?,
        home: home.clone(),
        name,
    })
}

/// Makes a database for the explorer, marks and opens it, and migrates it for runs on rows.
pub(super) async fn database_beside(
    home: &Database,
    options: &MySqlConnectOptions,
    place: Place,
    kind: LaneKind,
) -> Result<Database, OpenError> {
    make_database(home, &place.name).await?;
    let within = Address::MySql(Box::new(options.clone().database(&place.name)));
    let place = Arc::new(place);
    match open_place(home, &within, &place, kind).await {
        Ok(database) => Ok(database),
        Err(error) => {
            drop_database(home, place.name.clone()).await?;
            Err(match error {
                OpenError::Connect(fault) => no_scratch(fault),
                other => other,
            })
        }
    }
}

/// Makes a database, but only if this user may drop it again. The engine checks the right before
/// it looks for the database. So an attempt to drop it tells, while there is none yet.
async fn make_database(home: &Database, name: &str) -> Result<(), OpenError> {
    match administer(home, &format!("DROP DATABASE {name}")).await {
        Err(fault) if !fault.is_no_such_database() => return Err(no_scratch(fault)),
        _ => {}
    }
    let created = administer(home, &format!("CREATE DATABASE {name}")).await;
    created.map_err(no_scratch)
}

pub(super) async fn drop_database(home: &Database, name: String) -> Result<(), OpenError> {
    let dropped = match administer(home, &format!("DROP DATABASE {name}")).await {
        // A pooler keeps connections to it although all of its clients are gone. PostgreSQL 13 and
        // later can end them.
        Err(fault) if fault.is_object_in_use() => {
            let forced = administer(home, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
            forced.map_err(|_| fault)
        }
        dropped => dropped,
    };
    dropped.map_err(|fault| OpenError::NotDropped(name, fault))
}

/// Gives a database that was just made on PostgreSQL the settings that the user's own database has,
/// such as its `default_transaction_isolation`. What is set for this user there comes last.
///
/// A setting that this user may not give is left out, and a warning says so.
pub(super) async fn take_over_settings(home: &Database, name: &str) -> Result<(), OpenError> {
    const SETTINGS: &str = "SELECT split_part(entry, '=', 1), substr(entry, strpos(entry, '=') + 1) \
         FROM pg_db_role_setting, unnest(setconfig) entry \
         WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) \
           AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user)) \
         ORDER BY setrole <> 0";
    for row in home.rows(SETTINGS, &[]).await? {
        let (setting, value) = (row.text(0)?, row.text(1)?);
        let set = setting_of_a_database(name, &setting, &value);
        match administer(home, &set).await {
            Err(fault) if fault.is_an_answer() => tracing::warn!(
                "the database of the runs does not have the setting {setting} = {value} of yours: {fault}"
            ),
            set => set?,
        }
    }
    Ok(())
}

/// The statement that gives a database a setting as the catalogue has it.
fn setting_of_a_database(name: &str, setting: &str, value: &str) -> String {
    // Their values are lists of names, in quotes already.
    const LISTS: [&str; 5] = [
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    ];
    let is_list = LISTS.iter().any(|it| it.eq_ignore_ascii_case(setting));
    let value = match is_list {
        true => value.to_owned(),
        false => Flavour::Postgres.quoted(value),
    };
    // An extension's setting has a dot in its name.
    let parts = setting
        .split('.')
        .map(|it| Flavour::Postgres.quoted_name(it));
    let setting = parts.collect::<Vec<_>>().join(".");
    format!("ALTER DATABASE {name} SET {setting} TO {value}")
}

/// Marks a place that was just made, and opens it by connections that all make sure to be in it.
pub(super) async fn open_place(
    home: &Database,
    within: &Address,
    place: &Arc<Place>,
    kind: LaneKind,
) -> Result<Database, OpenError> {
    for statement in place.mark() {
        administer(home, &statement).await?;
    }
    let database = Database::connect_in(within, &kind.settings(home), Some(place)).await?;
    if kind == LaneKind::Rows {
        let migrated = timeout(ADMINISTRATION, database.migrate()).await;
        migrated.unwrap_or_else(|_elapsed| Err(no_answer().into()))?;
    }
    Ok(database)
}

/// Runs one statement about databases or schemas.
pub(super) async fn administer(home: &Database, sql: &str) -> Result<(), Fault> {
    let work = async {
        let mut connection = home.connection().await?;
        connection.command(sql).await?;
        connection.give_back();
        Ok(())
    };
    let done = timeout(ADMINISTRATION, work).await;
    done.unwrap_or_else(|_elapsed| Err(no_answer()))
}

/// How long the answer to a statement about databases or schemas may take.
const ADMINISTRATION: Duration = Duration::from_secs(60);

fn no_answer() -> Fault {
    Fault::unavailable(format!(
        "the database has not answered for {} seconds",
        ADMINISTRATION.as_secs()
    ))
}

/// Why there is no database for the explorer: a refusal is about rights. Silence and a limit of
/// connections are not.
pub(super) fn no_scratch(fault: Fault) -> OpenError {
    if fault.is_an_answer() && !fault.is_too_many_connections() {
        OpenError::NoScratch(fault)
    } else {
        OpenError::Connect(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_given_as_the_catalogue_has_it() {
        for (setting, value, expected) in [
            (
                "default_transaction_isolation",
                "serializable",
                "\"default_transaction_isolation\" TO 'serializable'",
            ),
            (
                "search_path",
                "\"$user\", app",
                "\"search_path\" TO \"$user\", app",
            ),
            ("app.who", "it's", "\"app\".\"who\" TO 'it''s'"),
        ] {
            let set = setting_of_a_database("d", setting, value);
            assert_eq!(set, format!("ALTER DATABASE d SET {expected}"));
        }
    }
}
