//! What starts an application, and what runs before it: programs with the places that they need.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::pattern::Pattern;
use super::plan::Launch;
use super::process::Process;
use crate::engine::Upstream;

/// What starts an application in this lane.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) words: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) folder: PathBuf,
}

impl Start {
    pub(super) fn of(
        launch: &Launch,
        port: u16,
        proxy: SocketAddr,
        upstream: &Upstream,
    ) -> Result<Self, String> {
        let fill = |pattern: &Pattern| filled(pattern, port, proxy, upstream);
        let env = launch.env.iter();
        let env = env.map(|(name, value)| Ok((name.clone(), fill(value)?)));
        Ok(Self {
            words: launch.command.iter().map(fill).collect::<Result<_, _>>()?,
            env: env.collect::<Result<_, String>>()?,
            folder: absolute(&launch.directory)?,
        })
    }

    /// Runs the commands that come before the application.
    pub(super) async fn prepare(
        &self,
        launch: &Launch,
        port: u16,
        proxy: SocketAddr,
        upstream: &Upstream,
    ) -> Result<(), String> {
        for command in &launch.prepare {
            let words = command.iter().map(|it| filled(it, port, proxy, upstream));
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

/// The text with the places that it names.
fn filled(
    pattern: &Pattern,
    port: u16,
    proxy: SocketAddr,
    upstream: &Upstream,
) -> Result<String, String> {
    let value = |name: &str| {
        Some(match name {
            "app_port" => port.to_string(),
            "db_host" => proxy.ip().to_string(),
            "db_port" => proxy.port().to_string(),
            "db_name" => upstream.database.clone(),
            "db_user" => upstream.user.clone(),
            "db_password" => upstream.password.clone(),
            "db_url" => upstream.url_through(proxy),
            _ => return None,
        })
    };
    pattern.fill(&value).map_err(|unset| unset.to_string())
}

/// A port that nothing listens on now.
pub(super) fn free_port() -> std::io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
