//! Who sends a request: the session that a browser's cookie names, or a script's API token.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};

use crate::auth::{self, Token, User};
use crate::http::app::App;
use crate::http::problem::Problem;

const COOKIE: &str = "racy_session";

/// The user who sends the request. As the first argument of a handler it lets nobody else in: they
/// get 401 and learn nothing of what is there.
#[derive(Debug)]
pub(super) struct SignedIn(pub(super) User);

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let user = match (
            bearer(parts),
            session(&CookieJar::from_headers(&parts.headers)),
        ) {
            // Who shows a token wants to be that user, and not whoever else is signed in.
            (Some(token), _) => auth::by_token(&app.kept, &token).await?,
            (None, Some(session)) => auth::by_session(&app.kept, &session).await?,
            (None, None) => None,
        };
        user.map(Self).ok_or_else(Problem::not_signed_in)
    }
}

/// What comes after `Authorization: Bearer`; of any other authorization something that is nobody's.
fn bearer(parts: &Parts) -> Option<Token> {
    let authorization = parts.headers.get(AUTHORIZATION)?;
    let authorization = authorization.to_str().unwrap_or_default();
    let (scheme, token) = authorization.split_once(' ').unwrap_or_default();
    Some(match scheme.eq_ignore_ascii_case("bearer") {
        true => Token::shown(token.trim()),
        false => Token::shown(""),
    })
}

/// The session that the browser shows.
pub(super) fn session(cookies: &CookieJar) -> Option<Token> {
    cookies
        .get(COOKIE)
        .map(|cookie| Token::shown(cookie.value()))
}

/// Tells the browser to show this session until it is closed, and to nobody but the service: neither to
/// scripts nor, where the page came over TLS, to anybody who listens.
pub(super) fn remember(cookies: CookieJar, session: &Token, secure: bool) -> CookieJar {
    let cookie = Cookie::build((COOKIE, session.reveal().to_owned()))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(secure);
    cookies.add(cookie)
}

/// Tells the browser to forget it.
pub(super) fn forget(cookies: CookieJar) -> CookieJar {
    cookies.remove(Cookie::build(COOKIE).path("/"))
}
