//! The keeper's pages.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::api::page_of_changes;
use super::look;
use crate::accounts::{self, Account, Transaction};
use crate::http::accounts::{find_account, number_in_path};
use crate::http::app::App;
use crate::http::console::instead_of;
use crate::http::paging::{BackwardsQuery, PageQuery};
use crate::http::problem::{Complaint, Problem};
use crate::http::signed_in_user::SignedInUser;
use crate::keeper::Change;

/// Shows every problem as a page. A page that needs a user redirects to the login, which leads
/// back.
pub(in crate::http) async fn show_problems(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path_and_query().map(ToString::to_string);
    let response = next.run(request).await;
    let Some(complaint) = response.extensions().get::<Complaint>() else {
        return response;
    };
    if complaint.status == StatusCode::UNAUTHORIZED && method == Method::GET {
        let login = login_path(path.as_deref().unwrap_or(HOME));
        return Redirect::to(&login).into_response();
    }
    let page = html! {
        (look::complaint(complaint))
        @if complaint.status == StatusCode::UNAUTHORIZED {
            p { a href="/admin/login" { "Sign in" } }
        } @else {
            p { a href=(HOME) { "Back to the accounts" } }
        }
    };
    let page = look::page(complaint.title, None, page);
    instead_of(response, page)
}

/// The keeper's first page.
pub(super) const HOME: &str = "/admin";

fn login_path(next: &str) -> String {
    let mut path = String::from("/admin/login?next=");
    path.extend(percent_encoding(next));
    path
}

/// Encodes everything but letters, digits and slashes, so that nothing of it ends the query's
/// value.
fn percent_encoding(text: &str) -> impl Iterator<Item = String> {
    text.bytes().map(|byte| match byte {
        b'/' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    })
}

/// The page for users that is not one of the keeper's.
const FOR_USERS: &str = "/scenarios";

/// The page after the login. Whatever the link says, it is a page for users.
pub(super) fn way_on(next: Option<&str>) -> &str {
    let ours = |path: &&str| {
        let below = path.strip_prefix(HOME);
        let is_below = below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        let is_page = !path.starts_with("/admin/login") && !path.starts_with("/admin/logout");
        (is_below || *path == FOR_USERS)
            && is_page
            && !path.contains("..")
            && path.bytes().all(|byte| byte.is_ascii_graphic())
    };
    next.filter(ours).unwrap_or(HOME)
}

#[derive(Debug, Deserialize)]
pub(super) struct LoginQuery {
    next: Option<String>,
}

/// `GET /admin/login`
pub(super) async fn login(query: Result<Query<LoginQuery>, QueryRejection>) -> Markup {
    let next = query.ok().and_then(|Query(query)| query.next);
    login_page("", way_on(next.as_deref()), None)
}

/// The login form, with the username that was typed before and what was wrong.
pub(super) fn login_page(username: &str, next: &str, complaint: Option<&Complaint>) -> Markup {
    let is_wrong = complaint.map(|_| "true");
    let form = html! {
        @if let Some(complaint) = complaint { (look::complaint(complaint)) }
        form.stack method="post" action="/admin/login" {
            input type="hidden" name="next" value=(next);
            label for="username" { "Username" }
            input #username name="username" value=(username) required autocomplete="username"
                autocapitalize="none" spellcheck="false" autofocus[username.is_empty()]
                aria-invalid=[is_wrong] aria-describedby=[is_wrong.and(Some("complaint"))];
            label for="password" { "Password" }
            input #password name="password" type="password" required
                autocomplete="current-password" autofocus[!username.is_empty()]
                aria-invalid=[is_wrong] aria-describedby=[is_wrong.and(Some("complaint"))];
            button { "Sign in" }
        }
        p.faint { code { "racy createsuperuser" } " makes a user." }
    };
    look::page("Sign in", None, form)
}

/// What a form has done, for the page to which it redirects. It is one of a few words, so that a
/// link cannot make the page say anything else.
#[derive(Debug, Deserialize)]
pub(super) struct DoneQuery {
    done: Option<String>,
}

fn words(query: Result<Query<DoneQuery>, QueryRejection>) -> Option<&'static str> {
    let Query(query) = query.ok()?;
    match query.done.as_deref()? {
        "opened" => Some("The account is open."),
        "reset" => Some("The account is back at its opening balance, without any transaction."),
        "deleted" => Some("Deleted. The amounts have moved into the opening balance."),
        _ => None,
    }
}

/// `GET /admin/accounts`, where the browser is after a form that could not open an account
pub(super) async fn to_accounts() -> Redirect {
    Redirect::to(HOME)
}

/// `GET /admin`
pub(super) async fn accounts(
    SignedInUser(user): SignedInUser,
    State(app): State<Arc<App>>,
    query: Result<Query<PageQuery>, QueryRejection>,
    done: Result<Query<DoneQuery>, QueryRejection>,
) -> Result<Markup, Problem> {
    let (page, limit) = PageQuery::parse(query)?;
    let mut accounts = accounts::list(&app.kept, page).await?;
    let next = limit.cut(&mut accounts, |account| account.id);
    let main = html! {
        (look::done(words(done)))
        (open_form())
        (table_of_accounts(&accounts))
        p.faint { (AMID_DEPOSITS) }
        (look::pages(HOME, "after", next, limit, page.after == 0))
    };
    Ok(look::page("Accounts", Some(&user), main))
}

/// What a change does while deposits are made.
const AMID_DEPOSITS: &str = "A change waits for deposits under way, and they wait for it, so the \
    account is right afterwards. There are two exceptions: deposits by mutex_in_process in another \
    instance, whose lock is in that instance's memory, and deposits that lose updates among \
    themselves.";

fn open_form() -> Markup {
    html! {
        form.row method="post" action="/admin/accounts" {
            label for="opening_balance" { "Opening balance" }
            input #opening_balance name="opening_balance" type="number" min="0"
                max=(i64::MAX) value="0" required;
            button { "Open an account" }
        }
    }
}

fn table_of_accounts(accounts: &[Account]) -> Markup {
    html! {
        div.scroll role="region" aria-label="Accounts" tabindex="0" {
            table {
                caption { "What they hold, and what they should hold by their transactions" }
                thead {
                    tr {
                        th scope="col" { "Account" }
                        th.number scope="col" { "Balance" }
                        th.number scope="col" { "Expected" }
                        th.number scope="col" { "Lost" }
                        th.number scope="col" { "Transactions" }
                        th scope="col" { span.hidden { "Actions" } }
                    }
                }
                tbody {
                    @for account in accounts {
                        tr {
                            th scope="row" { a href={ "/admin/accounts/" (account.id) } { (account.id) } }
                            td.number { (account.balance) }
                            td.number { (account.expected) }
                            td.number { (lost(account)) }
                            td.number { (account.transactions) }
                            td { (reset_button(account)) }
                        }
                    }
                }
            }
        }
        @if accounts.is_empty() { p { "There are no accounts here." } }
    }
}

fn lost(account: &Account) -> Markup {
    html! {
        @if account.lost == 0 { "0" } @else { span.lost { (account.lost) } }
    }
}

fn reset_button(account: &Account) -> Markup {
    let action = format!("/admin/accounts/{}/reset", account.id);
    look::button(&action, &format!("Reset account {}", account.id))
}

/// `GET /admin/accounts/{id}`
pub(super) async fn account(
    SignedInUser(user): SignedInUser,
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
    query: Result<Query<PageQuery>, QueryRejection>,
    done: Result<Query<DoneQuery>, QueryRejection>,
) -> Result<Markup, Problem> {
    let (page, limit) = PageQuery::parse(query)?;
    let account = find_account(&app, number_in_path(id)?).await?;
    let mut transactions = accounts::transactions(&app.kept, account.id, page).await?;
    let next = limit.cut(&mut transactions, |transaction| transaction.id);
    let path = format!("/admin/accounts/{}", account.id);
    let main = html! {
        (look::done(words(done)))
        (audit(&account))
        div.row {
            (reset_button(&account))
            (look::button(&format!("{path}/transactions/delete"), "Delete all transactions"))
        }
        p.faint {
            "A reset takes the account back to its opening balance. Deleting transactions changes \
             neither the balance nor what was lost: their amounts move into the opening balance."
        }
        p.faint { (AMID_DEPOSITS) }
        (table_of_transactions(&account, &transactions))
        (look::pages(&path, "after", next, limit, page.after == 0))
    };
    Ok(look::page(
        &format!("Account {}", account.id),
        Some(&user),
        main,
    ))
}

fn audit(account: &Account) -> Markup {
    html! {
        dl.facts {
            div { dt { "Balance" } dd #balance { (account.balance) } }
            div { dt { "Expected" } dd #expected { (account.expected) } }
            div { dt { "Lost" } dd #lost { (lost(account)) } }
            div { dt { "Opening balance" } dd { (account.opening_balance) } }
            div { dt { "Transactions" } dd { (account.transactions) } }
        }
    }
}

fn table_of_transactions(account: &Account, transactions: &[Transaction]) -> Markup {
    html! {
        div.scroll role="region" aria-label="Transactions" tabindex="0" {
            table {
                caption { "The transactions on record" }
                thead {
                    tr {
                        th scope="col" { "Transaction" }
                        th.number scope="col" { "Amount" }
                        th scope="col" { "When" }
                        th scope="col" { span.hidden { "Actions" } }
                    }
                }
                tbody {
                    @for Transaction { id, amount, created_at_us } in transactions {
                        @let delete = format!("/admin/accounts/{}/transactions/{id}/delete", account.id);
                        tr {
                            th scope="row" { (id) }
                            td.number { (amount) }
                            td { (time(*created_at_us)) }
                            td { (look::button(&delete, &format!("Delete transaction {id}"))) }
                        }
                    }
                }
            }
        }
        @if transactions.is_empty() { p { "There are no transactions here." } }
    }
}

/// `GET /admin/changes`
pub(super) async fn changes(
    SignedInUser(user): SignedInUser,
    State(app): State<Arc<App>>,
    query: Result<Query<BackwardsQuery>, QueryRejection>,
) -> Result<Markup, Problem> {
    let ((changes, next), limit, is_first) = page_of_changes(&app, query).await?;
    let main = html! {
        (table_of_changes(&changes))
        (look::pages("/admin/changes", "before", next, limit, is_first))
    };
    Ok(look::page("Changes", Some(&user), main))
}

fn table_of_changes(changes: &[Change]) -> Markup {
    html! {
        div.scroll role="region" aria-label="Changes" tabindex="0" {
            table {
                caption { "Who changed what, the newest first" }
                thead {
                    tr {
                        th scope="col" { "When" }
                        th scope="col" { "Who" }
                        th.number scope="col" { "Account" }
                        th scope="col" { "What" }
                    }
                }
                tbody {
                    @for change in changes {
                        tr {
                            td { (time(change.at_us)) }
                            td { (change.username) }
                            td.number { a href={ "/admin/accounts/" (change.account) } { (change.account) } }
                            td { (change.what) }
                        }
                    }
                }
            }
        }
        @if changes.is_empty() { p { "There are no changes here." } }
    }
}

/// A time in UTC, to the second.
fn time(epoch_us: i64) -> String {
    let since_epoch = Duration::from_micros(u64::try_from(epoch_us).unwrap_or_default());
    httpdate::fmt_http_date(UNIX_EPOCH + since_epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_leads_away_from_the_keepers_pages() {
        for ours in [
            "/admin",
            "/admin?after=3",
            "/admin/accounts/1?limit=2",
            "/scenarios",
        ] {
            assert_eq!(way_on(Some(ours)), ours);
        }
        for elsewhere in [
            None,
            Some(""),
            Some("https://example.com/admin"),
            Some("//example.com/admin"),
            Some("/administrator"),
            Some("/admin\\@example.com"),
            Some("/accounts"),
            Some("/admin/../docs/"),
            Some("/admin/\n"),
            Some("/admin?a\r\nset-cookie: x=y"),
            Some("/admin/ü"),
            Some("/admin/login?next=/admin"),
            Some("/admin/logout"),
        ] {
            assert_eq!(way_on(elsewhere), HOME, "{elsewhere:?}");
        }
    }

    #[test]
    fn a_path_fits_into_a_query() {
        assert_eq!(
            login_path("/admin/accounts/1?after=2&limit=3"),
            "/admin/login?next=/admin/accounts/1%3Fafter%3D2%26limit%3D3"
        );
    }

    #[test]
    fn what_was_typed_is_shown_and_not_run() {
        let page = login_page("\"><script>alert(1)</script>", "/admin", None).into_string();
        assert!(!page.contains("<script>"), "{page}");
        assert!(page.contains("&quot;&gt;&lt;script&gt;"), "{page}");
    }
}
