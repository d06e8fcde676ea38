//! What the forms on the keeper's pages do. Each redirects to a page, so that a reload does nothing
//! twice.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum_extra::extract::CookieJar;

use super::api::{numbers_in_path, opening_balance};
use super::pages::{HOME, login_page, way_on};
use crate::auth::{self, Password};
use crate::http::accounts::number_in_path;
use crate::http::app::App;
use crate::http::caller::Caller;
use crate::http::console::instead_of;
use crate::http::fields::Fields;
use crate::http::problem::{Complaint, Problem};
use crate::http::signed_in_user::{SignedInUser, forget, remember, session};
use crate::keeper;

/// `POST /admin/login`
pub(super) async fn sign_in(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    cookies: CookieJar,
    request: Request,
) -> Result<Response, Problem> {
    let mut fields = Fields::read(request, &["username", "password", "next"]).await?;
    let username = fields.take("username").unwrap_or_default();
    let password = Password::typed(fields.take("password").unwrap_or_default());
    let next = fields.take("next");
    let next = way_on(next.as_deref());
    match auth::sign_in(&app.kept, &username, password, caller.address).await {
        Ok(opened) => {
            tracing::info!(username, "signed in");
            if let Some(former) = session(&cookies) {
                auth::sign_out(&app.kept, &former).await?;
            }
            let cookies = remember(cookies, &opened, caller.secure);
            Ok((cookies, Redirect::to(next)).into_response())
        }
        Err(why) => {
            let problem = Problem::from(why).into_response();
            let complaint = problem.extensions().get::<Complaint>().cloned();
            let page = login_page(&username, next, complaint.as_ref());
            Ok(instead_of(problem, page))
        }
    }
}

/// `POST /admin/logout`
pub(super) async fn sign_out(
    State(app): State<Arc<App>>,
    cookies: CookieJar,
) -> Result<(CookieJar, Redirect), Problem> {
    if let Some(session) = session(&cookies) {
        auth::sign_out(&app.kept, &session).await?;
    }
    Ok((forget(cookies), Redirect::to("/admin/login")))
}

/// `POST /admin/accounts`
pub(super) async fn open(
    SignedInUser(user): SignedInUser,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Redirect, Problem> {
    let opening_balance = opening_balance(request).await?;
    let account = keeper::open_account(&app.kept, &user.username, opening_balance).await?;
    Ok(back_to(account, "opened"))
}

/// `POST /admin/accounts/{id}/reset`
pub(super) async fn reset(
    SignedInUser(user): SignedInUser,
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Redirect, Problem> {
    let account = number_in_path(id)?;
    keeper::reset_account(&app.kept, app.actor(&user), account).await?;
    Ok(back_to(account, "reset"))
}

/// `POST /admin/accounts/{id}/transactions/delete`
pub(super) async fn delete_transactions(
    SignedInUser(user): SignedInUser,
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Redirect, Problem> {
    let account = number_in_path(id)?;
    keeper::delete_transactions(&app.kept, app.actor(&user), account).await?;
    Ok(back_to(account, "deleted"))
}

/// `POST /admin/accounts/{id}/transactions/{transaction}/delete`
pub(super) async fn delete_transaction(
    SignedInUser(user): SignedInUser,
    State(app): State<Arc<App>>,
    ids: Result<Path<(String, String)>, PathRejection>,
) -> Result<Redirect, Problem> {
    let (account, transaction) = numbers_in_path(ids)?;
    keeper::delete_transaction(&app.kept, app.actor(&user), account, transaction).await?;
    Ok(back_to(account, "deleted"))
}

fn back_to(account: i64, done: &str) -> Redirect {
    Redirect::to(&format!("{HOME}/accounts/{account}?done={done}"))
}
