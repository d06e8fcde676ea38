//! The keeper: between two lessons, accounts are opened and reset and transactions deleted. For people
//! there are pages at `/admin`, which need no JavaScript; for scripts the same is an API.
//!
//! Who wants to change anything has to be somebody ([`SignedIn`](signed_in::SignedIn)), and if a browser
//! sends the request, it has to come from one of the service's own pages: a browser adds its cookies to
//! whatever page of whatever site asks it to, and says which site it was.

mod api;
mod forms;
mod look;
mod pages;
mod signed_in;

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

/// For people.
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
    /// The user who is signed in. A change by this user keeps this instance's deposits out
    /// meanwhile.
    fn actor<'a>(&'a self, user: &'a User) -> Actor<'a> {
        Actor {
            name: &user.username,
            memory: Some(&self.memory),
        }
    }
}

fn from_this_site_only() -> CsrfLayer<fn(ProtectionError) -> Response> {
    CsrfLayer::new().with_rejection_response(refuse_other_sites)
}

fn refuse_other_sites(_why: ProtectionError) -> Response {
    Problem::cross_site().into_response()
}
