//! A scenario stays in the database that was made for it. Its statements are read for names of
//! other ones before anything is run.

use super::prepared::Prepared;
use crate::engine::{Database, Flavour, UserStatement};

impl Prepared {
    /// Refuses a scenario that names another database of the server, or another file.
    pub(super) async fn must_stay_inside(&self, database: &Database) -> Result<(), String> {
        let flavour = database.engine().flavour;
        let others = database.other_databases().await;
        let others = others.map_err(|fault| fault.to_string())?;
        for statement in self.all_statements(flavour) {
            if let Some(other) = statement.names_one_of(&others, flavour) {
                let keyword = statement.keyword(flavour);
                return Err(format!(
                    "a statement ({keyword} …) names {other:?}, which is not the scenario's own: it runs \
                     in a database of its own, and nothing may be written into another one. Leave the \
                     name out, or give an alias of that name another one"
                ));
            }
            if statement.concerns_a_whole_database(flavour) {
                let keyword = statement.keyword(flavour);
                return Err(format!(
                    "a statement ({keyword} DATABASE …) concerns a whole database: the scenario runs in \
                     one that is made for it and dropped at the end, and nothing may be left beside it"
                ));
            }
            if flavour == Flavour::Sqlite && statement.keyword(flavour) == "ATTACH" {
                return Err(
                    "ATTACH reaches another file: a scenario runs in a file of its own, and nothing \
                     may be written into another one"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    /// The statements of the set-up and of all clients.
    fn all_statements(&self, flavour: Flavour) -> Vec<UserStatement> {
        let setup = self.scenario.setup.on(flavour).into_iter().flatten();
        let setup = setup.map(|it| UserStatement::new(it.sql.as_str(), flavour));
        setup.chain(self.scenario.statements(flavour)).collect()
    }
}
