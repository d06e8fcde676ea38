//! The keeper: between two lessons, a user opens and resets accounts and deletes transactions.
//! There are pages at `/admin`, which need no JavaScript, and an API for scripts.
//!
//! Every change needs a user ([`SignedInUser`](super::signed_in_user::SignedInUser)). And if a
//! browser sends the request, one of the service's own pages must have caused it: a browser adds
//! its cookies to requests that any site's page causes, and says which site it was.

mod api;
mod forms;
mod look;
mod pages;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::app::App;
use super::problem::Problem;
use crate::auth::User;
use crate::keeper::Actor;

pub(super) use api::PART;
pub(super) use pages::show_problems;

/// The keeper's pages.
pub(super) fn pages() -> Router<Arc<App>> {
    Router::new()
        .route("/admin", get(pages::accounts))
        .route("/admin/", get(pages::accounts))
        .route("/admin/accounts", get(pages::to_accounts).post(forms::open))
        .route("/admin/accounts/{id}", get(pages::account))
        .route("/admin/accounts/{id}/reset", post(forms::reset))
        .route(
            "/admin/accounts/{id}/transactions/delete",
            post(forms::delete_transactions),
        )
        .route(
            "/admin/accounts/{id}/transactions/{transaction}/delete",
            post(forms::delete_transaction),
        )
        .route("/admin/changes", get(pages::changes))
        .route("/admin/login", get(pages::login).post(forms::sign_in))
        .route("/admin/logout", post(forms::sign_out))
        .route("/admin/{*elsewhere}", any(Problem::unknown_path))
        .method_not_allowed_fallback(Problem::wrong_method)
        .route_layer(from_this_site_only())
}

impl App {
    /// The user as the author of a change. During the change, no deposit of this instance is made
    /// to the account.
    fn actor<'a>(&'a self, user: &'a User) -> Actor<'a> {
        Actor {
            name: &user.username,
            memory: Some(&self.memory),
        }
    }
}

pub(super) fn from_this_site_only() -> CsrfLayer<fn(ProtectionError) -> Response> {
    CsrfLayer::new().with_rejection_response(refuse_other_sites)
}

fn refuse_other_sites(_why: ProtectionError) -> Response {
    Problem::cross_site().into_response()
}
