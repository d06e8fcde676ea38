//! The keeper: who may change accounts, what that does, and who keeps out.

mod access;
mod amid;
mod books;
mod explored;
mod login;
mod pages;
mod waits;

use axum::http::StatusCode;
use racy::auth::{self, Password, Username};
use racy::engine::Database;
use racy::http::Settings;
use racy::keeper::{self, Actor};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

use crate::support::service::{RunningService, settings};
use crate::support::{Lab, TestEngine};

pub(super) const PASSWORD: &str = "a grain of salt";

/// A user in a process that makes no deposits.
pub(super) const ADA: Actor<'_> = Actor {
    name: "ada",
    memory: None,
};

/// A service with a user, and a client that follows no redirects.
pub(super) struct Keeper {
    pub(super) lab: Lab,
    pub(super) service: RunningService,
    pub(super) client: Client,
}

impl Keeper {
    pub(super) async fn on(engine: TestEngine) -> Self {
        Self::with(engine, &settings()).await
    }

    pub(super) async fn with(engine: TestEngine, settings: &Settings) -> Self {
        Self::of(engine.lab().await, settings).await
    }

    pub(super) async fn of(lab: Lab, settings: &Settings) -> Self {
        make_user(&lab.database, "ada").await;
        Self {
            service: serve(&lab, settings).await,
            client: Client::builder().redirect(Policy::none()).build().unwrap(),
            lab,
        }
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.service.address);
        self.client.request(method, url)
    }

    pub(super) async fn get(&self, path: &str, session: &str) -> Response {
        let request = self.request(Method::GET, path);
        send(request.header("cookie", cookie(session))).await
    }

    pub(super) async fn post(&self, path: &str, session: &str) -> Response {
        let request = self.request(Method::POST, path);
        send(request.header("cookie", cookie(session))).await
    }

    pub(super) fn login(&self, username: &str, password: &str) -> RequestBuilder {
        let form = [("username", username), ("password", password)];
        self.request(Method::POST, "/admin/login").form(&form)
    }

    /// Signs in, and returns the session's token.
    pub(super) async fn session(&self) -> String {
        let response = send(self.login("ada", PASSWORD)).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        session_in(&response)
    }

    pub(super) async fn token(&self) -> String {
        let ada = Username::parse("ada").unwrap();
        let token = auth::create_token(&self.lab.database, &ada, "test").await;
        token.unwrap().unwrap().reveal().to_owned()
    }

    /// Everything that the keeper could have changed.
    pub(super) async fn everything(&self) -> (Value, Value, Vec<keeper::Change>) {
        (
            self.service.json("/accounts").await,
            self.service.json("/accounts/1/transactions").await,
            keeper::changes(&self.lab.database, i64::MAX, 1000)
                .await
                .unwrap(),
        )
    }
}

pub(super) async fn serve(lab: &Lab, settings: &Settings) -> RunningService {
    RunningService::start_with(&lab.database, settings).await
}

pub(super) async fn make_user(database: &Database, name: &str) {
    let name = Username::parse(name).unwrap();
    let password = Password::chosen(PASSWORD.to_owned(), &name, false).unwrap();
    auth::create_superuser(database, &name, password)
        .await
        .unwrap();
}

pub(super) async fn send(request: RequestBuilder) -> Response {
    request.send().await.unwrap()
}

pub(super) fn cookie(session: &str) -> String {
    format!("racy_session={session}")
}

pub(super) fn set_cookie(response: &Response) -> &str {
    response.headers()["set-cookie"].to_str().unwrap()
}

pub(super) fn session_in(response: &Response) -> String {
    let (_, token) = set_cookie(response).split_once("racy_session=").unwrap();
    token.split(';').next().unwrap().to_owned()
}
