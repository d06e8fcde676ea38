//! Several tabs at once, forms that are sent twice, and updates that are missed.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Visit;
use crate::support::{TestEngine, until};

on_engines!(
    mysql:
        two_tabs_watch_one_run_and_one_stops_it,
        a_form_that_is_sent_twice_makes_one_run,
        a_visitor_who_was_away_learns_what_was_missed;
);

/// A run that lasts until it is stopped.
const LONG: [(&str, &str); 5] = [
    ("strategy", "row_locking_atomic_long_delay"),
    ("delay_ms", "0"),
    ("requests", "300"),
    ("pace", "wait"),
    ("wait_ms", "200"),
];

async fn two_tabs_watch_one_run_and_one_stops_it(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    let browser = &visit.browser;
    let path = visit.send("/runs", &LONG).await;
    visit.goto(&path).await;
    browser
        .until("document.getElementById('progress').value >= 1")
        .await;
    let first = browser.client.window().await.unwrap();
    let second = browser.client.new_window(true).await.unwrap().handle;
    browser.client.switch_to_window(second).await.unwrap();
    visit.goto(&path).await;
    browser
        .until("document.getElementById('progress').value >= 1")
        .await;

    assert_another_run_is_refused(&visit).await;
    visit.goto(&path).await;

    browser.press("Stop").await;
    browser
        .shows("main", "A visitor has stopped this run.")
        .await;
    browser
        .until("document.querySelector('#picture:not([hidden]) g.lane')")
        .await;
    let ended = browser.text("main").await;
    browser.client.switch_to_window(first).await.unwrap();
    browser
        .shows("main", "A visitor has stopped this run.")
        .await;
    browser
        .until("document.querySelector('#picture:not([hidden]) g.lane')")
        .await;
    assert_eq!(browser.text("main").await, ended);

    assert_nothing_ran_after_the_stop(&visit, &path).await;
    // The refusal is the browser's only complaint.
    visit.browser.complains_only_of("429").await;
    visit.end().await;
}

/// In words, and by the status for programs.
async fn assert_another_run_is_refused(visit: &Visit) {
    let browser = &visit.browser;
    let refused = visit.post("/runs", &LONG).await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    visit.goto("/runs").await;
    browser.press("Start the run").await;
    browser
        .shows("#complaint", "each address may have one at a time")
        .await;
}

async fn assert_nothing_ran_after_the_stop(visit: &Visit, path: &str) {
    let record = visit.json(&format!("{path}.json")).await;
    let lanes = record["lanes"].as_array().unwrap();
    let applied = lanes.iter().filter(|it| it["outcome"] == "applied").count();
    assert!(applied < 400, "{applied}");
    // A few were under way and got no answer. Nothing else has reached the account.
    let transactions = usize::try_from(visit.lab.account().await.transactions).unwrap();
    assert!(
        (applied..=lanes.len()).contains(&transactions),
        "{transactions}: {applied}"
    );
}

async fn a_form_that_is_sent_twice_makes_one_run(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    let browser = &visit.browser;
    visit.goto("/runs?requests=2&delay_ms=0").await;
    let twice =
        "const it = document.querySelector('.form button.primary'); it.click(); it.click();";
    browser.run(twice, &[]).await;
    browser.shows(".verdict h2", "").await;
    let path = browser.path().await;

    assert_eq!(visit.lab.account().await.transactions, 2);

    // A visitor who goes back to the form and presses the button wants another run.
    browser.client.back().await.unwrap();
    browser.press("Start the run").await;
    until("another run is shown", || async {
        let now = browser.path().await;
        now.starts_with("/runs/") && now != path
    })
    .await;
    browser.shows(".verdict h2", "").await;
    assert_eq!(visit.lab.account().await.transactions, 4);
    visit.goto("/runs").await;
    assert_eq!(browser.count("tbody tr").await, 2);
    visit.end().await;
}

async fn a_visitor_who_was_away_learns_what_was_missed(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    let browser = &visit.browser;
    let wire = Wire::to(visit.served.base_url.strip_prefix("http://").unwrap()).await;
    let path = visit.send("/runs", &LONG).await;
    browser
        .goto(&format!("http://{}{path}", wire.address))
        .await;
    browser
        .until("document.getElementById('progress').value >= 1")
        .await;
    wire.is_cut.send(true).unwrap();
    browser
        .shows(".trouble", "The lab does not answer. Trying again")
        .await;
    let seen = browser
        .run("return document.getElementById('progress').value", &[])
        .await;
    let seen = seen.as_u64().unwrap();
    // More than are kept for a visitor who comes back.
    until_transactions(&visit, seen + 80).await;
    wire.is_cut.send(false).unwrap();
    browser
        .shows(".live", "updates were missed. The figures are right again.")
        .await;
    browser
        .until("document.querySelector('.trouble').hidden")
        .await;
    browser
        .until(&format!(
            "document.getElementById('progress').value > {seen} + 80"
        ))
        .await;
    browser.press("Stop").await;
    browser
        .shows("main", "A visitor has stopped this run.")
        .await;
    visit.browser.complains_only_of("net::ERR_").await;
    visit.end().await;
}

async fn until_transactions(visit: &Visit, number: u64) {
    until("the run is far ahead", || async {
        let account = visit.lab.account().await;
        u64::try_from(account.transactions).unwrap() > number
    })
    .await;
}

/// A way to the lab that a test can cut.
struct Wire {
    address: SocketAddr,
    is_cut: watch::Sender<bool>,
}

impl Wire {
    async fn to(lab: &str) -> Self {
        let lab = lab.to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (is_cut, cut) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if *cut.borrow() {
                    continue;
                }
                let mut server = TcpStream::connect(&lab).await.unwrap();
                let mut cut = cut.clone();
                tokio::spawn(async move {
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = cut.wait_for(|it| *it) => {}
                    }
                });
            }
        });
        Self { address, is_cut }
    }
}
