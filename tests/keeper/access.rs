//! Only who is signed in changes anything, and only from the service's own pages.

use axum::http::StatusCode;
use racy::auth::{self, Username};
use reqwest::Method;

use super::{Keeper, PASSWORD, cookie, send};
use crate::support::TestEngine;

on_engines!(
    every:
        nobody_changes_anything_without_being_signed_in,
    ;
    innodb:
);

/// Everything that only the signed-in may do, on the account and transaction of these numbers.
fn calls(transaction: i64) -> Vec<(Method, String)> {
    let calls = [
        (Method::POST, "/accounts"),
        (Method::POST, "/accounts/1/reset"),
        (Method::DELETE, "/accounts/1/transactions"),
        (Method::DELETE, "/accounts/1/transactions/T"),
        (Method::GET, "/changes"),
        (Method::GET, "/admin"),
        (Method::GET, "/admin/"),
        (Method::GET, "/admin/accounts/1"),
        (Method::GET, "/admin/changes"),
        (Method::POST, "/admin/accounts"),
        (Method::POST, "/admin/accounts/1/reset"),
        (Method::POST, "/admin/accounts/1/transactions/delete"),
        (Method::POST, "/admin/accounts/1/transactions/T/delete"),
    ];
    let number = transaction.to_string();
    let call = |(method, path): (Method, &str)| (method, path.replace('T', &number));
    calls.map(call).into()
}

async fn nobody_changes_anything_without_being_signed_in(engine: TestEngine) {
    let keeper = Keeper::on(engine).await;
    let made = keeper.service.deposit("atomic_no_delay", 1, 100).await;
    assert_eq!(made.status(), 200);
    let transactions = keeper.service.json("/accounts/1/transactions").await;
    let transaction = transactions["transactions"][0]["id"].as_i64().unwrap();

    let session_as_token = keeper.session().await;
    let expired = keeper.session().await;
    let database = &keeper.lab.database;
    let newest = "SELECT token_hash FROM sessions ORDER BY expires_at DESC LIMIT 1";
    let newest = database.rows(newest, &[]).await.unwrap()[0]
        .text(0)
        .unwrap();
    let expire = "UPDATE sessions SET expires_at = 1 WHERE token_hash = ?";
    let expire = database.execute(expire, &[newest.as_str().into()]).await;
    assert_eq!(expire.unwrap(), 1);
    let token_as_session = keeper.token().await;
    let revoked = keeper.token().await;
    let ada = Username::parse("ada").unwrap();
    let was_revoked = auth::revoke_tokens(&keeper.lab.database, &ada, "test").await;
    assert_eq!(was_revoked.unwrap(), Some(2));
    let valid = "SELECT token_hash FROM sessions WHERE expires_at > 1";
    let hash_as_session = database.rows(valid, &[]).await.unwrap()[0].text(0).unwrap();
    let count = "SELECT COUNT(*) FROM sessions";
    let sessions = database.rows(count, &[]).await.unwrap()[0].integer(0);
    assert_eq!(sessions.unwrap(), 2, "the expired one is still there");

    let nobody: Vec<(&str, Option<(&str, String)>)> = vec![
        ("nothing", None),
        ("an expired session", Some(("cookie", cookie(&expired)))),
        (
            "a forged session",
            Some(("cookie", cookie(&"0".repeat(64)))),
        ),
        ("an empty session", Some(("cookie", cookie("")))),
        ("a stored hash", Some(("cookie", cookie(&hash_as_session)))),
        (
            "a token as a session",
            Some(("cookie", cookie(&token_as_session))),
        ),
        (
            "a forged token",
            Some(("authorization", format!("Bearer {}", "0".repeat(64)))),
        ),
        (
            "a revoked token",
            Some(("authorization", format!("Bearer {revoked}"))),
        ),
        (
            "a session as a token",
            Some(("authorization", format!("Bearer {session_as_token}"))),
        ),
        (
            "another scheme",
            Some(("authorization", "Basic YWRhOmE=".to_owned())),
        ),
    ];
    let before = keeper.everything().await;
    for (who, header) in nobody {
        for (method, path) in calls(transaction) {
            let mut request = keeper.request(method.clone(), &path);
            if let Some((name, value)) = &header {
                request = request.header(*name, value);
            }
            let response = send(request).await;
            let what = format!("{method} {path} with {who}");
            if method == Method::GET && path.starts_with("/admin") {
                assert_eq!(response.status(), StatusCode::SEE_OTHER, "{what}");
                let login = response.headers()["location"].to_str().unwrap();
                assert_eq!(login, format!("/admin/login?next={path}"), "{what}");
            } else {
                assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{what}");
            }
        }
        assert_eq!(keeper.everything().await, before, "with {who}");
    }
    keeper.service.stop().await;
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    assert_eq!(
        keeper
            .service
            .deposit("atomic_no_delay", 1, 100)
            .await
            .status(),
        200
    );
    let session = keeper.session().await;
    let before = keeper.everything().await;
    let sites = [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://127.0.0.1:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    let changing = calls(1)
        .into_iter()
        .filter(|(method, _)| method != Method::GET);
    for (method, path) in changing {
        for (name, value) in sites {
            let request = keeper.request(method.clone(), &path).header(name, value);
            let response = send(request.header("cookie", cookie(&session))).await;
            assert_eq!(response.status(), 403, "{method} {path} {name}: {value}");
        }
    }
    for (name, value) in sites {
        let login = keeper.login("ada", PASSWORD).header(name, value);
        let response = send(login).await;
        assert_eq!(response.status(), 403, "{name}: {value}");
        assert!(!response.headers().contains_key("set-cookie"));
        let logout = keeper
            .request(Method::POST, "/admin/logout")
            .header(name, value);
        let logout = send(logout.header("cookie", cookie(&session))).await;
        assert_eq!(logout.status(), 403, "{name}: {value}");
    }
    assert_eq!(keeper.everything().await, before);

    // Its own pages may.
    let origin = format!("http://{}", keeper.service.address);
    let request = keeper.request(Method::POST, "/admin/accounts/1/reset");
    let request = request
        .header("origin", &origin)
        .header("sec-fetch-site", "same-origin");
    let response = send(request.header("cookie", cookie(&session))).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    keeper.service.stop().await;
}
