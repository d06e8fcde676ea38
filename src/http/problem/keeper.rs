//! Problems of signing in, and of the keeper's changes to accounts.

use std::time::Duration;

use axum::http::StatusCode;

use super::Problem;
use crate::auth::SignInError;
use crate::keeper::ChangeError;

impl Problem {
    /// 401: the request says of no user that it is theirs.
    pub(in crate::http) fn not_signed_in() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "not-signed-in",
            "Nobody is signed in",
            "Sign in at /admin/login, or send an API token (racy token create) as \
             \"Authorization: Bearer TOKEN\". A session ends after some hours.",
        )
    }

    /// 401: no such user with that password.
    fn wrong_password() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "wrong-password",
            "Not signed in",
            "There is no such user with that password. Upper and lower case count.",
        )
    }

    /// 403: another site's page has sent the request.
    pub(in crate::http) fn cross_site() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "cross-site",
            "The request comes from another site",
            "The browser says that a page of another site has sent this request. Nothing was \
             changed.",
        )
    }

    /// 404: the account has no such transaction.
    fn unknown_transaction(account: i64, id: i64) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-transaction",
            "There is no such transaction",
            format!(
                "Account {account} has no transaction {id}; GET /accounts/{account}/transactions \
                 lists those it has."
            ),
        )
    }

    /// 429: there were too many guesses at a password.
    fn too_many_guesses(retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-guesses",
                "Too many guesses",
                format!(
                    "There were too many wrong passwords for this user or from this address. Try \
                     again in {} minutes.",
                    retry_after.as_secs().div_ceil(60)
                ),
            )
        }
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::UnknownAccount(account) => Self::unknown_account(account),
            ChangeError::UnknownTransaction { account, id } => {
                Self::unknown_transaction(account, id)
            }
            ChangeError::TooMuch => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "overflow",
                "The opening balance would overflow",
                error.to_string(),
            ),
            ChangeError::Fault(fault) => fault.into(),
        }
    }
}

impl From<SignInError> for Problem {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Wrong => Self::wrong_password(),
            SignInError::TooManyGuesses(ends_in) => Self::too_many_guesses(ends_in),
            SignInError::Fault(fault) => fault.into(),
        }
    }
}
