//! The console's pages without a browser: each is complete, and everything from visitors is text.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_SECURITY_POLICY, HeaderMap, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

use crate::support::service::RunningService;
use crate::support::{Lab, TestEngine, until};

on_engines!(
    mysql:
        every_link_leads_to_a_page_that_is_complete,
        a_run_is_shown_without_scripts,
        two_runs_are_compared;
    sqlite:
        every_link_leads_to_a_page_that_is_complete,
        a_run_is_shown_without_scripts,
        two_runs_are_compared,
        markup_in_every_field_is_text,
        errors_are_pages_for_browsers_and_json_for_programs,
        a_report_from_elsewhere_is_shown_and_not_stored,
        an_asset_that_the_browser_has_is_not_sent_again;
);

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' data:; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

const MARKUP: &str = "<img src=x>\"'";

/// The service, and a client that asks as a browser does.
pub(super) struct Console {
    _lab: Lab,
    pub(super) service: RunningService,
    pub(super) client: Client,
}

impl Console {
    pub(super) async fn on(engine: TestEngine) -> Self {
        let lab = engine.lab().await;
        let service = RunningService::start(&lab.database).await;
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self {
            _lab: lab,
            service,
            client,
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.service.address)
    }

    async fn get(&self, path: &str) -> Response {
        let request = self.client.get(self.url(path)).header(ACCEPT, "text/html");
        request.send().await.unwrap()
    }

    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    }

    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let request = self.client.post(self.url(path)).form(fields);
        request.header(ACCEPT, "text/html").send().await.unwrap()
    }

    /// Starts something, and returns where its page is.
    pub(super) async fn started(&self, path: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.post(path, fields).await;
        assert_eq!(answer.status(), 303, "{path}");
        answer.headers()[LOCATION].to_str().unwrap().to_owned()
    }

    /// The page of what was started, when it is over.
    async fn ended(&self, path: &str) -> String {
        until("it is over", || async {
            let page = self.page(path).await;
            !page.contains("http-equiv=\"refresh\"")
        })
        .await;
        self.page(path).await
    }

    async fn run(&self) -> String {
        let fields = [
            ("strategy", "non_atomic_long_delay"),
            ("requests", "3"),
            ("delay_ms", "20"),
            ("predicted", "300"),
        ];
        self.started("/runs", &fields).await
    }
}

/// What follows each of these texts, up to a quotation mark.
pub(super) fn values<'p>(page: &'p str, attribute: &str) -> Vec<&'p str> {
    let start = format!(" {attribute}=\"");
    let parts = page.split(start.as_str()).skip(1);
    parts.filter_map(|part| part.split('"').next()).collect()
}

/// The pages that a page links to, and the fragments within it.
fn links(page: &str) -> Vec<String> {
    let links = values(page, "href").into_iter();
    links.map(|it| it.replace("&amp;", "&")).collect()
}

pub(super) fn assert_is_complete(path: &str, headers: &HeaderMap, page: &str) {
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    let is_the_keepers = path.starts_with("/admin");
    assert!(policy == POLICY || is_the_keepers, "{path}: {policy}");
    assert_eq!(page.matches("<h1>").count(), 1, "{path}: one headline");
    assert!(page.contains(r#"name="viewport" content="width=device-width"#));
    assert!(page.contains("<a class=\"skip\" href=\"#main\">"), "{path}");
    assert!(
        page.matches("aria-current=\"page\"").count() >= 1 || path == "/",
        "{path}"
    );
    assert!(
        !page.contains(" style=\""),
        "{path}: the policy allows no such style"
    );
    let ids = values(page, "id");
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), different.len(), "{path}: an id is there twice");
    assert_fields_have_labels(path, page);
}

fn assert_fields_have_labels(path: &str, page: &str) {
    let labelled: BTreeSet<_> = values(page, "for").into_iter().collect();
    for kind in ["<input", "<select", "<textarea"] {
        for field in page.split(kind).skip(1) {
            let field = field.split('>').next().unwrap();
            let is_within_its_label = field.contains("\"radio\"") || field.contains("\"checkbox\"");
            if field.contains("type=\"hidden\"") || is_within_its_label {
                continue;
            }
            let id = values(field, "id");
            let has_label = id.first().is_some_and(|id| labelled.contains(id));
            assert!(has_label, "{path}: {kind}{field} has no label");
        }
    }
}

/// How many pages of a kind are visited: those of the matrix are many.
const MOST_OF_A_KIND: usize = 12;

async fn every_link_leads_to_a_page_that_is_complete(engine: TestEngine) {
    let console = Console::on(engine).await;
    let run = console.run().await;
    console.ended(&run).await;
    let mut next = VecDeque::from(["/".to_owned(), run]);
    let mut seen = BTreeSet::new();
    let mut kinds = BTreeMap::new();
    while let Some(path) = next.pop_front() {
        let kind = path.split(['/', '?']).nth(1).unwrap_or_default().to_owned();
        let visited: &mut usize = kinds.entry(kind).or_default();
        if *visited >= MOST_OF_A_KIND || !seen.insert(path.clone()) {
            continue;
        }
        *visited += 1;
        next.extend(visit(&console, &path).await);
    }
    for place in [
        "runs",
        "explore",
        "matrix",
        "why",
        "scenarios",
        "compare",
        "open",
        "docs",
    ] {
        assert!(
            kinds.contains_key(place),
            "nothing leads to {place}: {kinds:?}"
        );
    }
    console.service.stop().await;
}

/// Looks at what a link leads to, and returns where it leads on.
async fn visit(console: &Console, path: &str) -> Vec<String> {
    let answer = console.get(path).await;
    let status = answer.status();
    // The keeper's pages lead to the login.
    if path.starts_with("/admin") && status == 303 {
        return Vec::new();
    }
    assert!(
        status.is_success() || status.is_redirection(),
        "{path}: {status}"
    );
    let headers = answer.headers().clone();
    let is_page = headers
        .get("content-type")
        .is_some_and(|it| it == "text/html; charset=utf-8");
    let is_kept = headers.contains_key("content-disposition");
    if !is_page || is_kept || path.starts_with("/docs") {
        return Vec::new();
    }
    let page = answer.text().await.unwrap();
    assert_is_complete(path, &headers, &page);
    let links = links(&page).into_iter();
    links.filter(|it| it.starts_with('/')).collect()
}

async fn a_run_is_shown_without_scripts(engine: TestEngine) {
    let console = Console::on(engine).await;
    let path = console.run().await;
    let page = console.ended(&path).await;
    assert!(page.contains("deposits lost</h2>"), "{page}");
    assert!(page.contains("You predicted <b>300</b>"));
    assert!(page.contains(r#"<div id="picture" data-kind="run" hidden>"#));
    let record: serde_json::Value = console
        .get(&format!("{path}.json"))
        .await
        .json()
        .await
        .unwrap();
    for (lane, it) in record["lanes"].as_array().unwrap().iter().enumerate() {
        let steps = it["steps"].as_array().unwrap();
        for (step, it) in steps.iter().enumerate() {
            let row = format!(r#"<tr id="s-{lane}-{step}" data-lane="{lane}" data-step="{step}">"#);
            let (_, rest) = page.split_once(&row).expect("every step has a row");
            let row = rest.split("</tr>").next().unwrap();
            assert!(row.contains(it["label"].as_str().unwrap()), "{row}");
        }
    }
    let file = console.get(&format!("{path}.html")).await;
    let disposition = &file.headers()["content-disposition"];
    assert!(disposition.to_str().unwrap().starts_with("attachment"));
    let file = file.text().await.unwrap();
    assert!(file.contains("<table id=\"steps\">") && !file.contains("src=\"/"));
    console.service.stop().await;
}

async fn two_runs_are_compared(engine: TestEngine) {
    let console = Console::on(engine).await;
    let fields = [
        ("first", "non_atomic_long_delay"),
        ("second", "row_locking_atomic_long_delay"),
        ("requests", "3"),
        ("delay_ms", "20"),
    ];
    let path = console.started("/compare", &fields).await;
    let page = tokio::time::timeout(Duration::from_secs(60), console.ended(&path))
        .await
        .unwrap();
    assert!(
        page.contains(r#"<div id="picture" data-kind="compare" hidden>"#),
        "{page}"
    );
    assert!(page.contains(r#"<tr id="a-s-0-0""#) && page.contains(r#"<tr id="b-s-0-0""#));
    assert!(page.contains("<th scope=\"row\">Missing</th>"));
    console.service.stop().await;
}

async fn markup_in_every_field_is_text(engine: TestEngine) {
    let console = Console::on(engine).await;
    let encoded = "%3Cimg%20src%3Dx%3E%22%27";
    for query in [
        "/runs?strategy=M&isolation=M&reveal=M",
        "/explore?strategy=M",
        "/matrix?engine=M&level=M&exhibit=M&verdict=M",
        "/compare?first=M&second=M",
        "/compare?a=M&b=M",
        "/runs/M",
        "/runs?requests=M",
        "/explorations/M",
        "/why/M",
        "/scenarios/M",
        "/matrix/M/M/M",
        "/accounts.html?after=M",
        "/M",
    ] {
        let path = query.replace('M', encoded);
        let page = console.get(&path).await.text().await.unwrap();
        assert!(!page.contains("<img"), "{path}: {page}");
        assert!(page.contains("<h1>"), "{path}: {page}");
    }
    for (path, name) in [
        ("/runs", "strategy"),
        ("/runs", "token"),
        ("/compare", "first"),
        ("/explore", "strategy"),
        ("/open", "report"),
    ] {
        let answer = console.post(path, &[(name, MARKUP)]).await;
        assert_eq!(answer.status(), 400, "{path}");
        let page = answer.text().await.unwrap();
        assert!(
            !page.contains("<img") && page.contains("<h1>"),
            "{path}: {page}"
        );
    }
    console.service.stop().await;
}

async fn errors_are_pages_for_browsers_and_json_for_programs(engine: TestEngine) {
    let console = Console::on(engine).await;
    for path in ["/nowhere", "/runs/nowhere", "/why/nowhere", "/matrix/a/b/c"] {
        let answer = console.get(path).await;
        assert_eq!(answer.status(), 404, "{path}");
        let page = answer.text().await.unwrap();
        assert!(
            page.contains("role=\"alert\"") && page.contains("<h1>"),
            "{path}: {page}"
        );
        let program = console.client.get(console.url(path));
        let answer = program.header(ACCEPT, "application/json").send().await;
        let problem: serde_json::Value = answer.unwrap().json().await.unwrap();
        assert_eq!(problem["status"], 404, "{path}");
    }
    for path in ["/scenarios/%ff", "/matrix/%ff/a/b", "/why/%ff", "/runs/%ff"] {
        let answer = console.get(path).await;
        assert_eq!(answer.status(), 400, "{path}");
        let page = answer.text().await.unwrap();
        assert!(page.contains("role=\"alert\"") && page.contains("<h1>"));
    }
    console.service.stop().await;
}

async fn a_report_from_elsewhere_is_shown_and_not_stored(engine: TestEngine) {
    let console = Console::on(engine).await;
    let matrix = console
        .page("/matrix?exhibit=deposits&verdict=anomaly")
        .await;
    let links = links(&matrix).into_iter();
    let mut cells = links.filter(|it| it.starts_with("/matrix/"));
    let cell = cells.next().expect("the matrix has a cell that goes wrong");
    let report = console.page(&format!("{cell}.json")).await;
    let answer = console.post("/open", &[("report", &report)]).await;
    assert_eq!(answer.status(), 200);
    let page = answer.text().await.unwrap();
    assert!(page.contains(r#"<div id="picture" data-kind="schedule" hidden>"#));
    assert!(page.contains("not stored here"));
    let broken = console
        .post("/open", &[("report", "{\"version\": 1")])
        .await;
    assert_eq!(broken.status(), 400);
    let page = broken.text().await.unwrap();
    assert!(
        page.contains("It cannot be read") && page.contains("line 1"),
        "{page}"
    );
    assert!(
        console
            .page("/explore")
            .await
            .contains("no explorations yet")
    );
    console.service.stop().await;
}

async fn an_asset_that_the_browser_has_is_not_sent_again(engine: TestEngine) {
    let console = Console::on(engine).await;
    for (path, media_type) in [
        ("/racy.css", "text/css; charset=utf-8"),
        ("/console.js", "text/javascript; charset=utf-8"),
    ] {
        let answer = console.get(path).await;
        assert_eq!(answer.headers()["content-type"], media_type);
        assert_eq!(answer.headers()["cache-control"], "no-cache");
        let tag = answer.headers()["etag"].clone();
        let again = console.client.get(console.url(path));
        let again = again.header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
        assert!(again.text().await.unwrap().is_empty());
    }
    console.service.stop().await;
}
