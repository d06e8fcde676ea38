//! What comes from outside is text: to the database, and on the pages.

use reqwest::{Method, Response};

use super::{Keeper, PASSWORD, cookie, send};
use crate::support::TestEngine;

on_engines!(
    every:
        what_looks_like_sql_is_text;
);

/// Texts that would do something if they came into a statement as they are.
const SQL: [&str; 8] = [
    "' OR '1'='1",
    "ada' -- ",
    "ada'; DROP TABLE users; --",
    "1; DELETE FROM accounts",
    "1 OR 1=1",
    "\\' OR 1=1 -- ",
    "\u{0}",
    "%27 OR 1=1",
];

async fn what_looks_like_sql_is_text(engine: TestEngine) {
    let keeper = Keeper::on(engine).await;
    let session = keeper.session().await;
    let before = keeper.everything().await;
    for text in SQL {
        assert_signs_nobody_in(&keeper, text).await;
        assert_is_no_token(&keeper, text).await;
        assert_is_no_number(&keeper, &session, text).await;
    }
    assert_eq!(keeper.everything().await, before);
    keeper.session().await;
    keeper.service.stop().await;
}

async fn assert_signs_nobody_in(keeper: &Keeper, text: &str) {
    let login = send(keeper.login(text, PASSWORD)).await;
    assert_eq!(login.status(), 401, "{text}");
    let login = send(keeper.login("grace", text)).await;
    assert_eq!(login.status(), 401, "{text}");
    // The next text is to be looked at too: this is not about the limit.
    let forget = keeper
        .lab
        .database
        .execute("DELETE FROM guesses", &[])
        .await;
    forget.unwrap();
}

async fn assert_is_no_token(keeper: &Keeper, text: &str) {
    let reset = keeper.request(Method::POST, "/accounts/1/reset");
    let changes = keeper.request(Method::GET, "/changes");
    let forged = [
        reset.header("cookie", cookie(text)),
        changes.bearer_auth(text),
    ];
    // Some of the texts cannot stand in a header at all.
    let sendable = forged.into_iter().filter_map(|it| it.build().ok());
    for request in sendable {
        let answer = keeper.client.execute(request).await.unwrap();
        assert_eq!(answer.status(), 401, "{text}");
    }
}

async fn assert_is_no_number(keeper: &Keeper, session: &str, text: &str) {
    let encoded = encoded(text);
    for path in [
        format!("/admin/accounts/{encoded}/reset"),
        format!("/admin/accounts/1/transactions/{encoded}/delete"),
    ] {
        let response = keeper.post(&path, session).await;
        assert_eq!(response.status(), 400, "{path}");
    }
    for path in [
        format!("/admin?after={encoded}"),
        format!("/admin?limit={encoded}"),
        format!("/admin/changes?before={encoded}"),
        format!("/admin/accounts/{encoded}"),
    ] {
        let response = keeper.get(&path, session).await;
        assert_eq!(response.status(), 400, "{path}");
    }
    let open = keeper.request(Method::POST, "/accounts");
    let open = open.header("cookie", cookie(session));
    let open = send(open.form(&[("opening_balance", text)])).await;
    assert_eq!(open.status(), 400, "{text}");
}

/// A text as it stands in a URL.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn nothing_else_is_below_the_keepers_pages() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    let session = keeper.session().await;
    for (path, status) in [("/admin/nope", 404), ("/admin/logout", 405)] {
        let response = keeper.get(path, &session).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(
            response.headers()["content-type"],
            "text/html; charset=utf-8"
        );
    }
    let accounts = keeper.get("/admin/accounts", &session).await;
    assert_eq!(accounts.headers()["location"], "/admin");
    keeper.service.stop().await;
}

const SCRIPT: &str = "\"'><script>alert(1)</script>";

#[tokio::test]
async fn what_is_stored_is_shown_and_not_run() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    let session = keeper.session().await;
    // No such name can be given by a command or a page.
    let database = &keeper.lab.database;
    let rename = "UPDATE users SET username = ? WHERE username = ?";
    let renamed = database
        .execute(rename, &[SCRIPT.into(), "ada".into()])
        .await;
    assert_eq!(renamed.unwrap(), 1);
    let insert = "INSERT INTO changes (username, at, account_id, what) VALUES (?, ?, ?, ?)";
    let values = [SCRIPT.into(), 0.into(), 1.into(), SCRIPT.into()];
    database.insert(insert, &values).await.unwrap();

    for path in ["/admin", "/admin/accounts/1", "/admin/changes"] {
        let page = keeper.get(path, &session).await;
        assert!(shows_the_script(page, path).await, "{path}");
    }
    keeper.service.stop().await;
}

#[tokio::test]
async fn what_stands_in_a_url_or_a_form_is_shown_and_not_run() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    let session = keeper.session().await;
    let script = encoded(SCRIPT);
    let mut pages = Vec::new();
    for path in [
        format!("/admin?done={script}"),
        format!("/admin?after={script}"),
        format!("/admin/accounts/{script}"),
        format!("/admin/accounts/1?limit={script}"),
        format!("/admin/changes?before={script}"),
        format!("/admin/login?next=/admin/{script}"),
    ] {
        pages.push((keeper.get(&path, &session).await, path));
    }
    for path in [
        format!("/admin/accounts/{script}/reset"),
        format!("/admin/accounts/1/transactions/{script}/delete"),
    ] {
        pages.push((keeper.post(&path, &session).await, path));
    }
    let open = keeper.request(Method::POST, "/admin/accounts");
    let open = open.header("cookie", cookie(&session));
    let open = send(open.form(&[("opening_balance", SCRIPT)])).await;
    pages.push((open, "the opening balance".to_owned()));
    let login = send(keeper.login(SCRIPT, SCRIPT)).await;
    pages.push((login, "the login".to_owned()));

    let mut shown = 0;
    for (page, what) in pages {
        shown += usize::from(shows_the_script(page, &what).await);
    }
    assert!(shown >= 9, "it was to be shown, and was only {shown} times");
    keeper.service.stop().await;
}

/// Checks that a page runs no script, and says whether it shows its text.
async fn shows_the_script(response: Response, what: &str) -> bool {
    let headers = response.headers();
    assert_eq!(
        headers["content-type"], "text/html; charset=utf-8",
        "{what}"
    );
    assert_eq!(headers["cache-control"], "no-store", "{what}");
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'"), "{what}: {policy}");
    assert!(
        policy.contains("frame-ancestors 'none'"),
        "{what}: {policy}"
    );
    let page = response.text().await.unwrap();
    assert!(!page.contains("<script"), "{what}: {page}");
    assert!(!page.contains("\"'>"), "{what}: {page}");
    page.contains("&lt;script&gt;")
}
