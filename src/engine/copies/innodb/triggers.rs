//! Triggers, made to keep still while rows are brought back.
//!
//! A trigger cannot be switched off, and making it again takes a lock that a reader's transaction
//! withholds. So each is made again once, with a condition around its body that only the connection
//! that brings back does not fulfil. For all others it does what it did.

use serde::{Deserialize, Serialize};

use crate::answer::Datum;
use crate::engine::connection::Connection;
use crate::engine::copies::texts::texts;
use crate::engine::statement::tokens;
use crate::engine::{Fault, Flavour};

/// A trigger as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Trigger {
    pub(super) name: String,
    table: String,
    /// `BEFORE INSERT` and the like.
    when: String,
    /// The statement that makes it. Empty if the user may not see it.
    made: String,
    /// The user whose rights it has, in quotes.
    definer: String,
    mode: String,
    collation: String,
    charset: String,
    /// The collation of the database when it was made.
    database_collation: String,
}

/// What begins the body of a trigger that keeps still.
const GUARD: &str = "BEGIN IF @racy_bringing_back IS NULL THEN ";

/// What tells a body that keeps still from others.
const FLAG: &str = "@racy_bringing_back";

/// What ends it. A comment at the end of the body ends with the line.
const GUARD_END: &str = "\n; END IF; END";

/// The table and the trigger that are made for a trial.
const TRIAL_TABLE: &str = "racy_copy_of_trial";
const TRIAL: &str = "racy_copy_trial";

impl Trigger {
    fn quoted(&self) -> String {
        Flavour::MySql.quoted_name(&self.name)
    }

    /// The statement without its body, and the body as it was written. The catalogue shows another
    /// one, in which MySQL leaves escapes out.
    fn parts(&self) -> Option<(&str, &str)> {
        const END: [&str; 3] = ["FOR", "EACH", "ROW"];
        let rows = self.made.to_ascii_uppercase();
        let mut ends = rows.match_indices(END[2]).map(|(at, row)| at + row.len());
        let end = ends.find(|end| {
            // Within a name or a comment these words are no tokens.
            let tokens = tokens(&self.made[..*end], Flavour::MySql);
            let last = tokens.iter().rev().take(END.len());
            tokens.len() > END.len() && last.zip(END.iter().rev()).all(|(it, word)| it.is(word))
        })?;
        let (before, body) = self.made.split_at(end);
        // MySQL keeps the semicolon after which another statement was sent.
        Some((before, body.trim_end().trim_end_matches(';')))
    }

    /// The statement with a condition around the body.
    fn guarded(&self) -> Option<String> {
        let (before, body) = self.parts()?;
        Some(format!("{before} {GUARD}{body}{GUARD_END}"))
    }

    /// The same on the trial's table.
    fn tried(&self) -> Option<String> {
        let (_, body) = self.parts()?;
        Some(format!(
            "CREATE DEFINER = {} TRIGGER {TRIAL} {} ON {TRIAL_TABLE} \
             FOR EACH ROW {GUARD}{body}{GUARD_END}",
            self.definer, self.when
        ))
    }

    /// Why it cannot be made again as it was. None if it can.
    fn refusal(&self, collation: &str) -> Option<String> {
        let is_readable = self.charset.starts_with("utf8") || self.made.is_ascii();
        let why = if self.made.is_empty() {
            "is not shown to this user"
        } else if self.database_collation != collation {
            "was made when the database had another collation"
        } else if !is_readable {
            "was made in another character set than UTF-8"
        } else if self.guarded().is_none() {
            "has no FOR EACH ROW"
        } else {
            return None;
        };
        Some(format!("trigger {} {why}", self.name))
    }

    /// What has to be set before it is made, because it is kept with it.
    fn settings(&self) -> String {
        let quoted = |text: &str| Flavour::MySql.quoted(text);
        format!(
            "SET sql_mode = {}, collation_connection = {}",
            quoted(&self.mode),
            quoted(&self.collation)
        )
    }
}

/// The triggers, in the order in which they act.
pub(super) async fn triggers(connection: &mut Connection) -> Result<Vec<Trigger>, Fault> {
    /// Some are NULL for a user without the right.
    const KEPT: [&str; 5] = [
        "definer",
        "sql_mode",
        "collation_connection",
        "character_set_client",
        "database_collation",
    ];
    let kept = KEPT.map(|it| format!("CAST(COALESCE({it}, '') AS CHAR)"));
    let sql = format!(
        "SELECT CAST(trigger_name AS CHAR), CAST(event_object_table AS CHAR), \
             CAST(CONCAT(action_timing, ' ', event_manipulation) AS CHAR), {} \
         FROM information_schema.triggers WHERE trigger_schema = DATABASE() \
         ORDER BY event_object_table, event_manipulation, action_timing, action_order",
        kept.join(", ")
    );
    let mut triggers = Vec::new();
    for row in texts(connection, &sql, &[]).await? {
        let [
            name,
            table,
            when,
            definer,
            mode,
            collation,
            charset,
            database_collation,
        ] = row;
        let shown = format!("SHOW CREATE TRIGGER {}", Flavour::MySql.quoted_name(&name));
        let shown = connection.all_data(&shown).await?;
        let made = shown.first().and_then(|row| row.get(2));
        triggers.push(Trigger {
            made: made.map(text_of).unwrap_or_default(),
            definer: quoted_user(&definer),
            name,
            table,
            when,
            mode,
            collation,
            charset,
            database_collation,
        });
    }
    Ok(triggers)
}

/// Its text. Empty for NULL, which the server shows to a user without the right.
fn text_of(datum: &Datum) -> String {
    match datum {
        Datum::Null => String::new(),
        Datum::Value { text, .. } => text.clone(),
    }
}

/// `root@localhost`, or a role's name, in quotes.
fn quoted_user(definer: &str) -> String {
    let quoted = |name| Flavour::MySql.quoted_name(name);
    match definer.rsplit_once('@') {
        Some((role, "")) => quoted(role),
        Some((user, host)) => format!("{}@{}", quoted(user), quoted(host)),
        None => quoted(definer),
    }
}

/// Why some cannot be made again as they were.
pub(super) async fn refusals(
    connection: &mut Connection,
    triggers: &[Trigger],
) -> Result<Vec<String>, Fault> {
    let collation = texts(connection, "SELECT CAST(@@collation_database AS CHAR)", &[]).await?;
    let collation = collation.into_iter().next().map(|[it]| it);
    let collation = collation.unwrap_or_default();
    let refusals = triggers.iter().filter_map(|it| it.refusal(&collation));
    Ok(refusals.collect())
}

/// Tries each on a table of its own, so that what the user may not do is known before any trigger
/// is dropped. Without a right to triggers none of them is even seen, so one is tried in any case.
pub(super) async fn must_be_makable(
    connection: &mut Connection,
    triggers: &[Trigger],
) -> Result<(), Fault> {
    let drop = format!("DROP TABLE IF EXISTS {TRIAL_TABLE}");
    let made = format!(
        "{drop}; CREATE TABLE {TRIAL_TABLE} (id INT PRIMARY KEY); \
         CREATE TRIGGER {TRIAL} BEFORE INSERT ON {TRIAL_TABLE} FOR EACH ROW SET @racy_trial = NULL"
    );
    match connection.command(&made).await {
        // If there are triggers to be seen, there are none to be made.
        Err(fault) if fault.is_of_an_unsafe_trigger() && triggers.is_empty() => {
            if !may_see_triggers(connection).await? {
                return Err(fault);
            }
        }
        done => done?,
    }
    for trigger in triggers {
        let Some(tried) = trigger.tried() else {
            continue;
        };
        let table = Flavour::MySql.quoted_name(&trigger.table);
        let trial = format!(
            "{drop}; CREATE TABLE {TRIAL_TABLE} LIKE {table}; {}; {tried}",
            trigger.settings()
        );
        connection.command(&trial).await?;
    }
    connection.command(&drop).await
}

/// Whether a grant says that this user sees all triggers. Then the list of none is complete.
async fn may_see_triggers(connection: &mut Connection) -> Result<bool, Fault> {
    let database = texts(connection, "SELECT CAST(DATABASE() AS CHAR)", &[]).await?;
    let [database] = database.into_iter().next().unwrap_or_default();
    let places = [
        " ON *.* ".to_owned(),
        format!(" ON {}.* ", Flavour::MySql.quoted_name(&database)),
    ];
    let grants = connection.all_data("SHOW GRANTS").await?;
    let grants = grants.iter().filter_map(|row| row.first());
    // In a grant, an underscore may stand for any character, and has a backslash if it does not.
    let grants: Vec<_> = grants.map(|it| text_of(it).replace('\\', "")).collect();
    let names_triggers = |it: &&String| it.contains("TRIGGER") || it.contains("ALL PRIVILEGES");
    let mut about_triggers = grants.iter().filter(names_triggers);
    let is_granted = |it: &String| places.iter().any(|place| it.contains(place));
    let is_revoked = grants.iter().any(|it| it.starts_with("REVOKE"));
    Ok(!is_revoked && about_triggers.any(is_granted))
}

/// Makes each again, with a condition around its body.
pub(super) async fn guard(connection: &mut Connection, triggers: &[Trigger]) -> Result<(), Fault> {
    let made = triggers.iter().filter_map(|it| Some((it, it.guarded()?)));
    make_again(connection, made.collect()).await
}

/// Makes those again as they were that are guarded or missing. One that was changed since is left
/// alone.
pub(super) async fn unguard(
    connection: &mut Connection,
    triggers: &[Trigger],
) -> Result<(), Fault> {
    const BODIES: &str = "SELECT CAST(trigger_name AS CHAR), CAST(COALESCE(action_statement, '') AS CHAR) \
         FROM information_schema.triggers WHERE trigger_schema = DATABASE()";
    let bodies = texts(connection, BODIES, &[]).await?;
    let is_changed = |trigger: &&Trigger| {
        let now = bodies.iter().find(|[name, _]| *name == trigger.name);
        now.is_some_and(|[_, body]| !body.contains(FLAG))
    };
    let made = triggers.iter().filter(|it| !is_changed(it));
    let made = made.map(|it| (it, it.made.clone()));
    make_again(connection, made.collect()).await
}

/// Drops all and makes them in their order, because a new one acts after those that are there.
async fn make_again(
    connection: &mut Connection,
    made: Vec<(&Trigger, String)>,
) -> Result<(), Fault> {
    for (trigger, _) in &made {
        let drop = format!("DROP TRIGGER IF EXISTS {}", trigger.quoted());
        connection.command(&drop).await?;
    }
    for (trigger, statement) in made {
        connection.command(&trigger.settings()).await?;
        // MySQL keeps a semicolon at the end only if another statement follows.
        let statement = if statement.ends_with(';') {
            format!("{statement} DO 0")
        } else {
            statement
        };
        connection.command(&statement).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(made: &str) -> Option<String> {
        let trigger = Trigger {
            name: String::new(),
            table: String::new(),
            when: String::new(),
            made: made.to_owned(),
            definer: String::new(),
            mode: String::new(),
            collation: String::new(),
            charset: String::new(),
            database_collation: String::new(),
        };
        trigger.guarded()
    }

    #[test]
    fn the_body_begins_after_the_words_that_are_no_name_and_no_comment() {
        let before =
            "CREATE TRIGGER `for each row` AFTER INSERT ON t /* FOR EACH ROW */ for each\nRow";
        let made = format!("{before} SET @a = 'for each row' -- end");
        let guarded = guarded(&made).unwrap();
        let body = " BEGIN IF @racy_bringing_back IS NULL THEN  SET @a = 'for each row' -- end\n; \
                    END IF; END";
        assert_eq!(guarded, format!("{before}{body}"));
    }

    #[test]
    fn a_user_is_quoted_in_two_parts_and_a_role_in_one() {
        assert_eq!(quoted_user("a@b@%"), "`a@b`@`%`");
        assert_eq!(quoted_user("clerk@"), "`clerk`");
        assert_eq!(guarded("CREATE TRIGGER t AFTER INSERT ON t"), None);
    }
}
