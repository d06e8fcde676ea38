//! Chromium's driver, and what a person does with a page.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::wd::Capabilities;
use fantoccini::{ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::support::process::mortal;
use crate::support::until_within;

/// How long a page may take. Several browsers share two processors.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// How a browser is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// As it comes.
    Usual,
    /// With scripts forbidden, as a careful visitor's browser is set.
    WithoutScripts,
}

/// Chromium's driver, on a port of its own choice.
pub(super) struct Driver {
    process: Child,
    url: String,
}

impl Driver {
    /// The driver takes a free port of IPv4 and then wants the same one of IPv6. If another program
    /// has that, the driver ends, and another one is started.
    pub(super) fn start() -> Self {
        const TRIES: u32 = 5;
        (0..TRIES)
            .find_map(|_| Self::try_start())
            .expect("chromedriver ends before it says its port")
    }

    fn try_start() -> Option<Self> {
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
        // Without a port it is dropped, which waits for its end.
        let mut driver = Self {
            process,
            url: String::new(),
        };
        driver.url = format!("http://127.0.0.1:{}", port?);
        Some(driver)
    }

    pub(super) async fn browser(&self, start: Start) -> Browser {
        let mut capabilities = Capabilities::new();
        // Without a sandbox, because containers and root have none to give; and at the end of a
        // pipe, so that no browser outlives its driver.
        let mut options = json!({ "args": [
            "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--remote-debugging-pipe",
            "--window-size=1280,900",
        ] });
        if start == Start::WithoutScripts {
            let forbidden = "profile.managed_default_content_settings.javascript";
            options["prefs"] = json!({ forbidden: 2 });
        }
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&self.url).await;
        let client = client.unwrap();
        let session = client.session_id().await.unwrap().unwrap();
        let session = format!("{}/session/{session}", self.url);
        Browser { client, session }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What a person does with a page, and what a test asks of it.
pub(super) struct Browser {
    pub(super) client: fantoccini::Client,
    /// The session's address at the driver, for what only Chromium has.
    session: String,
}

impl Browser {
    pub(super) async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    pub(super) async fn path(&self) -> String {
        self.client.current_url().await.unwrap().path().to_owned()
    }

    pub(super) async fn text(&self, css: &str) -> String {
        self.find(Locator::Css(css)).await.text().await.unwrap()
    }

    pub(super) async fn find(&self, what: Locator<'_>) -> Element {
        self.client.wait().for_element(what).await.unwrap()
    }

    pub(super) async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.unwrap().len()
    }

    /// Waits until the page shows this, as a person does who has pressed a button. While the next
    /// page loads, every look may fail; a page that never comes is a failure, not a hang.
    pub(super) async fn shows(&self, css: &str, words: &str) {
        until_within(PATIENCE, &format!("{css} shows {words:?}"), || async {
            match self.client.find(Locator::Css(css)).await {
                Ok(element) => element.text().await.is_ok_and(|text| text.contains(words)),
                Err(_not_yet) => false,
            }
        })
        .await;
    }

    /// Types into the field with this label.
    pub(super) async fn fill(&self, label: &str, text: &str) {
        let labelled = format!(
            "//*[self::input or self::textarea][@id=//label[normalize-space()=\"{label}\"]/@for]"
        );
        let field = self.find(Locator::XPath(&labelled)).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Chooses in the field with this label.
    pub(super) async fn choose(&self, label: &str, value: &str) {
        let labelled = format!("//select[@id=//label[normalize-space()=\"{label}\"]/@for]");
        let field = self.find(Locator::XPath(&labelled)).await;
        field.select_by_value(value).await.unwrap();
    }

    /// Presses the button with these words. Only the next page itself shows when it is there.
    pub(super) async fn press(&self, words: &str) {
        let button = format!("//button[normalize-space()=\"{words}\"]");
        self.find(Locator::XPath(&button))
            .await
            .click()
            .await
            .unwrap();
    }

    /// Clicks on what this selects.
    pub(super) async fn click(&self, css: &str) {
        self.find(Locator::Css(css)).await.click().await.unwrap();
    }

    /// What a script in the page returns.
    pub(super) async fn run(&self, script: &str, arguments: &[Value]) -> Value {
        let returned = self.client.execute(script, arguments.to_vec()).await;
        returned.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// What a script in the page calls back with.
    pub(super) async fn run_async(&self, script: &str, arguments: &[Value]) -> Value {
        let returned = self.client.execute_async(script, arguments.to_vec()).await;
        returned.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until an expression in the page is true.
    pub(super) async fn until(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        until_within(PATIENCE, expression, || async {
            let returned = self.client.execute(&script, Vec::new()).await;
            returned.is_ok_and(|it| it == true)
        })
        .await;
    }

    /// Presses keys one after the other, each wherever the focus is by then.
    pub(super) async fn keys(&self, keys: impl IntoIterator<Item = char>) {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in keys {
            actions = actions
                .then(KeyAction::Down { value })
                .then(KeyAction::Up { value });
        }
        self.client.perform_actions(actions).await.unwrap();
    }

    /// Sends a command of Chromium's own.
    pub(super) async fn command(&self, name: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": name, "params": parameters });
        self.ask("goog/cdp/execute", &body).await
    }

    /// What the browser has complained about since this was asked last.
    pub(super) async fn complaints(&self) -> Vec<String> {
        let log = self.ask("se/log", &json!({ "type": "browser" })).await;
        let lines = log.as_array().unwrap().iter();
        let lines = lines.filter(|it| it["level"] == "SEVERE" || it["level"] == "WARNING");
        lines.map(|it| it["message"].to_string()).collect()
    }

    /// Checks that each complaint since the last look is of this kind.
    pub(super) async fn complains_only_of(&self, words: &str) {
        let complaints = self.complaints().await;
        let are_right = complaints.iter().all(|it| it.contains(words));
        assert!(are_right, "{complaints:#?}");
    }

    async fn ask(&self, path: &str, body: &Value) -> Value {
        let request = reqwest::Client::new().post(format!("{}/{path}", self.session));
        let answer: Value = request
            .json(body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    /// Shows pages as a person sees them who has asked for light or dark ones.
    pub(super) async fn prefer(&self, scheme: &str) {
        // Without motion, so that no colour is looked at while it changes.
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.command(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
    }

    /// Makes the window this wide and high, in CSS pixels.
    pub(super) async fn resize(&self, width: u32, height: u32) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false,
        });
        self.command("Emulation.setDeviceMetricsOverride", size)
            .await;
    }

    pub(super) async fn close(self) {
        self.client.close().await.unwrap();
    }
}
