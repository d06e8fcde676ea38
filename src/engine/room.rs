//! How many connections there is room for: what the server, the database and the user are allowed,
//! less what is in use now.

use sqlx::{MySql, Postgres, Row as _};

use super::pool::Pool;
use super::{Database, Fault, Pools};

/// Server connections that are left free for other clients.
const LEFT_TO_OTHERS: i64 = 3;

/// How many connections may be taken.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) connections: usize,
    /// What keeps them from being more.
    pub(super) why: String,
}

/// What is allowed and what of it is in use, with the setting in words.
struct Limit {
    what: &'static str,
    most: i64,
    used: i64,
    left_to_others: i64,
}

impl Limit {
    fn room(&self) -> Room {
        let Self {
            what,
            most,
            used,
            left_to_others,
        } = self;
        let others = match left_to_others {
            0 => String::new(),
            some => format!(", and {some} are left to others"),
        };
        Room {
            connections: usize::try_from(most - used - left_to_others).unwrap_or_default(),
            why: format!("{what} allows {most} connections, of which {used} are in use{others}"),
        }
    }
}

impl Database {
    /// How many connections the explorer may take now, those of this database's own pool included.
    ///
    /// # Errors
    /// As the engine refuses to say.
    pub(super) async fn room(&self) -> Result<Room, Fault> {
        let own = Room {
            connections: self.settings.connections as usize,
            why: format!(
                "--db-connections allows {} connections",
                self.settings.connections
            ),
        };
        let (limits, reused) = match &self.pools {
            Pools::MySql(pool) => {
                let limits = mysql_limits(pool).await?;
                let usage = pool.usage();
                (limits, usage.idle + usage.in_use)
            }
            // The lanes are elsewhere, with connections of their own.
            Pools::Postgres(pool) => (postgres_limits(pool).await?, 0),
            Pools::Sqlite(_) => (Vec::new(), 0),
        };
        let rooms = limits.iter().map(|limit| {
            let room = limit.room();
            Room {
                connections: room.connections + reused,
                ..room
            }
        });
        Ok(rooms.fold(own, |tightest, room| {
            match room.connections < tightest.connections {
                true => room,
                false => tightest,
            }
        }))
    }

    /// Opens this number of connections at once, or as many as the server grants, and leaves them
    /// idle in the pool. Returns their number and, if they are fewer than wanted, the server's
    /// reason.
    ///
    /// # Errors
    /// As the engine refuses for any other reason.
    pub(super) async fn warm_up(&self, wanted: usize) -> Result<(usize, Option<String>), Fault> {
        let mut opened = Vec::new();
        let mut refused = None;
        while opened.len() < wanted && refused.is_none() {
            match self.connection().await {
                Ok(connection) => opened.push(connection),
                Err(fault) if fault.is_too_many_connections() => refused = Some(fault.to_string()),
                Err(fault) => return Err(fault),
            }
        }
        let count = opened.len();
        for mut connection in opened {
            connection.give_back();
        }
        Ok((count, refused))
    }
}

/// `max_connections`, and what the account's own `max_user_connections` allows, which the session's
/// variable shows.
async fn mysql_limits(pool: &Pool<MySql>) -> Result<Vec<Limit>, Fault> {
    let mut pooled = pool.acquire().await?;
    let (most, of_user, used_by_user): (i64, i64, i64) = sqlx::query_as(
        "SELECT CAST(@@max_connections AS SIGNED), CAST(@@max_user_connections AS SIGNED), \
             (SELECT COUNT(*) FROM information_schema.processlist \
              WHERE user = SUBSTRING_INDEX(CURRENT_USER(), '@', 1))",
    )
    .fetch_one(pooled.get()?)
    .await?;
    let used = sqlx::raw_sql("SHOW GLOBAL STATUS LIKE 'Threads_connected'")
        .fetch_one(pooled.get()?)
        .await?;
    pooled.give_back();
    let used: String = used.try_get("Value")?;
    let server = Limit {
        what: "max_connections",
        most,
        used: used.parse().unwrap_or_default(),
        left_to_others: LEFT_TO_OTHERS,
    };
    let user = Limit {
        what: "max_user_connections",
        most: of_user,
        used: used_by_user,
        left_to_others: 0,
    };
    Ok(match of_user {
        0 => vec![server],
        _ => vec![server, user],
    })
}

/// `max_connections` less what is reserved, and what the role and the database allow. The last
/// three do not hold for superusers.
async fn postgres_limits(pool: &Pool<Postgres>) -> Result<Vec<Limit>, Fault> {
    let mut pooled = pool.acquire().await?;
    let (most, reserved, used): (i64, i64, i64) = sqlx::query_as(
        "SELECT CAST(current_setting('max_connections') AS BIGINT), \
             CAST(current_setting('superuser_reserved_connections') AS BIGINT) + \
             COALESCE(CAST(current_setting('reserved_connections', true) AS BIGINT), 0), \
             (SELECT CAST(SUM(numbackends) AS BIGINT) FROM pg_stat_database)",
    )
    .fetch_one(pooled.get()?)
    .await?;
    let (superuser, of_role, used_by_role): (bool, i64, i64) = sqlx::query_as(
        "SELECT rolsuper, CAST(rolconnlimit AS BIGINT), \
             (SELECT COUNT(*) FROM pg_stat_activity WHERE usename = rolname) \
         FROM pg_roles WHERE rolname = SESSION_USER",
    )
    .fetch_one(pooled.get()?)
    .await?;
    let (of_database, used_in_database): (i64, i64) = sqlx::query_as(
        "SELECT CAST(datconnlimit AS BIGINT), \
             (SELECT COUNT(*) FROM pg_stat_activity a WHERE a.datname = d.datname) \
         FROM pg_database d WHERE d.datname = CURRENT_DATABASE()",
    )
    .fetch_one(pooled.get()?)
    .await?;
    pooled.give_back();
    let limit = |what, most, used, left_to_others| Limit {
        what,
        most,
        used,
        left_to_others,
    };
    if superuser {
        return Ok(vec![limit("max_connections", most, used, LEFT_TO_OTHERS)]);
    }
    let left = reserved.max(LEFT_TO_OTHERS);
    let mut limits = vec![limit("max_connections", most, used, left)];
    for (what, most, used) in [
        ("the role's CONNECTION LIMIT", of_role, used_by_role),
        (
            "the database's CONNECTION LIMIT",
            of_database,
            used_in_database,
        ),
    ] {
        // -1 stands for none.
        if most >= 0 {
            limits.push(limit(what, most, used, 0));
        }
    }
    Ok(limits)
}
