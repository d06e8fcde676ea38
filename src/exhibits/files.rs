//! Work on files, for the exhibits that race for files.
//!
//! Files are read and written on threads of their own, because the operating system may block the
//! thread that does it.

use std::io;

use crate::engine::Fault;

/// Does work on files on a thread of its own. The work ends even if its caller no longer waits.
pub(in crate::exhibits) async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| Fault::of_file(what, &error)),
        Err(stopped) => Err(Fault::other(format!("{what}: {stopped}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use super::*;
    use crate::engine::FaultKind;

    #[tokio::test]
    async fn a_full_disk_is_told_from_one_that_cannot_be_used() {
        let full = blocking("it could not be written", || {
            File::options()
                .write(true)
                .open("/dev/full")?
                .write_all(b"row")
        });
        let fault = full.await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::DiskFull);
        assert!(fault.message.starts_with("it could not be written: "));
        let missing = blocking("it could not be opened", || File::open("/no/such/folder/x"));
        assert_eq!(missing.await.unwrap_err().kind, FaultKind::Storage);
    }
}
