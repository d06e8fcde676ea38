//! What comes from outside is text: to the database, and on the pages.

use reqwest::{Method, RequestBuilder, Response};

use super::{Keeper, PASSWORD, cookie, send};
use crate::support::TestEngine;

on_engines!(
    every:
        what_looks_like_sql_is_text,
    ;
    innodb:
);

async fn what_looks_like_sql_is_text(engine: TestEngine) {
    let keeper = Keeper::on(engine).await;
    let session = keeper.session().await;
    let before = keeper.everything().await;
    for text in [
        "' OR '1'='1",
        "ada' -- ",
        "ada'; DROP TABLE users; --",
        "1; DELETE FROM accounts",
        "1 OR 1=1",
        "\\' OR 1=1 -- ",
        "\u{0}",
        "%27 OR 1=1",
    ] {
        let login = send(keeper.login(text, PASSWORD)).await;
        assert_eq!(login.status(), 401, "{text}");
        let login = send(keeper.login("grace", text)).await;
        assert_eq!(login.status(), 401, "{text}");
        // A fresh start for the next ones: this is not about the limit.
        let forget = keeper
            .lab
            .database
            .execute("DELETE FROM guesses", &[])
            .await;
        forget.unwrap();

        let sendable = |request: RequestBuilder| async {
            match request.build() {
                Ok(request) => Some(keeper.client.execute(request).await.unwrap().status()),
                Err(_cannot_be_sent) => None,
            }
        };
        let forged = keeper.request(Method::POST, "/accounts/1/reset");
        let forged = sendable(forged.header("cookie", cookie(text))).await;
        assert!(
            forged.is_none_or(|status| status == 401),
            "{text}: {forged:?}"
        );
        let forged = sendable(keeper.request(Method::GET, "/changes").bearer_auth(text)).await;
        assert!(
            forged.is_none_or(|status| status == 401),
            "{text}: {forged:?}"
        );

        let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for path in [
            format!("/admin/accounts/{encoded}/reset"),
            format!("/admin/accounts/1/transactions/{encoded}/delete"),
        ] {
            let response = keeper.post(&path, &session).await;
            assert_eq!(response.status(), 400, "{path}");
        }
        for path in [
            format!("/admin?after={encoded}"),
            format!("/admin?limit={encoded}"),
            format!("/admin/changes?before={encoded}"),
            format!("/admin/accounts/{encoded}"),
        ] {
            let response = keeper.get(&path, &session).await;
            assert_eq!(response.status(), 400, "{path}");
        }
        let open = keeper.request(Method::POST, "/accounts");
        let open = open.header("cookie", cookie(&session));
        let open = send(open.form(&[("opening_balance", text)])).await;
        assert_eq!(open.status(), 400, "{text}");
    }
    assert_eq!(keeper.everything().await, before);
    keeper.session().await;
    keeper.service.stop().await;
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
async fn what_comes_from_outside_is_shown_and_not_run() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    let session = keeper.session().await;
    // No such name gets in by the front door.
    let database = &keeper.lab.database;
    let rename = "UPDATE users SET username = ? WHERE username = ?";
    let renamed = database
        .execute(rename, &[SCRIPT.into(), "ada".into()])
        .await;
    assert_eq!(renamed.unwrap(), 1);
    let insert = "INSERT INTO changes (username, at, account_id, what) VALUES (?, ?, ?, ?)";
    let values = [SCRIPT.into(), 0.into(), 1.into(), SCRIPT.into()];
    database.insert(insert, &values).await.unwrap();

    let encoded: String = SCRIPT.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let mut shown = 0;
    for path in [
        "/admin".to_owned(),
        "/admin/accounts/1".to_owned(),
        "/admin/changes".to_owned(),
        format!("/admin?done={encoded}"),
        format!("/admin?after={encoded}"),
        format!("/admin/accounts/{encoded}"),
        format!("/admin/accounts/1?limit={encoded}"),
        format!("/admin/changes?before={encoded}"),
        format!("/admin/login?next=/admin/{encoded}"),
    ] {
        shown += assert_harmless(keeper.get(&path, &session).await, &path).await;
    }
    let open = keeper.request(Method::POST, "/admin/accounts");
    let open = open.header("cookie", cookie(&session));
    let open = send(open.form(&[("opening_balance", SCRIPT)])).await;
    shown += assert_harmless(open, "the opening balance").await;
    for path in [
        format!("/admin/accounts/{encoded}/reset"),
        format!("/admin/accounts/1/transactions/{encoded}/delete"),
    ] {
        shown += assert_harmless(keeper.post(&path, &session).await, &path).await;
    }
    let login = send(keeper.login(SCRIPT, SCRIPT)).await;
    shown += assert_harmless(login, "the login").await;
    assert!(
        shown >= 12,
        "it was to be shown, and was only {shown} times"
    );
    keeper.service.stop().await;
}

/// Checks a page, and says whether it shows the script's text.
async fn assert_harmless(response: Response, what: &str) -> usize {
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
    usize::from(page.contains("&lt;script&gt;"))
}
