//! Names of exports in URLs: none leads out of the folder.

use std::fs;
use std::os::unix::fs::symlink;

use racy::engine::FaultKind;
use racy::exhibits::exports::{FileName, Refusal};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{audit, export, ground, serve};
use crate::support::TestEngine;
use crate::support::service::{RunningService, problem};

/// Sends a request target as it is, which a client library would tidy up first.
async fn status_of(service: &RunningService, target: &str) -> u16 {
    let mut stream = TcpStream::connect(service.address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: racy\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(!answer.contains("hidden"), "{target}: {answer}");
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Names that are no export's, as they stand in a URL.
const NO_EXPORTS: [&str; 11] = [
    "..%2fsecret.csv",
    "%2e%2e%2fsecret.csv",
    "%2e%2e",
    "..",
    "secret.csv",
    "%2fetc%2fpasswd",
    "transactions.csv%00",
    "transactions.csv.lock",
    ".janitor.lock",
    "transactions-zzzzzzzzzzzzzzzz.csv",
    "%ff%fe",
];

/// Paths that are no export's.
const NO_EXPORTS_PATHS: [&str; 3] = [
    "/exports/../secret.csv",
    "/exports//etc/passwd",
    "/exports/",
];

#[tokio::test]
async fn no_name_leads_out_of_the_folder() {
    let (lab, temporary, folder) = ground(TestEngine::Sqlite, 1).await;
    fs::write(temporary.path().join("secret.csv"), "hidden").unwrap();
    fs::write(folder.path().join("secret.csv"), "hidden").unwrap();
    let service = serve(&lab, &folder).await;
    for name in NO_EXPORTS {
        for more in ["", "/audit"] {
            let target = format!("/exports/{name}{more}");
            assert_eq!(status_of(&service, &target).await, 400, "{target}");
        }
    }
    for target in NO_EXPORTS_PATHS {
        let status = status_of(&service, target).await;
        assert!([400, 404, 405].contains(&status), "{target}: {status}");
    }
    service.stop().await;
}

#[tokio::test]
async fn an_export_that_is_not_there_is_404() {
    let (lab, _temporary, folder) = ground(TestEngine::Sqlite, 1).await;
    let service = serve(&lab, &folder).await;
    let missing = service.get("/exports/transactions.csv").send().await;
    problem(missing.unwrap(), 404, "unknown-export").await;
    service.stop().await;
}

#[tokio::test]
async fn no_link_leads_out_of_the_folder() {
    let (lab, temporary, folder) = ground(TestEngine::Sqlite, 1).await;
    let secret = temporary.path().join("secret.csv");
    fs::write(&secret, "hidden").unwrap();
    symlink(&secret, folder.path().join("transactions.csv")).unwrap();
    let service = serve(&lab, &folder).await;
    let link = service.get("/exports/transactions.csv").send().await;
    problem(link.unwrap(), 503, "storage").await;
    for short_name in ["shared_file", "file_lock"] {
        let refused = export(&lab, &folder, short_name).await.unwrap_err();
        assert!(matches!(refused, Refusal::Fault(fault) if fault.kind == FaultKind::Storage));
    }
    // A rename replaces the link, and not the file behind it.
    export(&lab, &folder, "atomic_rename").await.unwrap();
    assert!(audit(&folder, &FileName::shared()).is_right());
    assert_eq!(fs::read_to_string(&secret).unwrap(), "hidden");
    service.stop().await;
}
