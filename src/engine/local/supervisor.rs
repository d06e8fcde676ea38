//! The shell that runs `supervise.sh`, and through it the server.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::account::Account;
use super::binary::Binary;
use super::claim::Claim;
use super::dispatch;
use super::error::Error;
use super::log::Log;
use super::recipe::Layout;

const SUPERVISE: &str = include_str!("supervise.sh");

/// The shell that runs `supervise.sh`. It is the only handle to the server, which stops when the
/// pipe to the shell's standard input closes.
#[derive(Debug)]
pub(super) struct Supervisor(Child);

impl Supervisor {
    pub(super) fn spawn(
        binary: &Binary,
        layout: &Layout,
        account: Option<&Account>,
        claim: Option<&Claim>,
        log: &Log,
    ) -> Result<Self, Error> {
        // A file rather than `sh -c`, so that a list of processes shows a name and not sixty lines.
        let script = layout.run.join("supervise.sh");
        write_for_all_to_read(&script, SUPERVISE)
            .map_err(|source| Error::folder(&script, source))?;
        let initialiser = if layout.data.exists() {
            Path::new("")
        } else {
            &binary.initialiser
        };
        let launch = dispatch::launch(binary.product, layout, is_roots(&layout.run)?);
        let signal = match claim {
            Some(_) => launch.stop,
            None => launch.stop_at_once,
        };
        let mut supervisor = Command::new("/bin/sh");
        if let Some(account) = account {
            // Started in a folder that this user may enter.
            supervisor
                .uid(account.uid)
                .gid(account.gid)
                .current_dir("/");
        }
        supervisor
            .arg(script)
            .arg(signal)
            .arg(&layout.run)
            .arg(initialiser)
            .arg(launch.initialiser_flags)
            .args([&layout.fresh, &layout.data])
            .arg(&binary.path)
            .args(launch.server_arguments)
            .env("TMPDIR", &layout.run)
            // The write end closes on exec, as every file that Rust opens. So no other child can
            // keep it open.
            .stdin(Stdio::piped())
            .stdout(claim.map_or_else(|| Ok(Stdio::null()), |claim| copy(&claim.server_lock))?)
            .stderr(copy(&log.file)?)
            // Ctrl-C in a terminal goes to the whole process group of the lab. The lab alone takes
            // it, and then stops its servers in order.
            .process_group(0)
            .spawn()
            .map(Self)
            .map_err(Error::Supervisor)
    }

    /// The server's exit status. None while it runs.
    pub(super) fn exit_status(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.0.try_wait().map_err(Error::Supervisor)
    }

    /// Closes the pipe and waits until the server and its temporary folder are gone.
    pub(super) fn end(&mut self) -> Result<ExitStatus, Error> {
        drop(self.0.stdin.take());
        self.0.wait().map_err(Error::Supervisor)
    }
}

impl Drop for Supervisor {
    /// Blocks until the server has ended, because code that runs after this relies on that.
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(
                %error,
                "the private server was told to stop, but its end cannot be waited for"
            );
        }
    }
}

/// Whether the folder belongs to root, who is then also the server's user.
fn is_roots(folder: &Path) -> Result<bool, Error> {
    let metadata = fs::metadata(folder).map_err(|source| Error::folder(folder, source))?;
    Ok(metadata.uid() == 0)
}

fn copy(file: &File) -> Result<Stdio, Error> {
    file.try_clone().map(Stdio::from).map_err(Error::Supervisor)
}

/// Writes a new file that the server's user can read as well, whatever the umask is.
fn write_for_all_to_read(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    file.write_all(text.as_bytes())
}
