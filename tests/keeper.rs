//! The keeper: who may change accounts, what that does, and who keeps out.

use std::sync::Arc;

use axum::http::StatusCode;
use racy::auth::{self, Password, Username};
use racy::deposits::{Deposit, Memory, Pace, Strategy};
use racy::engine::Database;
use racy::http::Settings;
use racy::keeper::{self, NotChanged};
use racy::step::Unobserved;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::service::{RunningService, problem, settings};
use crate::support::{Client as StepByStep, Lab, TestEngine, until};

on_engines!(
    every:
        nobody_changes_anything_without_being_signed_in,
        who_has_a_token_keeps_the_accounts,
        a_session_is_known_to_every_replica_until_it_ends,
        resets_amid_deposits_leave_the_books_right,
        guesses_are_limited_also_when_they_come_together,
        what_looks_like_sql_is_text,
    ;
    innodb:
        a_reset_that_is_a_deadlocks_victim_is_done_again,
);

const PASSWORD: &str = "a grain of salt";

/// A service with a user, and a client that follows no redirects.
struct Keeper {
    lab: Lab,
    service: RunningService,
    client: Client,
}

impl Keeper {
    async fn on(engine: TestEngine) -> Self {
        Self::with(engine, &settings()).await
    }

    async fn with(engine: TestEngine, settings: &Settings) -> Self {
        let lab = engine.lab().await;
        make_user(&lab.database, "ada").await;
        Self {
            service: serve(&lab, settings).await,
            client: Client::builder().redirect(Policy::none()).build().unwrap(),
            lab,
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.service.address);
        self.client.request(method, url)
    }

    async fn get(&self, path: &str, session: &str) -> Response {
        let request = self.request(Method::GET, path);
        send(request.header("cookie", cookie(session))).await
    }

    async fn post(&self, path: &str, session: &str) -> Response {
        let request = self.request(Method::POST, path);
        send(request.header("cookie", cookie(session))).await
    }

    fn login(&self, username: &str, password: &str) -> RequestBuilder {
        let form = [("username", username), ("password", password)];
        self.request(Method::POST, "/admin/login").form(&form)
    }

    /// Signs in, and returns the session's token.
    async fn session(&self) -> String {
        let response = send(self.login("ada", PASSWORD)).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        session_in(&response)
    }

    async fn token(&self) -> String {
        let ada = Username::parse("ada").unwrap();
        let token = auth::create_token(&self.lab.database, &ada, "test").await;
        token.unwrap().unwrap().reveal().to_owned()
    }

    /// Everything that the keeper could have changed.
    async fn everything(&self) -> (Value, Value, Vec<keeper::Change>) {
        (
            self.service.json("/accounts").await,
            self.service.json("/accounts/1/transactions").await,
            keeper::changes(&self.lab.database, i64::MAX, 1000)
                .await
                .unwrap(),
        )
    }
}

async fn serve(lab: &Lab, settings: &Settings) -> RunningService {
    RunningService::start_with(&lab.database, settings, Arc::new(Unobserved), |it| it).await
}

async fn make_user(database: &Database, name: &str) {
    let name = Username::parse(name).unwrap();
    let password = Password::chosen(PASSWORD.to_owned(), &name, false).unwrap();
    auth::create_superuser(database, &name, password)
        .await
        .unwrap();
}

async fn send(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

fn cookie(session: &str) -> String {
    format!("racy_session={session}")
}

fn set_cookie(response: &Response) -> &str {
    response.headers()["set-cookie"].to_str().unwrap()
}

fn session_in(response: &Response) -> String {
    let (_, token) = set_cookie(response).split_once("racy_session=").unwrap();
    token.split(';').next().unwrap().to_owned()
}

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
    let expire = database.run(expire, &[newest.as_str().into()]).await;
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

async fn who_has_a_token_keeps_the_accounts(engine: TestEngine) {
    let keeper = Keeper::on(engine).await;
    let token = keeper.token().await;
    let call = async |method: Method, path: &str, body: Value| {
        let request = keeper.request(method, path).bearer_auth(&token);
        send(request.json(&body)).await
    };

    let opened = call(
        Method::POST,
        "/accounts",
        json!({ "opening_balance": 1000 }),
    )
    .await;
    assert_eq!(opened.status(), StatusCode::CREATED);
    let place = opened.headers()["location"].to_str().unwrap().to_owned();
    let account: Value = opened.json().await.unwrap();
    let id = account["id"].as_i64().unwrap();
    assert_eq!(place, format!("/accounts/{id}"));
    assert_eq!(account["balance"], 1000);

    for amount in [1, 20, 300] {
        let deposit = keeper.service.deposit("atomic_no_delay", id, amount).await;
        assert_eq!(deposit.status(), 200);
    }
    let list = keeper.service.json(&format!("{place}/transactions")).await;
    let second = &list["transactions"][1]["id"];

    // The balance stays as it is; the books say why.
    let one = call(
        Method::DELETE,
        &format!("{place}/transactions/{second}"),
        json!({}),
    )
    .await;
    assert_eq!(one.json::<Value>().await.unwrap(), json!({ "deleted": 1 }));
    let account = keeper.service.json(&place).await;
    assert_eq!(account["balance"], 1321);
    assert_eq!(account["opening_balance"], 1020);
    assert_eq!(account["transactions"], 2);
    assert_eq!(account["lost"], 0);

    let again = call(
        Method::DELETE,
        &format!("{place}/transactions/{second}"),
        json!({}),
    )
    .await;
    problem(again, 404, "unknown-transaction").await;

    let third = &list["transactions"][2]["id"];
    let elsewhere = format!("/accounts/1/transactions/{third}");
    let elsewhere = call(Method::DELETE, &elsewhere, json!({}));
    problem(elsewhere.await, 404, "unknown-transaction").await;

    let all = call(Method::DELETE, &format!("{place}/transactions"), json!({})).await;
    assert_eq!(all.json::<Value>().await.unwrap(), json!({ "deleted": 2 }));
    let account = keeper.service.json(&place).await;
    assert_eq!(account["opening_balance"], 1321);
    assert_eq!(account["lost"], 0);

    let deposit = keeper.service.deposit("atomic_no_delay", id, 7).await;
    assert_eq!(deposit.status(), 200);
    let reset = call(Method::POST, &format!("{place}/reset"), json!({})).await;
    let account: Value = reset.json().await.unwrap();
    assert_eq!(account["balance"], 1321);
    assert_eq!(account["transactions"], 0);

    for path in ["/accounts/99/reset", "/accounts/99/transactions"] {
        let method = match path.ends_with("reset") {
            true => Method::POST,
            false => Method::DELETE,
        };
        problem(call(method, path, json!({})).await, 404, "unknown-account").await;
    }
    for wrong in [json!(-1), json!("ten"), json!(1.5), json!([1])] {
        let body = json!({ "opening_balance": wrong });
        problem(
            call(Method::POST, "/accounts", body).await,
            400,
            "invalid-request",
        )
        .await;
    }

    let mut said = Vec::new();
    let mut next = String::from("/changes?limit=2");
    loop {
        let page: Value = call(Method::GET, &next, json!({}))
            .await
            .json()
            .await
            .unwrap();
        for change in page["changes"].as_array().unwrap() {
            assert_eq!(change["username"], "ada");
            assert_eq!(change["account"], id);
            said.push(change["what"].as_str().unwrap().to_owned());
        }
        match &page["next"] {
            Value::Null => break,
            before => next = format!("/changes?limit=2&before={before}"),
        }
    }
    let deleted = format!("transaction {second} of 20 deleted");
    let expected = [
        "reset, 1 transactions deleted",
        "2 transactions deleted",
        &deleted,
        "opened with 1000",
    ];
    assert_eq!(said, expected);
    keeper.service.stop().await;
}

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

/// The strategy is safe, so what would be wrong afterwards would be the keeper's doing.
async fn resets_amid_deposits_leave_the_books_right(engine: TestEngine) {
    const DEPOSITS: usize = 40;
    let lab = engine.lab().await;
    let mut deposits = deposits(&lab, "row_locking_atomic_long_delay", DEPOSITS);
    let mut deleted = 0;
    let mut finished = 0;
    // A change after every other deposit, until all are done: they are among each other for certain.
    while let Some(made) = deposits.join_next().await {
        assert!(made.unwrap());
        finished += 1;
        if finished % 4 == 0 {
            deleted += keeper::reset_account(&lab.database, "ada", 1)
                .await
                .unwrap();
        } else if finished % 4 == 2 {
            deleted += keeper::delete_transactions(&lab.database, "ada", 1)
                .await
                .unwrap();
        }
        assert_eq!(lab.account().await.lost, 0, "after {finished} deposits");
    }
    let remaining = u64::try_from(lab.account().await.transactions).unwrap();
    assert_eq!(deleted + remaining, DEPOSITS as u64);
}

/// The deposit's transaction holds the account's row in shared mode, by its foreign key, and the reset waits
/// for it. When the deposit wants the row for itself, MySQL lets it pass; on MariaDB it waits for the reset: a
/// circle, in which the engine gives up the reset, which has nothing to undo.
async fn a_reset_that_is_a_deadlocks_victim_is_done_again(engine: TestEngine) {
    let lab = engine.lab().await;
    let strategy = Strategy::named("atomic_no_delay").unwrap();
    let mut depositor = StepByStep::start(&lab.database, strategy).await;
    depositor.go_to("write balance").await;
    let database = lab.database.clone();
    let reset = tokio::spawn(async move { keeper::reset_account(&database, "ada", 1).await });
    until("the reset waits", async || lab.somebody_waits().await).await;
    let made = depositor.finish().await;
    assert!(made.is_ok(), "{made:?}");
    assert_eq!(reset.await.unwrap().unwrap(), 1);
    let account = lab.account().await;
    assert_eq!(
        (account.balance, account.transactions, account.lost),
        (0, 0, 0)
    );
}

/// Deposits under way; each says whether it was made.
fn deposits(lab: &Lab, strategy: &str, count: usize) -> JoinSet<bool> {
    let strategy = Strategy::named(strategy).unwrap();
    let deposit = async |database: Database| {
        let deposit = Deposit {
            account: 1,
            amount: 100,
            claim: None,
        };
        let memory = Memory::default();
        let made = strategy.perform(&database, &deposit, &memory, Pace::default(), &Unobserved);
        made.await.is_ok()
    };
    (0..count).map(|_| deposit(lab.database.clone())).collect()
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
        .run("UPDATE guesses SET at = 0", &[])
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
        let forget = keeper.lab.database.run("DELETE FROM guesses", &[]).await;
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
        .run("UPDATE sessions SET expires_at = 1", &[])
        .await;
    assert_eq!(expired.unwrap(), 2);
    keeper.session().await;
    let left = database.rows("SELECT COUNT(*) FROM sessions", &[]).await;
    assert_eq!(left.unwrap()[0].integer(0).unwrap(), 1);
    keeper.service.stop().await;
}

/// Whoever has failed leaves nothing behind that is in the way of the next.
#[tokio::test]
async fn what_is_not_changed_keeps_nobody_waiting() {
    let lab = TestEngine::Sqlite.lab().await;
    for _ in 0..100 {
        let unknown = keeper::delete_transaction(&lab.database, "ada", 1, 99).await;
        assert!(
            matches!(unknown, Err(NotChanged::UnknownTransaction { .. })),
            "{unknown:?}"
        );
        assert!(!lab.has_open_transactions().await);
    }
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

const SCRIPT: &str = "\"'><script>alert(1)</script>";

#[tokio::test]
async fn what_comes_from_outside_is_shown_and_not_run() {
    let keeper = Keeper::on(TestEngine::Sqlite).await;
    let session = keeper.session().await;
    // No such name gets in by the front door.
    let database = &keeper.lab.database;
    let rename = "UPDATE users SET username = ? WHERE username = ?";
    let renamed = database.run(rename, &[SCRIPT.into(), "ada".into()]).await;
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

#[tokio::test]
async fn an_opening_balance_does_not_overflow() {
    let lab = TestEngine::Sqlite.lab().await;
    let account = keeper::open_account(&lab.database, "ada", 1).await.unwrap();
    let strategy = Strategy::named("atomic_no_delay").unwrap();
    let deposit = Deposit {
        account,
        amount: i64::MAX - 1,
        claim: None,
    };
    let made = strategy
        .perform(
            &lab.database,
            &deposit,
            &Memory::default(),
            Pace::default(),
            &Unobserved,
        )
        .await;
    assert!(made.is_ok());
    // One update was lost, as it were: there is more on record than the balance could hold.
    let forget = "UPDATE accounts SET balance = 1 WHERE id = ?";
    lab.database.run(forget, &[account.into()]).await.unwrap();
    let again = strategy
        .perform(
            &lab.database,
            &deposit,
            &Memory::default(),
            Pace::default(),
            &Unobserved,
        )
        .await;
    assert!(again.is_ok_and(|receipt| receipt.balance_written == Some(i64::MAX)));
    let deleted = keeper::delete_transactions(&lab.database, "ada", account).await;
    assert!(matches!(deleted, Err(NotChanged::TooMuch)), "{deleted:?}");
    let left = racy::accounts::find(&lab.database, account)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(left.transactions, 2, "nothing was deleted");
    assert_eq!(
        keeper::reset_account(&lab.database, "ada", account)
            .await
            .unwrap(),
        2
    );
}
