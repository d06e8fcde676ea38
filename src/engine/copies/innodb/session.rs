//! The connection that copies and brings back: what is set on it, and set back.

use crate::engine::connection::Connection;
use crate::engine::{Database, Fault, Flavour};

/// What is set, so that rows come back as they were: no foreign key acts, a key that is zero stays
/// zero, and an odd date is taken. `@racy_bringing_back` keeps triggers still. A wait for a lock
/// ends after one second, the shortest that MySQL has.
const SET: &str = "SET @racy_mode = @@sql_mode, @racy_wait = @@lock_wait_timeout, \
     @racy_row_wait = @@innodb_lock_wait_timeout, @racy_keys = @@foreign_key_checks, \
     @racy_bringing_back = 1, foreign_key_checks = 0, \
     sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', lock_wait_timeout = 1, \
     innodb_lock_wait_timeout = 1";

/// MySQL's catalogue shows the counters of a day ago, unless this is set.
const SET_MYSQL: &str = "@racy_expiry = @@information_schema_stats_expiry, \
     information_schema_stats_expiry = 0";

/// MariaDB may have taken a row before its check constraint was made.
const SET_MARIADB: &str = "@racy_checks = @@check_constraint_checks, check_constraint_checks = 0";

const BACK: &str = "SET sql_mode = @racy_mode, lock_wait_timeout = @racy_wait, \
     innodb_lock_wait_timeout = @racy_row_wait, foreign_key_checks = @racy_keys, \
     @racy_bringing_back = NULL";

const BACK_MYSQL: &str = "information_schema_stats_expiry = @racy_expiry";

const BACK_MARIADB: &str = "check_constraint_checks = @racy_checks";

/// A connection with these settings. If it is dropped and not given back, it is closed.
pub(super) async fn connection(database: &Database) -> Result<Connection, Fault> {
    let mut connection = database.connection().await?;
    let more = if database.engine.flavour == Flavour::MySql {
        SET_MYSQL
    } else {
        SET_MARIADB
    };
    connection.command(&format!("{SET}, {more}")).await?;
    Ok(connection)
}

/// Sets everything back, and gives the connection back to its pool.
pub(super) async fn give_back(
    mut connection: Connection,
    database: &Database,
) -> Result<(), Fault> {
    let more = if database.engine.flavour == Flavour::MySql {
        BACK_MYSQL
    } else {
        BACK_MARIADB
    };
    connection.command(&format!("{BACK}, {more}")).await?;
    connection.give_back();
    Ok(())
}
