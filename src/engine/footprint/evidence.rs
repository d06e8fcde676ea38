//! Whether an answer shows that a row was read.

use sqlparser::ast::{Expr, Query, Select, SelectItem, SetExpr, TableFactor};

/// Which answer to a query shows that InnoDB has read a row for it, and so has taken its snapshot.
/// A condition that cannot be true is answered without a look at any table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Evidence {
    /// None does.
    #[default]
    Nothing,
    /// A row does.
    AnyRow,
    /// A value that is neither NULL nor 0 does: all columns are sums, counts and the like.
    AnyValue,
    /// Each does, because there is no condition.
    AnyAnswer,
}

/// What shows that the query has read a row of a table.
pub(super) fn evidence(query: &Query) -> Evidence {
    let SetExpr::Select(select) = &*query.body else {
        return Evidence::Nothing;
    };
    if query.with.is_some() || select.from.is_empty() || !reads_only_tables(select) {
        return Evidence::Nothing;
    }
    let is_one_table = matches!(&select.from[..], [table] if table.joins.is_empty());
    let is_limited = query.limit_clause.is_some() || query.fetch.is_some();
    let has_condition = select.selection.is_some() || select.having.is_some();
    if is_one_table && !has_condition && !is_limited {
        Evidence::AnyAnswer
    } else if select.projection.iter().all(is_column) {
        Evidence::AnyRow
    } else if select.projection.iter().all(is_sum) {
        Evidence::AnyValue
    } else {
        Evidence::Nothing
    }
}

/// Whether all that it reads from are names, and no functions or subqueries.
fn reads_only_tables(select: &Select) -> bool {
    let mut factors = select.from.iter().flat_map(|table| {
        let joined = table.joins.iter().map(|it| &it.relation);
        std::iter::once(&table.relation).chain(joined)
    });
    factors.all(|it| matches!(it, TableFactor::Table { args: None, .. }))
}

fn is_column(item: &SelectItem) -> bool {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        }
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        _ => false,
    }
}

fn is_sum(item: &SelectItem) -> bool {
    const SUMS: [&str; 5] = ["COUNT", "SUM", "MIN", "MAX", "AVG"];
    match item {
        SelectItem::UnnamedExpr(Expr::Function(function))
        | SelectItem::ExprWithAlias {
            expr: Expr::Function(function),
            ..
        } => SUMS.contains(&function.name.to_string().to_uppercase().as_str()),
        _ => false,
    }
}
