//! A scenario as a subject of the explorer.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::anomalies::{FAILED, NOT_SERIAL};
use super::clients::ScenarioClients;
use super::judge::ScenarioJudge;
use super::options::Options;
use super::place::FileError;
use super::prepared::{Prepared, PreparedPlace};
use super::rehearsal::SerialRuns;
use super::scenario::{ClientScript, Does, Scenario};
use crate::engine::{Database, Fault, Flavour};
use crate::explore::{
    About, ClientFacts, Clients, Fixtures, Pending, Restore, ScenarioFacts, SqlText, Subject,
};

impl Scenario {
    /// The scenario as a subject.
    ///
    /// # Errors
    /// If the options do not fit it.
    pub fn into_subject(self, options: Options) -> Result<Subject, FileError> {
        let scenario = match options.clients {
            Some(count) => self.with_clients(count)?,
            None => self,
        };
        let runs_already = scenario
            .application
            .as_ref()
            .is_some_and(|it| it.runs_already());
        if runs_already && !options.in_place {
            return Err(FileError {
                file: scenario.name,
                place: None,
                message: "its application runs already (`base_url`), on a database of its own: name that \
                          one with --database-url, and say --in-place. Its tables are copied before and \
                          brought back after each run"
                    .to_owned(),
            });
        }
        let prepared = Arc::new(Prepared::new(scenario, options));
        let for_clients = Arc::clone(&prepared);
        Ok(Subject {
            about: prepared.about(),
            fixtures: Fixtures::WholeDatabase(Arc::new(Start(Arc::clone(&prepared)))),
            clients: Arc::new(move |_instances| -> Arc<dyn Clients> {
                Arc::new(ScenarioClients::all(&for_clients))
            }),
            rehearsal: Some(Arc::new(SerialRuns {
                prepared: Arc::clone(&prepared),
            })),
            judge: Arc::new(ScenarioJudge { prepared }),
        })
    }
}

impl Prepared {
    fn about(&self) -> About {
        let scenario = &self.scenario;
        let invariants = scenario.invariants.iter().map(|it| it.anomaly);
        About {
            name: scenario.name.clone().into(),
            anomalies: std::iter::once(&FAILED)
                .chain(invariants)
                .chain(scenario.serial.then_some(&NOT_SERIAL))
                .collect(),
            source_file: None,
            nothing: if scenario.invariants.is_empty() && scenario.serial {
                NOT_SERIAL.word
            } else {
                "violated"
            },
            setup_sql: SqlText::ByEngine(self.setup_texts()),
            inspect_sql: SqlText::ByEngine(self.inspect_texts()),
            clients_are_alike: scenario.clients_are_alike,
            shares_memory: false,
            scenario: Some(self.facts()),
        }
    }

    fn facts(&self) -> ScenarioFacts {
        let scenario = &self.scenario;
        let beyond = self.places.iter().filter(|it| it.reaches_beyond);
        let mut may_be_refused: Vec<_> = scenario
            .clients
            .iter()
            .flat_map(|it| it.may_be_refused.iter().copied())
            .collect();
        may_be_refused.sort();
        may_be_refused.dedup();
        ScenarioFacts {
            title: scenario.title.clone(),
            text: if self.options.hides_values {
                // It holds requests, and perhaps passwords.
                String::new()
            } else {
                scenario.text.clone()
            },
            clients: scenario
                .clients
                .iter()
                .map(|it| ClientFacts {
                    name: it.name.clone(),
                    level: it.level,
                    request: it.request_in_words(),
                    command: it.command_in_words(),
                })
                .collect(),
            engines: self.places.iter().map(|it| it.flavour).collect(),
            alone_on: match &scenario.application {
                // Files that commands share would be those of all lanes.
                Some(it) if it.has_one_instance() || self.scenario.has_commands() => {
                    self.places.iter().map(|it| it.flavour).collect()
                }
                // Each instance has a database of its own.
                Some(_) => Vec::new(),
                None => beyond.map(|it| it.flavour).collect(),
            },
            at_once: scenario.application.as_ref().map(|it| it.instances()),
            search: scenario.search,
            assumptions: self
                .places
                .iter()
                .map(|it| (it.flavour, self.assumptions(it.flavour)))
                .collect(),
            may_be_refused,
        }
    }

    /// What a verdict takes for granted on this engine.
    fn assumptions(&self, flavour: Flavour) -> Vec<String> {
        if self.scenario.application.is_some() {
            return self.assumptions_of_an_application();
        }
        let mut assumptions = vec![if self.options.split_commits {
            "each statement is taken as one step, and so is the commit of one that writes in autocommit"
        } else {
            "each statement is taken as one step; in autocommit, its commit belongs to it"
        }];
        if flavour.is_innodb() {
            assumptions.push(
                "the driver counts matched rows, not changed ones (FOUND_ROWS): so do :ROW_COUNT and \
                 ROW_COUNT()",
            );
        }
        if self.scenario.serial {
            assumptions.push(
                "what the clients do one after the other is right, in every order; tables, outcomes and \
                 captured values are compared",
            );
        }
        assumptions.into_iter().map(str::to_owned).collect()
    }

    fn assumptions_of_an_application(&self) -> Vec<String> {
        let its_commit = if self.options.split_commits {
            ", and so is the commit of one that writes in autocommit"
        } else {
            "; in autocommit, its commit belongs to it"
        };
        let mut assumptions = vec![
            format!(
                "each statement that passes the proxy is taken as one step{its_commit}. Files and other \
                 services are not seen"
            ),
            format!(
                "a {} that shows no sign for {} ms waits for something outside the database (--settle)",
                self.scenario.what_is_proxied(),
                self.options.settle.as_millis()
            ),
        ];
        if self.scenario.has_commands() {
            assumptions.push(
                "a command is started in each run, and files that it changes are not brought back"
                    .to_owned(),
            );
        }
        if self.scenario.serial {
            assumptions.push(
                "what the clients do one after the other is right, in every order; tables, outcomes and \
                 captured values are compared"
                    .to_owned(),
            );
            let reads_for_nobody = |it: &Arc<ClientScript>| match &it.does {
                Does::Request(plan) => plan.reads_for_nobody(),
                Does::Script(_) | Does::Command(_) => false,
            };
            if self.scenario.clients.iter().any(reads_for_nobody) {
                assumptions.push(
                    "of the answer to a GET without `capture`, the status alone is compared"
                        .to_owned(),
                );
            }
        }
        if !self.scenario.serial && !self.scenario.states_serial {
            assumptions.push(
                "not compared with the serial orders, because there is an invariant (`serial = true` \
                 adds that)"
                    .to_owned(),
            );
        }
        assumptions
    }

    fn setup_texts(&self) -> Vec<(Flavour, String)> {
        let texts = self.scenario.setup_text.iter();
        texts
            .map(|(flavour, text)| {
                if self.options.hides_values {
                    return (flavour, String::new());
                }
                let text = match &*self.what_comes_after_the_setup() {
                    "" => text.clone(),
                    keys => format!(
                        "{text}\n-- Then what the application makes itself: see {keys} in the file."
                    ),
                };
                (flavour, text.trim_start().to_owned())
            })
            .collect()
    }

    /// The keys of the file by which the application fills its tables before the runs.
    fn what_comes_after_the_setup(&self) -> String {
        let application = self.scenario.application.as_ref();
        let has_before = |it: &Arc<ClientScript>| match &it.does {
            Does::Request(plan) => plan.has_before(),
            Does::Command(plan) => plan.has_before(),
            Does::Script(_) => false,
        };
        let keys = [
            (
                "`prepare`",
                application.is_some_and(|it| it.prepares_something()),
            ),
            ("`before`", self.scenario.clients.iter().any(has_before)),
        ];
        let given = keys.into_iter().filter(|(_, is_given)| *is_given);
        let given: Vec<_> = given.map(|(key, _)| key).collect();
        given.join(" and ")
    }

    fn inspect_texts(&self) -> Vec<(Flavour, String)> {
        let text = |place: &PreparedPlace| {
            let mut text = String::new();
            for invariant in &self.scenario.invariants {
                let sql = match self.options.hides_values {
                    true => invariant.shape_on(place.flavour),
                    false => invariant.text_on(place.flavour),
                };
                let sql = sql.unwrap_or_default();
                let _ = writeln!(text, "{sql}; -- {}", invariant.name);
            }
            (place.flavour, text.trim_end().to_owned())
        };
        self.places.iter().map(text).collect()
    }
}

/// Where each run of a scenario begins.
#[derive(Debug)]
struct Start(Arc<Prepared>);

impl Restore for Start {
    fn restore<'a>(&'a self, database: &'a Database) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move { Ok(self.0.restore(database).await?) })
    }

    fn opening_takes<'a>(&'a self, database: &'a Database) -> Pending<'a, Option<Duration>> {
        Box::pin(async move { self.0.opening_takes(database).await })
    }

    fn is_alone(&self) -> bool {
        self.0.applications.known().beyond().is_some()
    }

    fn close<'a>(&'a self, database: &'a Database) -> Pending<'a, Result<(), Fault>> {
        Box::pin(async move { self.0.close(database).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An invariant turns the serial orders off, unless the file speaks of them.
    #[test]
    fn a_report_of_an_application_says_that_serial_orders_are_off() {
        const APPLICATION: &str = "[application]\nbase_url = 'http://127.0.0.1:1'\nlisten = '127.0.0.1:2'\n\
                                   [[client]]\nrequest = { path = '/' }\n";
        const INVARIANT: &str = "[[invariant]]\nname = 'i'\nsql = 'SELECT 1 = 1'\n";
        const OFF: &str = "not compared with the serial orders, because there is an invariant \
                           (`serial = true` adds that)";
        for (serial, invariant, is_said) in [
            ("", INVARIANT, true),
            ("", "", false),
            ("serial = true\n", INVARIANT, false),
            ("serial = false\n", INVARIANT, false),
        ] {
            let text = format!("title = 'A shop'\n{serial}{APPLICATION}{invariant}");
            let options = Options {
                in_place: true,
                ..Options::default()
            };
            let scenario = Scenario::parse("test.toml", &text).unwrap();
            let about = scenario.into_subject(options).unwrap().about;
            let said = about.scenario.unwrap().assumptions_on(Flavour::MySql);
            assert_eq!(said.iter().any(|it| it == OFF), is_said, "{text}");
        }
    }

    #[test]
    fn what_the_application_makes_is_named_by_the_keys_that_the_file_has() {
        let file = |application: &str, client: &str| {
            let text = format!(
                "title = \"A shop\"\nengines = [\"mysql\"]\n\
                 database.setup = \"CREATE TABLE a (n INT)\"\n\
                 [application]\ncommand = [\"node\", \"server.js\"]\n{application}\n\
                 [[client]]\ncount = 2\nrequest = {{ path = \"/\" }}\n{client}\n"
            );
            let scenario = Scenario::parse("test.toml", &text).unwrap();
            let about = scenario.into_subject(Options::default()).unwrap().about;
            about.setup_sql.on(Flavour::MySql).into_owned()
        };
        let prepare = "prepare = [[\"make\", \"tables\"]]";
        let before = "before = [{ path = \"/login\" }]";
        let then = "\n-- Then what the application makes itself: see";
        for (application, client, keys) in [
            (prepare, "", "`prepare`"),
            ("", before, "`before`"),
            (prepare, before, "`prepare` and `before`"),
        ] {
            let said = file(application, client);
            assert!(
                said.ends_with(&format!("{then} {keys} in the file.")),
                "{said}"
            );
        }
        assert_eq!(file("", ""), "CREATE TABLE a (n INT)");
    }

    #[test]
    fn invariants_are_without_values_if_values_are_hidden() {
        let text = r#"
title = "A number"
[database]
setup = "CREATE TABLE a (n INTEGER NOT NULL, owner TEXT)"
[[client]]
count = 2
script = "UPDATE a SET n = n + 1;"
[[invariant]]
name = "few"
sql = "SELECT n <= 12 FROM a WHERE owner = 'Ann' AND n = :acknowledged"
"#;
        for (hides_values, expected) in [
            (
                true,
                "SELECT n <= ? FROM a WHERE owner = ? AND n = :acknowledged; -- few",
            ),
            (
                false,
                "SELECT n <= 12 FROM a WHERE owner = 'Ann' AND n = :acknowledged; -- few",
            ),
        ] {
            let options = Options {
                hides_values,
                ..Options::default()
            };
            let scenario = Scenario::parse("test.toml", text).unwrap();
            let about = scenario.into_subject(options).unwrap().about;
            assert_eq!(about.inspect_sql.on(Flavour::Sqlite), expected);
        }
    }
}
