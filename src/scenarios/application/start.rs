//! What starts an application or a command, and what runs before it: programs with the places that
//! they need.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::command::CommandClient;
use super::pattern::Pattern;
use super::plan::Launch;
use super::process::Process;
use super::request::Values;
use crate::engine::{Flavour, Upstream};

/// The places that programs need.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'p> {
    /// Where the application listens. None if none is started.
    pub(super) port: Option<u16>,
    /// Where the proxy listens.
    pub(super) proxy: SocketAddr,
    pub(super) upstream: &'p Upstream,
}

impl Places<'_> {
    /// The place of this name. None if there is none.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        let Self {
            port,
            proxy,
            upstream,
        } = self;
        Some(match name {
            "app_port" => return port.map(|it| it.to_string()),
            "db_host" => proxy.ip().to_string(),
            "db_port" => proxy.port().to_string(),
            "db_name" => upstream.database.clone(),
            "db_user" => upstream.user.clone(),
            "db_password" => upstream.password.clone(),
            "db_url" => upstream.url_through(*proxy),
            _ => return None,
        })
    }

    fn fill(&self, pattern: &Pattern) -> Result<String, String> {
        let filled = pattern.fill(&|name| self.value(name));
        filled.map_err(|unset| unset.to_string())
    }

    /// The environment variables in which programs usually look for their database, and those that
    /// the engine's own client reads.
    pub(super) fn variables(&self, flavour: Flavour) -> Vec<(String, String)> {
        const USUAL: &[(&str, &str)] = &[
            ("DATABASE_URL", "db_url"),
            ("DB_HOST", "db_host"),
            ("DB_PORT", "db_port"),
            ("DB_NAME", "db_name"),
            ("DB_USER", "db_user"),
            ("DB_PASSWORD", "db_password"),
        ];
        const OF_MYSQL: &[(&str, &str)] = &[
            ("MYSQL_HOST", "db_host"),
            ("MYSQL_PORT", "db_port"),
            ("MYSQL_TCP_PORT", "db_port"),
            ("MYSQL_DATABASE", "db_name"),
            ("MYSQL_USER", "db_user"),
            ("MYSQL_PASSWORD", "db_password"),
            ("MYSQL_PWD", "db_password"),
        ];
        const OF_POSTGRES: &[(&str, &str)] = &[
            ("PGHOST", "db_host"),
            ("PGPORT", "db_port"),
            ("PGDATABASE", "db_name"),
            ("PGUSER", "db_user"),
            ("PGPASSWORD", "db_password"),
        ];
        let own = match flavour {
            Flavour::MySql | Flavour::MariaDb => OF_MYSQL,
            Flavour::Postgres => OF_POSTGRES,
            Flavour::Sqlite => &[],
        };
        let names = USUAL.iter().chain(own);
        let variables = names
            .filter_map(|(variable, place)| Some(((*variable).to_owned(), self.value(place)?)));
        variables.collect()
    }
}

/// What starts an application in this lane.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) words: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) folder: PathBuf,
}

impl Start {
    pub(super) fn of(launch: &Launch, places: Places<'_>) -> Result<Self, String> {
        let fill = |pattern: &Pattern| places.fill(pattern);
        Ok(Self {
            words: launch.command.iter().map(fill).collect::<Result<_, _>>()?,
            env: environment(launch, places)?,
            folder: absolute(&launch.directory)?,
        })
    }

    /// The same for a command beside the application. `launch` is the application's, if it is
    /// started here; `values` are those of the client's own names.
    pub(super) fn of_command(
        command: &CommandClient,
        launch: Option<&Launch>,
        places: Places<'_>,
        flavour: Flavour,
        values: Values<'_>,
    ) -> Result<Self, String> {
        let fill = |pattern: &Pattern| {
            let filled = pattern.fill(&|name| places.value(name).or_else(|| values(name)));
            filled.map_err(|unset| unset.to_string())
        };
        let mut env = places.variables(flavour);
        if let Some(launch) = launch {
            env.extend(environment(launch, places)?);
        }
        for (name, value) in &command.env {
            env.push((name.clone(), fill(value)?));
        }
        Ok(Self {
            words: command.words.iter().map(fill).collect::<Result<_, _>>()?,
            env,
            folder: absolute(&command.directory)?,
        })
    }

    /// Runs the commands that come before the application.
    pub(super) async fn prepare(&self, launch: &Launch, places: Places<'_>) -> Result<(), String> {
        for command in &launch.prepare {
            let words = command.iter().map(|it| places.fill(it));
            let words = words.collect::<Result<Vec<_>, _>>()?;
            let process = Process::start(&words, &self.folder, &self.env)?;
            let done = process.must_succeed().await;
            done.map_err(|error| format!("`prepare`: {error}"))?;
        }
        Ok(())
    }
}

/// The folder as it is found whatever the current one is.
fn absolute(folder: &Path) -> Result<PathBuf, String> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    std::path::absolute(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

/// The environment that a file gives its application.
fn environment(launch: &Launch, places: Places<'_>) -> Result<Vec<(String, String)>, String> {
    let env = launch.env.iter();
    let env = env.map(|(name, value)| Ok((name.clone(), places.fill(value)?)));
    env.collect()
}

/// A port that nothing listens on now.
pub(super) fn free_port() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
