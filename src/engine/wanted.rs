//! Which database is wanted, why it is that one, and how to choose another.

use super::local::ServerKind;
use super::url::DatabaseUrl;

/// Which database is opened, and who has chosen it.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Where it is. None stands for a private server if one is found, else a SQLite file.
    pub url: Option<DatabaseUrl>,
    /// Whether files have chosen it, because they are for its engine alone.
    pub is_the_only_one: bool,
    /// Whether SQLite is no choice.
    pub needs_a_server: bool,
}

impl Wanted {
    /// The database that the user has named, or the default.
    pub fn asked(url: Option<DatabaseUrl>) -> Self {
        Self {
            url,
            ..Self::default()
        }
    }

    /// Why it is this one.
    pub(super) fn why(&self, url: &DatabaseUrl) -> String {
        match self.is_the_only_one {
            true => format!("{url}, because its files are for it alone"),
            false => format!("{url} was asked for"),
        }
    }

    /// How to choose another one.
    pub(super) fn how_to_change(&self) -> String {
        match &self.url {
            Some(DatabaseUrl::Local(kind)) if self.is_the_only_one => {
                let scheme = match kind {
                    ServerKind::Postgres => "postgres",
                    ServerKind::Any | ServerKind::MySql | ServerKind::MariaDb => "mysql",
                };
                format!(
                    "to take a server of yours: --database-url \
                     {scheme}://USER:PASSWORD@HOST:PORT/DATABASE"
                )
            }
            _ if self.needs_a_server => format!("to change the engine: {HOW_TO_CHANGE_SERVERS}"),
            _ => format!("to change the engine: {HOW_TO_CHANGE}"),
        }
    }
}

/// How to choose another engine.
pub const HOW_TO_CHANGE: &str = "--database-url with local:mysql, local:mariadb, local:postgres, \
                                 sqlite:PATH or mysql://USER:PASSWORD@HOST:PORT/DATABASE \
                                 (postgres:// likewise)";

/// The same where SQLite is no choice.
const HOW_TO_CHANGE_SERVERS: &str = "--database-url with local:mysql, local:mariadb, \
                                     local:postgres or \
                                     mysql://USER:PASSWORD@HOST:PORT/DATABASE (postgres:// \
                                     likewise)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_have_chosen_is_not_said_to_be_asked_for() {
        let url: DatabaseUrl = "local:postgres".parse().unwrap();
        let asked = Wanted::asked(Some(url.clone()));
        assert_eq!(asked.why(&url), "local:postgres was asked for");
        assert!(asked.how_to_change().contains("sqlite:PATH"));
        let only = Wanted {
            is_the_only_one: true,
            needs_a_server: true,
            ..asked
        };
        let why = "local:postgres, because its files are for it alone";
        assert_eq!(only.why(&url), why);
        let how = "to take a server of yours: --database-url \
                   postgres://USER:PASSWORD@HOST:PORT/DATABASE";
        assert_eq!(only.how_to_change(), how);
    }

    #[test]
    fn an_application_is_not_offered_a_file() {
        let wanted = Wanted {
            needs_a_server: true,
            ..Wanted::default()
        };
        let how = "to change the engine: --database-url with local:mysql, local:mariadb, \
                   local:postgres or mysql://USER:PASSWORD@HOST:PORT/DATABASE (postgres:// likewise)";
        assert_eq!(wanted.how_to_change(), how);
    }
}
