//! The keeper's day: what a burst has lost is seen, and reset.

use std::path::Path;
use std::time::Duration;

use make_requests::{Deposits, Pace, Plan};

use super::{Browser, Driver, PASSWORD, Start, make_user};
use crate::support::process::{Served, terminate};
use crate::support::{TestEngine, open_folder};

on_engines!(
    innodb:
        a_keeper_resets_what_a_burst_has_lost;
);

/// One test for the whole day, because a service, a driver and a browser are dear to start.
async fn a_keeper_resets_what_a_burst_has_lost(engine: TestEngine) {
    let folder = open_folder();
    let served = serve_with_a_user(engine, folder.path()).await;
    let driver = tokio::task::block_in_place(Driver::start);
    let browser = driver.browser(Start::Usual).await;

    sign_in(&browser, &served.base_url).await;
    let account = open_an_account(&browser).await;
    lose_updates(&served.base_url, account).await;
    browser
        .goto(&format!("{}/admin/accounts/{account}", served.base_url))
        .await;
    assert_shows_what_is_lost(&browser).await;
    reset(&browser, account).await;
    sign_out(&browser, &served.base_url).await;

    browser.close().await;
    terminate(&served.process);
    assert!(tokio::task::block_in_place(|| served.wait()).0.success());
}

async fn serve_with_a_user(engine: TestEngine, folder: &Path) -> Served {
    let url = engine.own_url(folder);
    let served = tokio::task::block_in_place(|| Served::start(&url, folder, &[]));
    make_user(&url, folder).await;
    served
}

/// The browser is led to the login, and from there to the page that was asked for.
async fn sign_in(browser: &Browser, base_url: &str) {
    browser.goto(&format!("{base_url}/admin")).await;
    browser.shows("h1", "Sign in").await;
    browser.fill("Username", "ada").await;
    browser.fill("Password", "a grain of sand").await;
    browser.press("Sign in").await;
    let complaint = "no such user with that password";
    browser.shows("[role=alert]", complaint).await;
    browser.fill("Password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.shows("h1", "Accounts").await;
    assert_eq!(browser.path().await, "/admin");
}

async fn open_an_account(browser: &Browser) -> i64 {
    browser.fill("Opening balance", "0").await;
    browser.press("Open an account").await;
    browser.shows("[role=status]", "The account is open.").await;
    assert_eq!(browser.text("#balance").await, "0");
    let heading = browser.text("h1").await;
    heading.strip_prefix("Account ").unwrap().parse().unwrap()
}

/// Ten deposits of 100 at the same time.
async fn lose_updates(base_url: &str, account: i64) {
    let plan = Plan {
        base_url: base_url.parse().unwrap(),
        target: Deposits {
            strategy: "non_atomic_long_delay".parse().unwrap(),
            account,
            amount: "100".parse().unwrap(),
            retry_timeouts: false,
            idempotency: false,
        }
        .into(),
        requests: "10".parse().unwrap(),
        pace: Pace::Together,
        timeout: Duration::from_secs(60),
    };
    let report = make_requests::run(&plan, |_| {}).await.unwrap();
    assert_eq!(report.verdict().name(), "lost_update");
}

async fn assert_shows_what_is_lost(browser: &Browser) {
    assert_eq!(browser.text("#expected").await, "1000");
    let lost: i64 = browser.text("#lost .lost").await.parse().unwrap();
    let balance: i64 = browser.text("#balance").await.parse().unwrap();
    assert!(lost > 0);
    assert_eq!(balance + lost, 1000);
}

async fn reset(browser: &Browser, account: i64) {
    browser.press(&format!("Reset account {account}")).await;
    let done = "back at its opening balance";
    browser.shows("[role=status]", done).await;
    for what in ["#balance", "#expected", "#lost"] {
        assert_eq!(browser.text(what).await, "0", "{what}");
    }
}

async fn sign_out(browser: &Browser, base_url: &str) {
    browser.press("Sign out").await;
    browser.shows("h1", "Sign in").await;
    browser.goto(&format!("{base_url}/admin/changes")).await;
    browser.shows("h1", "Sign in").await;
}
