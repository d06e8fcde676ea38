//! Signing in and out: sessions, their cookie, and a limit to guessing.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use racy::http::Settings;
use reqwest::{Method, Response};
use tokio::task::JoinSet;

use super::{Keeper, PASSWORD, cookie, make_user, send, serve, session_in, set_cookie};
use crate::support::TestEngine;
use crate::support::service::{problem, settings};

on_engines!(
    every:
        a_session_is_known_to_every_replica_until_it_ends,
        five_guesses_at_one_user_are_looked_at_also_when_they_come_together,
        a_user_at_whom_was_guessed_too_often_has_to_wait;
);

async fn a_session_is_known_to_every_replica_until_it_ends(engine: TestEngine) {
    let keeper = Keeper::on(engine).await;
    let session = keeper.session().await;
    let replica = serve(&keeper.lab, &settings()).await;

    let opened = keeper.post("/admin/accounts", &session).await;
    assert_eq!(opened.status(), StatusCode::SEE_OTHER);
    let place = opened.headers()["location"].to_str().unwrap().to_owned();
    let page = send(replica.get(&place).header("cookie", cookie(&session))).await;
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("The account is open."), "{page}");
    assert!(page.contains("Signed in as <b>ada</b>"), "{page}");

    let goodbye = keeper.post("/admin/logout", &session).await;
    assert_eq!(goodbye.status(), StatusCode::SEE_OTHER);
    assert!(set_cookie(&goodbye).contains("racy_session=;"));
    let after = send(replica.get("/changes").header("cookie", cookie(&session))).await;
    problem(after, 401, "not-signed-in").await;
    replica.stop().await;
    keeper.service.stop().await;
}

/// A service behind a proxy, which says from which address a guess comes.
async fn behind_a_proxy(engine: TestEngine) -> Keeper {
    let behind_proxy = Settings {
        behind_proxy: true,
        ..settings()
    };
    Keeper::with(engine, &behind_proxy).await
}

/// Signs in from this address.
async fn login_from(keeper: &Keeper, address: &str, username: &str, password: &str) -> Response {
    let login = keeper.login(username, password);
    send(login.header("x-forwarded-for", address)).await
}

/// Guesses a password, and says whether the guess was looked at.
async fn guess(keeper: &Keeper, address: &str, username: &str) -> bool {
    was_looked_at(&login_from(keeper, address, username, "a grain of sand").await)
}

/// Whether a wrong guess was compared with the password, and not refused unseen.
fn was_looked_at(answer: &Response) -> bool {
    match answer.status() {
        StatusCode::UNAUTHORIZED => true,
        StatusCode::TOO_MANY_REQUESTS => false,
        other => panic!("{other}"),
    }
}

/// Guesses that come together get in each other's way, so that fewer than five may be looked at;
/// never more.
async fn five_guesses_at_one_user_are_looked_at_also_when_they_come_together(engine: TestEngine) {
    let keeper = behind_a_proxy(engine).await;
    let guesses = (0..12).map(|n| {
        let guess = keeper.login("ada", "a grain of sand");
        send(guess.header("x-forwarded-for", format!("192.0.2.{n}")))
    });
    let answers = guesses.collect::<JoinSet<_>>().join_all().await;
    let mut looked_at = answers.iter().filter(|it| was_looked_at(it)).count();
    assert!(looked_at <= 5, "{looked_at} were looked at");
    while guess(&keeper, "192.0.2.99", "ada").await {
        looked_at += 1;
        assert!(looked_at <= 5);
    }
    assert_eq!(looked_at, 5);
    keeper.service.stop().await;
}

async fn a_user_at_whom_was_guessed_too_often_has_to_wait(engine: TestEngine) {
    let keeper = behind_a_proxy(engine).await;
    while guess(&keeper, "192.0.2.99", "ada").await {}
    let right = login_from(&keeper, "192.0.2.100", "ada", PASSWORD).await;
    assert_eq!(right.status(), StatusCode::TOO_MANY_REQUESTS);
    let retry_after = right.headers()["retry-after"].to_str().unwrap();
    let retry_after: u64 = retry_after.parse().unwrap();
    assert!((200..=300).contains(&retry_after), "{retry_after}");
    assert!(!right.headers().contains_key("set-cookie"));

    // Until the guesses count no more.
    let database = &keeper.lab.database;
    let grow_old = database.execute("UPDATE guesses SET at = 0", &[]).await;
    grow_old.unwrap();
    keeper.session().await;
    let left = database.rows("SELECT COUNT(*) FROM guesses", &[]).await;
    let left = left.unwrap()[0].integer(0).unwrap();
    assert_eq!(left, 0, "old guesses are taken out");
    keeper.service.stop().await;
}

#[tokio::test]
async fn twenty_guesses_from_one_address_are_looked_at() {
    let keeper = behind_a_proxy(TestEngine::Sqlite).await;
    let mut looked_at = 0;
    for n in 0..22 {
        let guess = guess(&keeper, "198.51.100.1", &format!("user{n}")).await;
        looked_at += u32::from(guess);
    }
    assert_eq!(looked_at, 20);
    make_user(&keeper.lab.database, "grace").await;
    let from_there = login_from(&keeper, "198.51.100.1", "grace", PASSWORD).await;
    assert_eq!(from_there.status(), StatusCode::TOO_MANY_REQUESTS);
    let elsewhere = login_from(&keeper, "198.51.100.2", "grace", PASSWORD).await;
    assert_eq!(elsewhere.status(), StatusCode::SEE_OTHER);
    keeper.service.stop().await;
}

/// A client that has one IPv6 address has those beside it too.
#[tokio::test]
async fn twenty_guesses_from_one_network_of_ipv6_are_looked_at() {
    let keeper = behind_a_proxy(TestEngine::Sqlite).await;
    let mut looked_at = 0;
    for n in 0..22 {
        let guess = guess(&keeper, &format!("2001:db8::{n:x}"), &format!("user{n}")).await;
        looked_at += u32::from(guess);
    }
    assert_eq!(looked_at, 20);
    keeper.service.stop().await;
}

#[tokio::test]
async fn a_session_that_was_planted_is_worth_nothing() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    let planted = "f".repeat(64);
    let login = keeper
        .login("ada", PASSWORD)
        .header("cookie", cookie(&planted));
    let response = send(login).await;
    let session = session_in(&response);
    assert_ne!(session, planted);
    assert_eq!(keeper.get("/changes", &planted).await.status(), 401);
    assert_eq!(keeper.get("/changes", &session).await.status(), 200);

    // A user who signs in again has one session, not two.
    let login = keeper
        .login("ada", PASSWORD)
        .header("cookie", cookie(&session));
    let newer = session_in(&send(login).await);
    assert_ne!(newer, session);
    assert_eq!(keeper.get("/changes", &session).await.status(), 401);
    assert_eq!(keeper.get("/changes", &newer).await.status(), 200);
    keeper.service.stop().await;
}

#[tokio::test]
async fn the_cookie_is_for_the_service_alone() {
    let keeper = behind_a_proxy(TestEngine::Sqlite).await;
    for (scheme, secure) in [("http", false), ("https", true)] {
        let login = keeper.login("ada", PASSWORD);
        let response = send(login.header("x-forwarded-proto", scheme)).await;
        let cookie = set_cookie(&response);
        assert!(cookie.contains("; HttpOnly"), "{cookie}");
        assert!(cookie.contains("; SameSite=Lax"), "{cookie}");
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
    }
    keeper.service.stop().await;
}

#[tokio::test]
async fn a_session_is_stored_as_a_hash_and_lasts_for_twelve_hours() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    let session = keeper.session().await;
    let select = "SELECT token_hash, expires_at FROM sessions";
    let stored = keeper.lab.database.rows(select, &[]).await.unwrap();
    let [stored] = &stored[..] else {
        panic!("one session is stored");
    };
    assert_ne!(stored.text(0).unwrap(), session);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let lasts = stored.integer(1).unwrap() - i64::try_from(now.as_micros()).unwrap();
    assert_eq!(lasts / 3_600_000_000, 11, "{lasts} µs");
    keeper.service.stop().await;
}

/// A sign-in deletes the expired ones.
#[tokio::test]
async fn expired_sessions_do_not_pile_up() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    keeper.session().await;
    keeper.session().await;
    let database = &keeper.lab.database;
    let expired = database
        .execute("UPDATE sessions SET expires_at = 1", &[])
        .await;
    assert_eq!(expired.unwrap(), 2);
    keeper.session().await;
    let left = database.rows("SELECT COUNT(*) FROM sessions", &[]).await;
    assert_eq!(left.unwrap()[0].integer(0).unwrap(), 1);
    keeper.service.stop().await;
}

/// Where a sign-in is asked to lead, and where it leads.
const NEXT: [(&str, &str); 5] = [
    ("/admin/accounts/1?limit=3", "/admin/accounts/1?limit=3"),
    ("https://evil.example/", "/admin"),
    ("//evil.example/admin", "/admin"),
    ("/admin/\r\nset-cookie: x=y", "/admin"),
    ("/admin/\n", "/admin"),
];

#[tokio::test]
async fn signing_in_leads_to_the_keepers_pages_and_nowhere_else() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    for (next, place) in NEXT {
        let form = [("username", "ada"), ("password", PASSWORD), ("next", next)];
        let login = keeper.request(Method::POST, "/admin/login").form(&form);
        let response = send(login).await;
        assert_eq!(response.headers()["location"], place, "{next:?}");
    }
    keeper.service.stop().await;
}
