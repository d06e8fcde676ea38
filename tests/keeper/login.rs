//! Signing in and out: sessions, their cookie, and a limit to guessing.

use axum::http::StatusCode;
use racy::http::Settings;
use reqwest::{Method, RequestBuilder};
use tokio::task::JoinSet;

use super::{Keeper, PASSWORD, cookie, make_user, send, serve, session_in, set_cookie};
use crate::support::TestEngine;
use crate::support::service::{problem, settings};

on_engines!(
    every:
        a_session_is_known_to_every_replica_until_it_ends,
        guesses_are_limited_also_when_they_come_together,
    ;
    innodb:
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

async fn guesses_are_limited_also_when_they_come_together(engine: TestEngine) {
    let behind_proxy = Settings {
        behind_proxy: true,
        ..settings()
    };
    let keeper = Keeper::with(engine, &behind_proxy).await;
    let guess = |username: &str, address: &str| {
        let guess = keeper.login(username, "a grain of sand");
        guess.header("x-forwarded-for", address)
    };
    let statuses = async |guesses: Vec<RequestBuilder>| {
        let mut sent: JoinSet<_> = guesses.into_iter().map(send).collect();
        let mut wrong = 0;
        let mut too_many = 0;
        while let Some(response) = sent.join_next().await {
            match response.unwrap().status() {
                StatusCode::UNAUTHORIZED => wrong += 1,
                StatusCode::TOO_MANY_REQUESTS => too_many += 1,
                other => panic!("{other}"),
            }
        }
        (wrong, too_many)
    };

    // At one user, from everywhere. Those that come together get in each other's way, so that fewer
    // than five may be looked at; never more.
    let addresses = (0..12).map(|n| format!("192.0.2.{n}"));
    let at_ada = addresses.map(|address| guess("ada", &address)).collect();
    let (wrong, too_many) = statuses(at_ada).await;
    assert!(
        wrong <= 5 && wrong + too_many == 12,
        "{wrong} were looked at"
    );
    let mut more = 0;
    while send(guess("ada", "192.0.2.99")).await.status() == StatusCode::UNAUTHORIZED {
        more += 1;
        assert!(wrong + more <= 5);
    }
    assert_eq!(wrong + more, 5);
    // Not even the right one, from then on.
    let right = keeper.login("ada", PASSWORD);
    let right = send(right.header("x-forwarded-for", "192.0.2.100")).await;
    assert_eq!(right.status(), StatusCode::TOO_MANY_REQUESTS);
    let retry_after = right.headers()["retry-after"].to_str().unwrap();
    let retry_after: u64 = retry_after.parse().unwrap();
    assert!((200..=300).contains(&retry_after), "{retry_after}");
    assert!(!right.headers().contains_key("set-cookie"));

    // From one address, at everybody.
    let mut looked_at = 0;
    for n in 0..22 {
        let status = send(guess(&format!("user{n}"), "198.51.100.1"))
            .await
            .status();
        looked_at += u32::from(status == StatusCode::UNAUTHORIZED);
    }
    assert_eq!(looked_at, 20);
    // Whoever has one IPv6 address has those beside it too.
    let mut looked_at = 0;
    for n in 0..22 {
        let guess = guess(&format!("user{n}"), &format!("2001:db8::{n:x}"));
        looked_at += u32::from(send(guess).await.status() == StatusCode::UNAUTHORIZED);
    }
    assert_eq!(looked_at, 20);
    // Others may go on.
    make_user(&keeper.lab.database, "grace").await;
    let from_there = keeper.login("grace", PASSWORD);
    let from_there = from_there.header("x-forwarded-for", "198.51.100.1");
    assert_eq!(
        send(from_there).await.status(),
        StatusCode::TOO_MANY_REQUESTS
    );
    let elsewhere = keeper.login("grace", PASSWORD);
    let elsewhere = elsewhere.header("x-forwarded-for", "198.51.100.2");
    assert_eq!(send(elsewhere).await.status(), StatusCode::SEE_OTHER);

    // Until they count no more.
    let database = &keeper.lab.database;
    database
        .execute("UPDATE guesses SET at = 0", &[])
        .await
        .unwrap();
    keeper.session().await;
    let left = database
        .rows("SELECT COUNT(*) FROM guesses", &[])
        .await
        .unwrap();
    assert_eq!(left[0].integer(0).unwrap(), 0, "old guesses are taken out");
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

    // Who signs in anew has one session, not two.
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
    let behind_proxy = Settings {
        behind_proxy: true,
        ..settings()
    };
    let keeper = Keeper::with(TestEngine::Sqlite, &behind_proxy).await;
    for (scheme, secure) in [("http", false), ("https", true)] {
        let login = keeper.login("ada", PASSWORD);
        let response = send(login.header("x-forwarded-proto", scheme)).await;
        let cookie = set_cookie(&response);
        assert!(cookie.contains("; HttpOnly"), "{cookie}");
        assert!(cookie.contains("; SameSite=Lax"), "{cookie}");
        assert_eq!(cookie.contains("; Secure"), secure, "{cookie}");
    }
    let select = "SELECT token_hash FROM sessions";
    let stored = keeper.lab.database.rows(select, &[]).await.unwrap();
    let stored: Vec<_> = stored.iter().map(|row| row.text(0).unwrap()).collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = i64::try_from(now.unwrap().as_micros()).unwrap();
    let select = "SELECT expires_at FROM sessions";
    for row in keeper.lab.database.rows(select, &[]).await.unwrap() {
        let lasts = row.integer(0).unwrap() - now;
        let hours = lasts / 3_600_000_000;
        assert!((11..12).contains(&hours), "{lasts} µs");
    }
    let session = keeper.session().await;
    assert_eq!(stored.len(), 2);
    assert!(!stored.contains(&session), "only its hash is stored");
    keeper.service.stop().await;
}

/// A sign-in clears away what is over.
#[tokio::test]
async fn sessions_that_are_over_do_not_pile_up() {
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

#[tokio::test]
async fn signing_in_leads_to_the_keepers_pages_and_nowhere_else() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    for (next, place) in [
        ("/admin/accounts/1?limit=3", "/admin/accounts/1?limit=3"),
        ("https://evil.example/", "/admin"),
        ("//evil.example/admin", "/admin"),
        ("/admin/\r\nset-cookie: x=y", "/admin"),
        ("/admin/\n", "/admin"),
    ] {
        let form = [("username", "ada"), ("password", PASSWORD), ("next", next)];
        let login = keeper.request(Method::POST, "/admin/login").form(&form);
        let response = send(login).await;
        assert_eq!(response.headers()["location"], place, "{next:?}");
    }
    keeper.service.stop().await;
}
