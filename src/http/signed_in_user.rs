//! The user who sends a request: by the session in a browser's cookie, or by a script's API token.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};

use super::app::App;
use super::problem::Problem;
use crate::auth::{self, Token, User};
use crate::engine::Fault;

const COOKIE: &str = "racy_session";

/// The user who sends the request. As the first argument of a handler it refuses all other
/// requests: they get 401 and learn nothing else.
#[derive(Debug)]
pub(super) struct SignedInUser(pub(super) User);

impl FromRequestParts<Arc<App>> for SignedInUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let user = sender(parts, app).await?;
        user.map(Self).ok_or_else(Problem::not_signed_in)
    }
}

/// The user who sends the request. None if nobody is signed in, or if the database cannot be asked:
/// a page that everyone may see is shown all the same.
#[derive(Debug)]
pub(super) struct Visitor(pub(super) Option<User>);

impl Visitor {
    /// The name that the page shows. None if nobody is signed in.
    pub(super) fn name(&self) -> Option<&str> {
        self.0.as_ref().map(|user| user.username.as_str())
    }
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        Ok(Self(sender(parts, app).await.unwrap_or_default()))
    }
}

async fn sender(parts: &Parts, app: &App) -> Result<Option<User>, Fault> {
    match (
        bearer(parts),
        session(&CookieJar::from_headers(&parts.headers)),
    ) {
        // A token counts before a session, because its sender has chosen it for this request.
        (Some(token), _) => auth::by_token(&app.kept, &token).await,
        (None, Some(session)) => auth::by_session(&app.kept, &session).await,
        (None, None) => Ok(None),
    }
}

/// The token after `Authorization: Bearer`. Any other authorization yields a token of no user.
fn bearer(parts: &Parts) -> Option<Token> {
    let authorization = parts.headers.get(AUTHORIZATION)?;
    let authorization = authorization.to_str().unwrap_or_default();
    let (scheme, token) = authorization.split_once(' ').unwrap_or_default();
    let is_bearer = scheme.eq_ignore_ascii_case("bearer");
    Some(Token::shown(if is_bearer { token.trim() } else { "" }))
}

/// The session in the browser's cookie.
pub(super) fn session(cookies: &CookieJar) -> Option<Token> {
    cookies
        .get(COOKIE)
        .map(|cookie| Token::shown(cookie.value()))
}

/// Sets the session's cookie, which the browser keeps until it is closed. No script can read it. If
/// the page came over TLS, the browser sends it over TLS only.
pub(super) fn remember(cookies: CookieJar, session: &Token, secure: bool) -> CookieJar {
    let cookie = Cookie::build((COOKIE, session.reveal().to_owned()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure);
    cookies.add(cookie)
}

/// Removes the session's cookie.
pub(super) fn forget(cookies: CookieJar) -> CookieJar {
    cookies.remove(Cookie::build(COOKIE).path("/"))
}
