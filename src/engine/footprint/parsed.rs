//! What a parser makes of a statement: a hint, which our own tokens check.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, Insert, MergeAction, ObjectName, OnConflictAction, OnInsert, Query,
    Statement, TableAlias, TableFactor, TableObject, TableWithJoins, Update, Value, Visit as _,
    Visitor,
};
use sqlparser::dialect::{Dialect, MySqlDialect, PostgreSqlDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::catalogue::Name;
use super::clauses::simplified;
use super::evidence::{Evidence, evidence};
use crate::engine::Flavour;

/// What a parser has found in one statement.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    /// All names of relations. Some are of this statement alone.
    pub(super) relations: Vec<Name>,
    /// The names of WITH, in lower case. No relation of the catalogue is meant by them.
    pub(super) with: BTreeSet<String>,
    /// All names that the statement itself gives, in lower case: those of WITH, and aliases.
    pub(super) given: BTreeSet<String>,
    /// The functions that are called.
    pub(super) calls: Vec<Call>,
    /// What is changed. Empty if nothing is.
    pub(super) changes: Vec<Change>,
    /// Which answer shows that rows of a table were read.
    pub(super) evidence: Evidence,
}

/// A function that is called.
#[derive(Debug)]
pub(super) struct Call {
    /// Its name without a schema, in lower case.
    pub(super) name: String,
    /// Its first argument, if that is a string or a name.
    pub(super) argument: Option<Name>,
}

/// A change of tables.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) targets: Vec<Name>,
    pub(super) kind: ChangeKind,
}

/// What kind of change it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ChangeKind {
    /// Rows are inserted. If they are there already, these columns are set, in lower case.
    Insert(Vec<String>),
    /// These columns are set, in lower case.
    Update(Vec<String>),
    /// Rows are removed, or anything may happen to them.
    Anything,
}

/// More tokens than this are not parsed: the parser calls itself for each level of an expression.
const MOST_TOKENS: usize = 2000;

/// What the parser makes of this text. None if it does not understand it, or if it is more than one
/// statement.
pub(super) fn parsed(sql: &str, flavour: Flavour) -> Option<Parsed> {
    if sql.contains("/*M!") {
        // MariaDB carries out what the parser takes for a comment.
        return None;
    }
    let dialect: Box<dyn Dialect> = match flavour {
        Flavour::MySql | Flavour::MariaDb => Box::new(MySqlDialect {}),
        Flavour::Postgres => Box::new(PostgreSqlDialect {}),
        Flavour::Sqlite => return None,
    };
    let tokens = Tokenizer::new(&*dialect, sql).tokenize_with_location();
    let tokens: Vec<_> = tokens.ok()?.into_iter().collect();
    let visible = tokens
        .into_iter()
        .filter(|it| !matches!(it.token, Token::Whitespace(_)));
    let visible = simplified(visible.collect());
    if visible.len() > MOST_TOKENS {
        return None;
    }
    let parser = Parser::new(&*dialect).with_tokens_with_locations(visible);
    let statements = { parser }.parse_statements().ok()?;
    let [statement] = &statements[..] else {
        return None;
    };
    let mut finder = Finder {
        parsed: Parsed::default(),
        flavour,
    };
    let ControlFlow::Continue(()) = statement.visit(&mut finder) else {
        return None;
    };
    let mut parsed = finder.parsed;
    if let Statement::Query(query) = statement {
        parsed.evidence = evidence(query);
    }
    Some(parsed)
}

/// Collects what a statement names.
struct Finder {
    parsed: Parsed,
    flavour: Flavour,
}

impl Finder {
    fn give(&mut self, name: &Ident) {
        self.parsed.given.insert(name.value.to_lowercase());
    }

    fn give_alias(&mut self, alias: Option<&TableAlias>) {
        if let Some(alias) = alias {
            self.give(&alias.name);
        }
    }

    fn change(&mut self, targets: Vec<Name>, kind: ChangeKind) {
        self.parsed.changes.push(Change { targets, kind });
    }

    fn insert(&mut self, insert: &Insert) {
        if let Some(alias) = &insert.table_alias {
            self.give(&alias.alias);
        }
        let row_alias = insert
            .insert_alias
            .as_ref()
            .and_then(|it| name(&it.row_alias));
        self.parsed.given.extend(row_alias.map(|it| it.folded()));
        let TableObject::TableName(table) = &insert.table else {
            return self.change(Vec::new(), ChangeKind::Anything);
        };
        let kind = match &insert.on {
            _ if insert.replace_into || insert.overwrite => Some(ChangeKind::Anything),
            None => Some(ChangeKind::Insert(Vec::new())),
            Some(OnInsert::DuplicateKeyUpdate(set)) => columns(set).map(ChangeKind::Insert),
            Some(OnInsert::OnConflict(conflict)) => match &conflict.action {
                OnConflictAction::DoNothing => Some(ChangeKind::Insert(Vec::new())),
                OnConflictAction::DoUpdate(update) => {
                    columns(&update.assignments).map(ChangeKind::Insert)
                }
            },
            Some(_) => None,
        };
        self.change(
            name(table).into_iter().collect(),
            kind.unwrap_or(ChangeKind::Anything),
        );
    }

    fn update(&mut self, update: &Update) {
        let targets = tables_of(std::slice::from_ref(&update.table));
        let kind = columns(&update.assignments).map(ChangeKind::Update);
        self.change(targets, kind.unwrap_or(ChangeKind::Anything));
    }

    fn delete(&mut self, delete: &Delete) {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let mut targets = tables_of(from);
        targets.extend(delete.tables.iter().filter_map(name));
        self.change(targets, ChangeKind::Anything);
    }
}

impl Visitor for Finder {
    /// Ends the visit at a name that is computed.
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Query(_) => {}
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => self.update(update),
            Statement::Delete(delete) => self.delete(delete),
            Statement::Merge(merge) => {
                let targets = table_of(&merge.table).into_iter().collect();
                let only_inserts = merge.clauses.iter().all(|it| {
                    matches!(
                        it.action,
                        MergeAction::Insert(_) | MergeAction::DoNothing { .. }
                    )
                });
                let kind = if only_inserts {
                    ChangeKind::Insert(Vec::new())
                } else {
                    ChangeKind::Anything
                };
                self.change(targets, kind);
            }
            _ => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for table in query.with.iter().flat_map(|it| &it.cte_tables) {
            let name = table.alias.name.value.to_lowercase();
            self.parsed.with.insert(name);
            self.give_alias(Some(&table.alias));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        match name(relation) {
            Some(name) => {
                self.parsed.relations.push(name);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name, alias, args, ..
            } => {
                self.give_alias(alias.as_ref());
                if args.is_some() {
                    self.parsed.calls.extend(call(name, None));
                }
            }
            TableFactor::Derived { alias, .. }
            | TableFactor::NestedJoin { alias, .. }
            | TableFactor::UNNEST { alias, .. } => self.give_alias(alias.as_ref()),
            TableFactor::Function { name, alias, .. } => {
                self.give_alias(alias.as_ref());
                self.parsed.calls.extend(call(name, None));
            }
            // JSON_TABLE and what other engines have.
            _ => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr {
            match call(&function.name, first_argument(function, self.flavour)) {
                Some(call) => self.parsed.calls.push(call),
                None => return ControlFlow::Break(()),
            }
        }
        ControlFlow::Continue(())
    }
}

/// A name with at most its schema. What is before that cannot be another database on PostgreSQL,
/// and is not allowed elsewhere. None if it is computed.
fn name(name: &ObjectName) -> Option<Name> {
    let parts: Option<Vec<&Ident>> = name.0.iter().map(|it| it.as_ident()).collect();
    let (last, before) = parts.as_ref()?.split_last()?;
    Some(Name {
        schema: before.last().map(|it| it.value.clone()),
        name: last.value.clone(),
        is_quoted: last.quote_style.is_some(),
    })
}

fn call(function: &ObjectName, argument: Option<Name>) -> Option<Call> {
    let name = name(function)?.folded();
    Some(Call { name, argument })
}

/// The sequence that a function's first argument names, if it is a function of sequences: on
/// PostgreSQL in a string, and on MariaDB as a name. A column there has its name in the rows.
fn first_argument(function: &Function, flavour: Flavour) -> Option<Name> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = list.args.first()? else {
        return None;
    };
    let mut expr = expr;
    while let Expr::Cast { expr: inner, .. } = expr {
        expr = inner;
    }
    let unquoted = |text: &str, is_quoted| Name {
        schema: None,
        name: text.to_owned(),
        is_quoted,
    };
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) if !flavour.is_innodb() => None,
        Expr::Identifier(it) => Some(unquoted(&it.value, it.quote_style.is_some())),
        Expr::CompoundIdentifier(parts) => {
            let (last, before) = parts.split_last()?;
            Some(Name {
                schema: before.last().map(|it| it.value.clone()),
                ..unquoted(&last.value, last.quote_style.is_some())
            })
        }
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) if !flavour.is_innodb() => name_in(text),
            _ => None,
        },
        _ => None,
    }
}

/// The name in a string such as `'public.numbers'` or `'"Numbers"'`. None if it is more.
fn name_in(text: &str) -> Option<Name> {
    let dialect = PostgreSqlDialect {};
    let mut parser = Parser::new(&dialect).try_with_sql(text).ok()?;
    let parsed = parser.parse_object_name(false).ok()?;
    let is_all = parser.peek_token().token == Token::EOF;
    name(&parsed).filter(|_| is_all)
}

/// The columns that are set, in lower case. None if it is not certain which.
fn columns(assignments: &[Assignment]) -> Option<Vec<String>> {
    let mut columns = Vec::new();
    for assignment in assignments {
        let set = match &assignment.target {
            AssignmentTarget::ColumnName(column) => std::slice::from_ref(column),
            AssignmentTarget::Tuple(columns) => columns,
        };
        for column in set {
            // Of `a.b`, either one can be the column: `b` of the table `a`, or a part of `a`.
            for part in &column.0 {
                columns.push(part.as_ident()?.value.to_lowercase());
            }
        }
    }
    Some(columns)
}

fn tables_of(tables: &[TableWithJoins]) -> Vec<Name> {
    let factors = tables.iter().flat_map(|table| {
        let joined = table.joins.iter().map(|it| &it.relation);
        std::iter::once(&table.relation).chain(joined)
    });
    factors.flat_map(tables_in).collect()
}

fn tables_in(factor: &TableFactor) -> Vec<Name> {
    match factor {
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => tables_of(std::slice::from_ref(&**table_with_joins)),
        factor => table_of(factor).into_iter().collect(),
    }
}

fn table_of(factor: &TableFactor) -> Option<Name> {
    match factor {
        TableFactor::Table { name: table, .. } => name(table),
        _ => None,
    }
}
