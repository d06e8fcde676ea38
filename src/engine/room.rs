//! How many connections there is room for: what the server, the database and the user may have,
//! minus what is in use now.

use sqlx::{MySql, Postgres, Row as _};

use super::connection::answered;
use super::pool::Pool;
use super::unlocked::Reading;
use super::{Database, Fault, Pools};

/// Server connections left free for other clients.
const LEFT_TO_OTHERS: i64 = 3;

/// How many connections may be opened.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) connections: usize,
    /// Why they are not more.
    pub(super) why: String,
}

/// A limit of connections, and what of it is in use.
struct Limit {
    /// The setting, in words.
    setting: &'static str,
    most: i64,
    used: i64,
    left_to_others: i64,
}

impl Limit {
    fn room(&self) -> Room {
        let Self {
            setting,
            most,
            used,
            left_to_others,
        } = self;
        let others = if *left_to_others == 0 {
            String::new()
        } else {
            format!(", and {left_to_others} are left to others")
        };
        Room {
            connections: usize::try_from(most - used - left_to_others).unwrap_or_default(),
            why: format!("{setting} allows {most} connections, of which {used} are in use{others}"),
        }
    }
}

impl Database {
    /// How many connections the explorer may open now, including those of this database's own pool.
    pub(super) async fn room(&self) -> Result<Room, Fault> {
        let own = Room {
            connections: self.settings.connections as usize,
            why: format!(
                "--db-connections allows {} connections",
                self.settings.connections
            ),
        };
        let limits = answered(Some(self.settings.question_within()), self.limits()).await?;
        let reused = match &self.pools {
            Pools::MySql(pool) => {
                let usage = pool.usage();
                usage.idle + usage.in_use
            }
            // The lanes are in other places, with connections of their own.
            Pools::Postgres(_) | Pools::Sqlite(_) => 0,
        };
        let rooms = limits.iter().map(|limit| {
            let room = limit.room();
            Room {
                connections: room.connections + reused,
                ..room
            }
        });
        Ok(rooms.fold(own, |tightest, room| {
            if room.connections < tightest.connections {
                room
            } else {
                tightest
            }
        }))
    }

    /// How many connections the server has room for beside all that this database may open. None
    /// if nothing limits them.
    pub async fn room_beside(&self) -> Result<Option<usize>, Fault> {
        let limits = answered(Some(self.settings.question_within()), self.limits()).await?;
        let pool = self.pool_use();
        let to_come = pool.limit.saturating_sub(pool.in_use + pool.idle);
        let rooms = limits.iter().map(|limit| limit.room().connections);
        Ok(rooms.min().map(|room| room.saturating_sub(to_come)))
    }

    async fn limits(&self) -> Result<Vec<Limit>, Fault> {
        match &self.pools {
            Pools::MySql(pool) => mysql_limits(pool).await,
            Pools::Postgres(pool) => postgres_limits(pool).await,
            Pools::Sqlite(_) => Ok(Vec::new()),
        }
    }

    /// Opens this number of connections at once, or as many as the server grants, and leaves them
    /// idle in the pool. Returns their number and, if they are fewer than wanted, the server's
    /// reason. Any other refusal is an error.
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

/// The server's `max_connections`, and the user's `max_user_connections` if there is one. The
/// session's variable shows the latter.
async fn mysql_limits(pool: &Pool<MySql>) -> Result<Vec<Limit>, Fault> {
    let mut pooled = pool.acquire().await?;
    let reading = Reading::begin();
    let (most, of_user, used_by_user): (i64, i64, i64) = loop {
        let counted = sqlx::query_as(
            "SELECT CAST(@@max_connections AS SIGNED), CAST(@@max_user_connections AS SIGNED), \
                 (SELECT COUNT(*) FROM information_schema.processlist \
                  WHERE user = SUBSTRING_INDEX(CURRENT_USER(), '@', 1))",
        );
        let counted = counted.fetch_one(pooled.get()?).await;
        if let Some(counted) = reading.done(counted).await? {
            break counted;
        }
    };
    let used = sqlx::raw_sql("SHOW GLOBAL STATUS LIKE 'Threads_connected'")
        .fetch_one(pooled.get()?)
        .await?;
    pooled.give_back();
    let used: String = used.try_get("Value")?;
    let server = Limit {
        setting: "max_connections",
        most,
        used: used.parse().unwrap_or_default(),
        left_to_others: LEFT_TO_OTHERS,
    };
    let user = Limit {
        setting: "max_user_connections",
        most: of_user,
        used: used_by_user,
        left_to_others: 0,
    };
    if of_user == 0 {
        Ok(vec![server])
    } else {
        Ok(vec![server, user])
    }
}

/// `max_connections` minus what is reserved, and the limits of the role and the database. Only
/// `max_connections` holds for a superuser.
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
    let limit = |setting, most, used, left_to_others| Limit {
        setting,
        most,
        used,
        left_to_others,
    };
    if superuser {
        return Ok(vec![limit("max_connections", most, used, LEFT_TO_OTHERS)]);
    }
    let left = reserved.max(LEFT_TO_OTHERS);
    let mut limits = vec![limit("max_connections", most, used, left)];
    for (setting, most, used) in [
        ("the role's CONNECTION LIMIT", of_role, used_by_role),
        (
            "the database's CONNECTION LIMIT",
            of_database,
            used_in_database,
        ),
    ] {
        // -1 means that there is no limit.
        if most >= 0 {
            limits.push(limit(setting, most, used, 0));
        }
    }
    Ok(limits)
}
