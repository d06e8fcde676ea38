//! The keeper's day in a real browser: Chromium, driven over WebDriver.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::wd::Capabilities;
use fantoccini::{ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use make_requests::{Deposits, Pace, Plan};
use serde_json::json;

use crate::support::process::{Served, mortal, racy, terminate};
use crate::support::{TestEngine, open_folder, until};

on_engines!(
    innodb:
        a_keeper_resets_what_a_burst_has_lost;
);

const PASSWORD: &str = "a grain of salt";

/// Chromium's driver, on a port of its own choice.
struct Driver {
    process: Child,
    url: String,
}

impl Driver {
    fn start() -> Self {
        let mut process = mortal("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver (Debian: chromium-driver): {error}"));
        let said = BufReader::new(process.stdout.take().unwrap());
        let port = said.lines().find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let url = format!("http://127.0.0.1:{}", port.unwrap());
        Self { process, url }
    }

    async fn browser(&self) -> Browser {
        let mut capabilities = Capabilities::new();
        // Without a sandbox, because containers and root have none to give; and at the end of a
        // pipe, so that no browser outlives its driver.
        let options = json!({ "args": [
            "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--remote-debugging-pipe",
        ] });
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&self.url).await;
        Browser(client.unwrap())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a person does with a page.
struct Browser(fantoccini::Client);

impl Browser {
    async fn goto(&self, url: &str) {
        self.0.goto(url).await.unwrap();
    }

    async fn path(&self) -> String {
        self.0.current_url().await.unwrap().path().to_owned()
    }

    async fn text(&self, css: &str) -> String {
        self.find(Locator::Css(css)).await.text().await.unwrap()
    }

    async fn find(&self, what: Locator<'_>) -> Element {
        self.0.wait().for_element(what).await.unwrap()
    }

    /// Waits until the page shows this, as a person does who has pressed a button. While the next
    /// page loads, every look may fail; a page that never comes is a failure, not a hang.
    async fn shows(&self, css: &str, words: &str) {
        until(&format!("{css} shows {words:?}"), || async {
            match self.0.find(Locator::Css(css)).await {
                Ok(element) => element.text().await.is_ok_and(|text| text.contains(words)),
                Err(_not_yet) => false,
            }
        })
        .await;
    }

    /// Types into the field with this label.
    async fn fill(&self, label: &str, text: &str) {
        let labelled = format!("//input[@id=//label[normalize-space()='{label}']/@for]");
        let field = self.find(Locator::XPath(&labelled)).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses the button with these words. Only the next page itself shows when it is there.
    async fn press(&self, words: &str) {
        let button = format!("//button[normalize-space()='{words}']");
        let button = self.find(Locator::XPath(&button)).await;
        button.click().await.unwrap();
    }
}

/// One test for the whole day, because a service, a driver and a browser are dear to start.
async fn a_keeper_resets_what_a_burst_has_lost(engine: TestEngine) {
    let folder = open_folder();
    let served = serve_with_a_user(engine, folder.path()).await;
    let driver = tokio::task::block_in_place(Driver::start);
    let browser = driver.browser().await;

    sign_in(&browser, &served.base_url).await;
    let account = open_an_account(&browser).await;
    lose_updates(&served.base_url, account).await;
    browser
        .goto(&format!("{}/admin/accounts/{account}", served.base_url))
        .await;
    assert_shows_what_is_lost(&browser).await;
    reset(&browser, account).await;
    sign_out(&browser, &served.base_url).await;

    browser.0.close().await.unwrap();
    terminate(&served.process);
    assert!(tokio::task::block_in_place(|| served.wait()).0.success());
}

async fn serve_with_a_user(engine: TestEngine, folder: &Path) -> Served {
    let url = engine.own_url(folder);
    let served = tokio::task::block_in_place(|| Served::start(&url, folder, &[]));
    let mut make = racy(&["createsuperuser", "--username", "ada"]);
    make.args(["--database-url", &url]);
    make.env("RACY_DATA_DIR", folder);
    make.env("RACY_SUPERUSER_PASSWORD", PASSWORD);
    let made = tokio::task::spawn_blocking(move || make.status().unwrap());
    assert!(made.await.unwrap().success());
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
