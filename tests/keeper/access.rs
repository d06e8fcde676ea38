//! Only a signed-in user changes anything, and only from the service's own pages.

use axum::http::StatusCode;
use racy::auth::{self, Username};
use reqwest::{Method, Response};

use super::{Keeper, PASSWORD, cookie, send};
use crate::support::TestEngine;

on_engines!(
    every:
        only_a_signed_in_user_changes_anything;
);

/// Everything that only a signed-in user may do, on account 1 and this transaction in it.
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

async fn only_a_signed_in_user_changes_anything(engine: TestEngine) {
    let keeper = Keeper::on(engine).await;
    let transaction = some_transaction(&keeper).await;
    let headers = worthless_headers(&keeper).await;
    let before = keeper.everything().await;
    for (who, header) in headers {
        for (method, path) in calls(transaction) {
            let mut request = keeper.request(method.clone(), &path);
            if let Some((name, value)) = &header {
                request = request.header(*name, value);
            }
            let what = format!("{method} {path} with {who}");
            assert_is_turned_away(&send(request).await, &method, &path, &what);
        }
        assert_eq!(keeper.everything().await, before, "with {who}");
    }
    keeper.service.stop().await;
}

/// A page leads to the login; everything else is refused.
fn assert_is_turned_away(response: &Response, method: &Method, path: &str, what: &str) {
    if method == Method::GET && path.starts_with("/admin") {
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{what}");
        let login = response.headers()["location"].to_str().unwrap();
        assert_eq!(login, format!("/admin/login?next={path}"), "{what}");
    } else {
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{what}");
    }
}

/// The number of a transaction in account 1.
async fn some_transaction(keeper: &Keeper) -> i64 {
    let made = keeper.service.deposit("atomic_no_delay", 1, 100).await;
    assert_eq!(made.status(), 200);
    let transactions = keeper.service.json("/accounts/1/transactions").await;
    transactions["transactions"][0]["id"].as_i64().unwrap()
}

/// A header to send, if any.
type Header = Option<(&'static str, String)>;

/// Headers that are no sign-in, and what each is.
async fn worthless_headers(keeper: &Keeper) -> Vec<(&'static str, Header)> {
    let valid_session = keeper.session().await;
    let expired = expired_session(keeper).await;
    let hash = stored_hash_of_a_valid_session(keeper).await;
    let revoked = revoked_token(keeper).await;
    let valid_token = keeper.token().await;
    let forged = "0".repeat(64);
    let cookie = |session: &str| Some(("cookie", cookie(session)));
    let bearer = |token: &str| Some(("authorization", format!("Bearer {token}")));
    let basic = Some(("authorization", "Basic YWRhOmE=".to_owned()));
    vec![
        ("nothing", None),
        ("an expired session", cookie(&expired)),
        ("a forged session", cookie(&forged)),
        ("an empty session", cookie("")),
        ("a stored hash", cookie(&hash)),
        ("a token as a session", cookie(&valid_token)),
        ("a forged token", bearer(&forged)),
        ("a revoked token", bearer(&revoked)),
        ("a session as a token", bearer(&valid_session)),
        ("another scheme", basic),
    ]
}

/// No sign-in may come after it, which would delete it.
async fn expired_session(keeper: &Keeper) -> String {
    let session = keeper.session().await;
    let database = &keeper.lab.database;
    let newest = "SELECT token_hash FROM sessions ORDER BY expires_at DESC LIMIT 1";
    let newest = database.rows(newest, &[]).await.unwrap()[0].text(0);
    let expire = "UPDATE sessions SET expires_at = 1 WHERE token_hash = ?";
    let expired = database
        .execute(expire, &[newest.unwrap().as_str().into()])
        .await;
    assert_eq!(expired.unwrap(), 1);
    session
}

async fn stored_hash_of_a_valid_session(keeper: &Keeper) -> String {
    let valid = "SELECT token_hash FROM sessions WHERE expires_at > 1";
    let rows = keeper.lab.database.rows(valid, &[]).await.unwrap();
    rows[0].text(0).unwrap()
}

async fn revoked_token(keeper: &Keeper) -> String {
    let token = keeper.token().await;
    let ada = Username::parse("ada").unwrap();
    let revoked = auth::revoke_tokens(&keeper.lab.database, &ada, "test").await;
    assert_eq!(revoked.unwrap(), Some(1));
    token
}

/// Headers that a browser sends with a request that another site has made.
const OTHER_SITES: [(&str, &str); 5] = [
    ("origin", "https://evil.example"),
    ("origin", "null"),
    ("origin", "http://127.0.0.1:1"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-site"),
];

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    let transaction = some_transaction(&keeper).await;
    let session = keeper.session().await;
    let before = keeper.everything().await;
    let mut calls = calls(transaction);
    calls.retain(|(method, _)| method != Method::GET);
    for (method, path) in calls {
        for (name, value) in OTHER_SITES {
            let request = keeper.request(method.clone(), &path).header(name, value);
            let response = send(request.header("cookie", cookie(&session))).await;
            assert_eq!(response.status(), 403, "{method} {path} {name}: {value}");
        }
    }
    assert_eq!(keeper.everything().await, before);
    keeper.service.stop().await;
}

#[tokio::test]
async fn a_page_of_another_site_signs_nobody_in_or_out() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    let session = keeper.session().await;
    for (name, value) in OTHER_SITES {
        let login = keeper.login("ada", PASSWORD).header(name, value);
        let response = send(login).await;
        assert_eq!(response.status(), 403, "{name}: {value}");
        assert!(!response.headers().contains_key("set-cookie"));
        let logout = keeper.request(Method::POST, "/admin/logout");
        let logout = logout.header(name, value);
        let logout = send(logout.header("cookie", cookie(&session))).await;
        assert_eq!(logout.status(), 403, "{name}: {value}");
    }
    assert_eq!(keeper.get("/changes", &session).await.status(), 200);
    keeper.service.stop().await;
}

#[tokio::test]
async fn a_page_of_the_service_changes_what_it_shows() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    let session = keeper.session().await;
    let origin = format!("http://{}", keeper.service.address);
    let request = keeper.request(Method::POST, "/admin/accounts/1/reset");
    let request = request.header("origin", &origin);
    let request = request.header("sec-fetch-site", "same-origin");
    let response = send(request.header("cookie", cookie(&session))).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    keeper.service.stop().await;
}
