//! Lists come page by page: each page begins after (or before) the number that ended the last one.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;
use utoipa::IntoParams;

use super::input::natural;
use super::problem::Problem;
use crate::accounts::Page;

/// Which page of a list is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// Only items with a greater number; a page's `next` goes here.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: Option<String>,
    /// At most this many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// Which page is asked for of a list that begins with the newest item.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct BackwardsQuery {
    /// Only items with a smaller number; a page's `next` goes here.
    #[param(value_type = Option<i64>, minimum = 0)]
    before: Option<String>,
    /// At most this many items, 1 to 1000; 100 unless given.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

impl PageQuery {
    /// Reads the page, and the limit to which it is cut.
    ///
    /// # Errors
    /// 400, which says what is wrong.
    pub(super) fn parse(
        query: Result<Query<Self>, QueryRejection>,
    ) -> Result<(Page, Limit), Problem> {
        let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
        let after = query.after.map(|text| natural("after", &text));
        let after = after.transpose()?.unwrap_or(0);
        let limit = Limit::parse(query.limit)?;
        let page = Page {
            after,
            limit: limit.one_more(),
        };
        Ok((page, limit))
    }
}

impl BackwardsQuery {
    /// Reads the number before which the page ends, and the limit to which it is cut.
    ///
    /// # Errors
    /// 400, which says what is wrong.
    pub(super) fn parse(
        query: Result<Query<Self>, QueryRejection>,
    ) -> Result<(i64, Limit), Problem> {
        let Query(query) = query.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
        let before = query.before.map(|text| natural("before", &text));
        let before = before.transpose()?.unwrap_or(i64::MAX);
        Ok((before, Limit::parse(query.limit)?))
    }
}

/// How many items a page has, at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit(i64);

impl Limit {
    const USUAL: i64 = 100;
    const LONGEST: i64 = 1000;

    /// Reads a limit; None stands for the usual one.
    ///
    /// # Errors
    /// 400, which says what is wrong.
    pub(super) fn parse(text: Option<String>) -> Result<Self, Problem> {
        let limit = text.map(|text| natural("limit", &text));
        let limit = limit.transpose()?.unwrap_or(Self::USUAL);
        if (1..=Self::LONGEST).contains(&limit) {
            Ok(Self(limit))
        } else {
            Err(Problem::invalid(format!(
                "\"limit\" is {limit}; it goes from 1 to {}.",
                Self::LONGEST
            )))
        }
    }

    /// The limit for a page's address. None if it is the usual one.
    pub(super) fn given(self) -> Option<i64> {
        Some(self.0).filter(|limit| *limit != Self::USUAL)
    }

    /// The number itself.
    pub(super) fn most(self) -> i64 {
        self.0
    }

    /// How many items to read: one more than a page has tells whether there is a next page.
    pub(super) fn one_more(self) -> i64 {
        self.0 + 1
    }

    /// Cuts a list to its page. Returns the number at which the page ends, if there is a next page.
    pub(super) fn cut<T>(self, items: &mut Vec<T>, number: impl Fn(&T) -> i64) -> Option<i64> {
        let limit = usize::try_from(self.0).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        items.last().map(number).filter(|_| more)
    }
}
