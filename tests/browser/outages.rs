//! A lab that goes away in the middle of a run, and comes back.

use std::path::Path;

use super::{Start, Visit};
use crate::support::process::{Served, terminate};
use crate::support::{HeldPort, TestEngine};

use super::visit::FEW;

on_engines!(
    mysql:
        a_page_outlives_its_lab_and_nothing_runs_twice;
);

async fn a_page_outlives_its_lab_and_nothing_runs_twice(engine: TestEngine) {
    let port = HeldPort::new();
    let serve = |url: &str, folder: &Path| serve_at(&port, url, folder);
    let mut visit = Visit::of(engine, Start::Usual, serve).await;
    outlive_a_kill(&mut visit, &port).await;
    outlive_an_end(&mut visit, &port).await;
    visit.goto("/runs").await;
    assert_eq!(visit.browser.count("tbody tr").await, 2);
    visit.browser.complains_only_of("net::ERR_").await;
    visit.end().await;
}

/// Killed, the lab says nothing. Its run counts as broken off when it has been silent.
async fn outlive_a_kill(visit: &mut Visit, port: &HeldPort) {
    let killed = begin(visit).await;
    visit.served.process.kill().unwrap();
    visit.served.process.wait().unwrap();
    visit
        .browser
        .shows(".trouble", "The lab does not answer. Trying again")
        .await;
    let sent = visit.lab.account().await.transactions;
    visit.served = tokio::task::block_in_place(|| serve_at(port, &visit.url, visit.folder.path()));
    visit
        .browser
        .shows("#complaint", "The run could not go on")
        .await;
    assert_eq!(visit.browser.path().await, killed);
    visit
        .browser
        .shows("#complaint", "the service that ran it is gone")
        .await;
    assert_eq!(visit.lab.account().await.transactions, sent);
}

/// Told to end, the lab ends the run as well.
async fn outlive_an_end(visit: &mut Visit, port: &HeldPort) {
    let ended = begin(visit).await;
    terminate(&visit.served.process);
    let again = tokio::task::block_in_place(|| {
        visit.served.process.wait().unwrap();
        serve_at(port, &visit.url, visit.folder.path())
    });
    visit.served = again;
    let sent = visit.lab.account().await.transactions;
    visit
        .browser
        .shows("#complaint", "The run could not go on")
        .await;
    assert_eq!(visit.browser.path().await, ended);
    assert_eq!(visit.lab.account().await.transactions, sent);
}

fn serve_at(port: &HeldPort, url: &str, folder: &Path) -> Served {
    let mut served = Served::start_at(port.address(), url, folder, &FEW);
    served.keep_reading();
    served
}

/// A run that lasts, of which the page has seen a few answers. Returns its path.
async fn begin(visit: &Visit) -> String {
    let fields = [
        ("strategy", "row_locking_atomic_long_delay"),
        ("delay_ms", "0"),
        ("requests", "60"),
        ("pace", "wait"),
        ("wait_ms", "400"),
    ];
    let path = visit.send("/runs", &fields).await;
    visit.goto(&path).await;
    visit
        .browser
        .until("document.getElementById('progress').value >= 2")
        .await;
    path
}
