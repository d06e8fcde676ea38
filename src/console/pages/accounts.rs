//! The accounts, for everyone to read.

use maud::{Markup, html};

use super::frame::{Frame, Place};
use super::parts::{scroll, with_query};
use crate::accounts::Account;

/// The page. `next` is where the next page begins, if there is one.
pub fn page(accounts: &[Account], next: Option<i64>, user: Option<&str>) -> Markup {
    let table = html! {
        table {
            caption { "What they hold, and what they should hold by their transactions" }
            thead {
                tr {
                    th scope="col" { "Account" }
                    th.number scope="col" { "Balance" }
                    th.number scope="col" { "Expected" }
                    th.number scope="col" { "Lost" }
                    th.number scope="col" { "Transactions" }
                    th scope="col" { span.hidden { "What to do" } }
                }
            }
            tbody {
                @for it in accounts {
                    tr {
                        th scope="row" { (it.id) }
                        td.number { (it.balance) }
                        td.number { (it.expected) }
                        td.number { span class=[(it.lost != 0).then_some("lost")] { (it.lost) } }
                        td.number { (it.transactions) }
                        td {
                            a href=(with_query("/runs", &[("account", it.id.to_string())])) {
                                "Run against account " (it.id)
                            }
                        }
                    }
                }
            }
        }
    };
    Frame::new("Accounts", Place::Accounts, user).page(&html! {
        (scroll("Accounts", &table))
        @if accounts.is_empty() { p { "There are no accounts here." } }
        @if let Some(next) = next {
            nav aria-label="Pages" {
                a rel="next" href={ "/accounts.html?after=" (next) } { "Next page" }
            }
        }
        p.faint {
            "The keeper opens and resets accounts. For programs: "
            a href="/accounts" { "the same as JSON" } "."
        }
    })
}
