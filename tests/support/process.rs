//! The `racy` binary, run as a process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::thread::JoinHandle;

use super::TestEngine;

impl TestEngine {
    /// The engine as `--database-url` names it where the command is to start or make it itself.
    pub fn own_url(self, folder: &Path) -> String {
        match self {
            Self::MySql => "local:mysql".to_owned(),
            Self::MariaDb => "local:mariadb".to_owned(),
            Self::Postgres => "local:postgres".to_owned(),
            Self::Sqlite => format!("sqlite:{}", folder.join("lab.db").display()),
        }
    }
}

/// The `racy` command with nothing from this process's environment that would change what it does.
pub fn racy(arguments: &[&str]) -> Command {
    racy_by(&[], arguments)
}

/// The same, executed by another command, which takes it as its last arguments.
pub fn racy_by(wrapper: &[&str], arguments: &[&str]) -> Command {
    let words = [wrapper, &[env!("CARGO_BIN_EXE_racy")], arguments].concat();
    let mut command = mortal(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    let others = [
        "DATABASE_URL",
        "RUST_LOG",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_WORKSPACE",
        "CI_PROJECT_DIR",
    ];
    let ours = |name: &str| name.starts_with("RACY_") || others.contains(&name);
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command
}

/// A command that does not outlive the thread that starts it: a test that fails, or is killed with
/// all others, leaves nothing running. Linux alone can do that.
pub fn mortal(program: &str) -> Command {
    static CAN_DIE: LazyLock<bool> = LazyLock::new(|| {
        let mut tried = Command::new("setpriv");
        let tried = tried.args(["--pdeathsig", "KILL", "true"]).status();
        tried.is_ok_and(|status| status.success())
    });
    if !*CAN_DIE {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

/// Tells a process to end, as `docker stop` and init systems do.
pub fn terminate(process: &Child) {
    signal("TERM", process);
}

pub fn signal(name: &str, process: &Child) {
    let mut kill = Command::new("kill");
    let kill = kill.args([format!("-{name}"), process.id().to_string()]);
    assert!(kill.status().unwrap().success());
}

/// A `racy serve` of its own process.
pub struct Served {
    pub process: Child,
    log: Option<BufReader<ChildStderr>>,
    reading: Option<JoinHandle<String>>,
    pub said: String,
    pub base_url: String,
}

impl Served {
    pub fn start(url: &str, data: &Path, more: &[&str]) -> Self {
        Self::start_by(&[], url, data, more)
    }

    /// The same, executed by another command.
    pub fn start_by(wrapper: &[&str], url: &str, data: &Path, more: &[&str]) -> Self {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--database-url", url];
        Self::start_command(racy_by(wrapper, &serve), data, more)
    }

    /// The same, at an address that a test [holds](super::HeldPort) for it.
    pub fn start_at(address: SocketAddr, url: &str, data: &Path, more: &[&str]) -> Self {
        let address = address.to_string();
        let serve = ["serve", "--listen", &address, "--database-url", url];
        Self::start_command(racy(&serve), data, more)
    }

    fn start_command(mut command: Command, data: &Path, more: &[&str]) -> Self {
        command
            .args(more)
            .env("RACY_DATA_DIR", data)
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let mut served = Self {
            process,
            log: Some(log),
            reading: None,
            said: String::new(),
            base_url: String::new(),
        };
        served.wait_until_said("listening on http://");
        let (_, address) = served.said.split_once("listening on ").unwrap();
        served.base_url = address.split(',').next().unwrap().to_owned();
        served
    }

    /// Reads its log up to a line with these words.
    pub fn wait_until_said(&mut self, words: &str) {
        while !self.said.contains(words) {
            let log = self.log.as_mut().unwrap();
            let read = log.read_line(&mut self.said).unwrap();
            assert!(read > 0, "it ended: {}", self.said);
        }
    }

    /// Reads its log to the end, beside the test. A pipe holds 64 KiB, and a service that cannot
    /// write its log stands still.
    pub fn keep_reading(&mut self) {
        let mut log = self.log.take().unwrap();
        self.reading = Some(std::thread::spawn(move || {
            let mut said = String::new();
            log.read_to_string(&mut said).unwrap();
            said
        }));
    }

    /// Closes its log's only reader.
    pub fn stop_reading(&mut self) {
        self.log = None;
    }

    pub fn socket(&self) -> Option<String> {
        let (_, rest) = self.said.split_once("socket ")?;
        Some(rest.split(')').next()?.to_owned())
    }

    pub fn wait(mut self) -> (ExitStatus, String) {
        let status = self.process.wait().unwrap();
        match self.reading.take() {
            Some(reading) => self.said.push_str(&reading.join().unwrap()),
            None => {
                let mut log = self.log.take().unwrap();
                log.read_to_string(&mut self.said).unwrap();
            }
        }
        (status, self.said)
    }
}

/// The words in front of a command that give it a small file system at this path. No other process
/// sees it, and it ends with the command. Root may mount one; others need a user namespace.
pub fn with_a_small_disk(path: &Path) -> Vec<&str> {
    const MOUNT_AND_EXECUTE: &str =
        r#"mount -t tmpfs -o size=64k,mode=700 tmpfs "$0" && exec "$@""#;
    let mut refusals = String::new();
    for unshare in [
        &["unshare", "--mount"][..],
        &["unshare", "--map-root-user", "--mount"],
    ] {
        let mount = ["sh", "-c", MOUNT_AND_EXECUTE, path.to_str().unwrap()];
        let wrapper = [unshare, &mount].concat();
        let tried = Command::new(wrapper[0])
            .args(&wrapper[1..])
            .arg("true")
            .output();
        match tried {
            Ok(output) if output.status.success() => return wrapper,
            Ok(output) => refusals.push_str(&String::from_utf8_lossy(&output.stderr)),
            Err(error) => refusals.push_str(&format!("{}: {error}", unshare[0])),
        }
    }
    panic!(
        "this test needs a small file system of its own: util-linux, and either root with \
         CAP_SYS_ADMIN or unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone, \
         kernel.apparmor_restrict_unprivileged_userns; docker run --security-opt \
         seccomp=unconfined):\n{refusals}"
    );
}
