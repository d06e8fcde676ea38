//! Whether the connections to a server are encrypted.

use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{MySql, Postgres};

use super::connection::answered;
use super::pool::Pool;
use super::{Address, Database, Fault, Pools};

/// How the connections to a server are protected.
struct Protection {
    /// The cipher that the server reports. None if it reports none.
    cipher: Option<String>,
    /// Whether the URL demands encryption.
    is_demanded: bool,
    /// Whether the connection is a socket of this host.
    is_local: bool,
}

impl Database {
    /// Whether the connections are encrypted, in words. The server is asked. None if there is no
    /// network in between.
    pub(super) async fn encryption(&self) -> Result<Option<String>, Fault> {
        let asked = async {
            Ok(match (&self.pools, &self.address) {
                (Pools::MySql(pool), Address::MySql(options)) => {
                    of_mysql(pool, options).await?.in_words()
                }
                (Pools::Postgres(pool), Address::Postgres(options)) => {
                    of_postgres(pool, options).await?.in_words()
                }
                _ => None,
            })
        };
        answered(Some(self.settings.question_within()), asked).await
    }
}

impl Protection {
    fn in_words(self) -> Option<String> {
        if let Some(cipher) = self.cipher {
            Some(format!("the connection is encrypted: {cipher}"))
        } else if self.is_demanded {
            Some(
                "the connection is encrypted, as the URL demands, but the server reports that its \
                 own end is not: something is in between, such as a pooler"
                    .to_owned(),
            )
        } else if self.is_local {
            None
        } else {
            Some("the connection is not encrypted".to_owned())
        }
    }
}

async fn of_mysql(pool: &Pool<MySql>, options: &MySqlConnectOptions) -> Result<Protection, Fault> {
    let mut connection = pool.acquire().await?;
    let (_, cipher): (String, String) = sqlx::query_as("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        .fetch_one(connection.get()?)
        .await?;
    connection.give_back();
    Ok(Protection {
        cipher: Some(cipher).filter(|it| !it.is_empty()),
        is_demanded: !matches!(
            options.get_ssl_mode(),
            MySqlSslMode::Disabled | MySqlSslMode::Preferred
        ),
        is_local: options.get_socket().is_some(),
    })
}

async fn of_postgres(
    pool: &Pool<Postgres>,
    options: &PgConnectOptions,
) -> Result<Protection, Fault> {
    let mut connection = pool.acquire().await?;
    let cipher: Option<Option<String>> =
        sqlx::query_scalar("SELECT cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl")
            .fetch_optional(connection.get()?)
            .await?;
    connection.give_back();
    Ok(Protection {
        cipher: cipher.flatten(),
        is_demanded: !matches!(
            options.get_ssl_mode(),
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer
        ),
        is_local: options.get_socket().is_some() || options.get_host().starts_with('/'),
    })
}
