//! A lab with a browser that visits it.

use std::path::Path;

use fantoccini::Locator;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::Value;
use tempfile::TempDir;

use super::driver::PATIENCE;
use super::{Browser, Driver, Start};
use crate::support::process::{Served, racy, terminate};
use crate::support::{Lab, TestEngine, open_folder, until_within};

pub(super) const PASSWORD: &str = "a grain of salt";

/// Few connections, because the tests share their private server's. Enough for a race.
pub(super) const FEW: [&str; 2] = ["--db-connections", "12"];

/// A lab in a process of its own, and a browser.
pub(super) struct Visit {
    pub(super) lab: Lab,
    pub(super) url: String,
    pub(super) folder: TempDir,
    pub(super) served: Served,
    pub(super) browser: Browser,
    pub(super) client: Client,
    _driver: Driver,
}

impl Visit {
    pub(super) async fn to(engine: TestEngine) -> Self {
        Self::with(engine, Start::Usual).await
    }

    pub(super) async fn with(engine: TestEngine, start: Start) -> Self {
        Self::of(engine, start, |url, folder| {
            let mut served = Served::start(url, folder, &FEW);
            served.keep_reading();
            served
        })
        .await
    }

    /// A visit to a lab that is started in this way.
    pub(super) async fn of(
        engine: TestEngine,
        start: Start,
        serve: impl FnOnce(&str, &Path) -> Served,
    ) -> Self {
        let lab = engine.lab().await;
        let url = lab.url(engine);
        let folder = open_folder();
        let (served, driver) =
            tokio::task::block_in_place(|| (serve(&url, folder.path()), Driver::start()));
        let browser = driver.browser(start).await;
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self {
            lab,
            url,
            folder,
            served,
            browser,
            client,
            _driver: driver,
        }
    }

    /// The address of a path of the lab.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.served.base_url)
    }

    pub(super) async fn goto(&self, path: &str) {
        self.browser.goto(&self.at(path)).await;
    }

    /// Opens a page, and waits until its picture is drawn.
    pub(super) async fn picture(&self, path: &str) {
        self.goto(path).await;
        self.browser
            .until("document.querySelector('#picture:not([hidden])')")
            .await;
    }

    pub(super) async fn get(&self, path: &str) -> Response {
        self.client.get(self.at(path)).send().await.unwrap()
    }

    pub(super) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    /// Sends a form, and returns the path that it leads to.
    pub(super) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.post(path, fields).await;
        assert_eq!(answer.status(), 303, "{path}");
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.client
            .post(self.at(path))
            .form(fields)
            .send()
            .await
            .unwrap()
    }

    /// Makes a run or an exploration from this form, and waits for its end. Returns its path.
    pub(super) async fn made(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let path = self.send(path, fields).await;
        until_within(PATIENCE, &format!("{path} has ended"), || async {
            !self
                .get(&path)
                .await
                .text()
                .await
                .unwrap()
                .contains("id=\"live\"")
        })
        .await;
        path
    }

    /// The path of a run that has lost deposits.
    pub(super) async fn a_lossy_run(&self) -> String {
        let fields = [("strategy", "non_atomic_long_delay"), ("predicted", "1000")];
        let path = self.made("/runs", &fields).await;
        let record = self.json(&format!("{path}.json")).await;
        assert_eq!(record["verdict"]["kind"], "anomaly", "{record}");
        path
    }

    /// Makes the keeper's user, and signs in with the browser.
    pub(super) async fn sign_in(&self) {
        make_user(&self.url, self.folder.path()).await;
        sign_in(&self.browser, &self.served.base_url).await;
    }

    /// Ends all of it. The lab must end as it should.
    pub(super) async fn end(self) {
        assert_eq!(self.browser.complaints().await, [""; 0]);
        self.browser.close().await;
        terminate(&self.served.process);
        let (status, said) = tokio::task::block_in_place(|| self.served.wait());
        assert!(status.success(), "{said}");
    }
}

/// Makes the user of the keeper's pages.
pub(super) async fn make_user(url: &str, folder: &Path) {
    let mut make = racy(&["createsuperuser", "--username", "ada"]);
    make.args(["--database-url", url]);
    make.env("RACY_DATA_DIR", folder);
    make.env("RACY_SUPERUSER_PASSWORD", PASSWORD);
    let made = tokio::task::spawn_blocking(move || make.status().unwrap());
    assert!(made.await.unwrap().success());
}

/// Signs in, and comes to the accounts.
pub(super) async fn sign_in(browser: &Browser, base_url: &str) {
    browser.goto(&format!("{base_url}/admin/login")).await;
    browser.fill("Username", "ada").await;
    browser.fill("Password", PASSWORD).await;
    browser.press("Sign in").await;
    browser.shows("h1", "Accounts").await;
    browser.find(Locator::XPath("//button[.='Sign out']")).await;
}
