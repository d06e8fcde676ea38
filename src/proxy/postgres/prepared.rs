//! The prepared statements and the portals of one connection.

use std::collections::HashMap;
use std::sync::Arc;

use super::columns::{Column, with_formats};
use super::request::{Bind, Target};
use super::values::{Formats, value};
use crate::answer::Datum;

/// A prepared statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) text: Arc<str>,
    /// The types of its arguments. 0, or left out, if the server has not said them.
    pub(super) types: Vec<u32>,
    /// Empty if it returns no rows. `None` if the client has not asked.
    pub(super) columns: Option<Arc<[Column]>>,
}

/// A statement that is bound to its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Portal {
    /// `None` if the statement was not prepared by a message on this connection.
    pub(super) text: Option<Arc<str>>,
    pub(super) arguments: Vec<Datum>,
    /// The name of the statement.
    statement: String,
    formats: Formats,
    /// What the server said of the portal itself.
    columns: Option<Arc<[Column]>>,
}

impl Portal {
    /// Binds a statement.
    pub(super) fn new(bind: Bind<'_>, statement: Option<&Statement>) -> Self {
        let types = statement.map_or(&[][..], |it| &it.types);
        let arguments = bind.arguments.iter().enumerate();
        let arguments = arguments.map(|(index, argument)| match argument {
            None => Datum::Null,
            Some(bytes) => {
                let of = types.get(index).copied().unwrap_or_default();
                value(bytes, of, bind.argument_formats.is_binary(index))
            }
        });
        Self {
            text: statement.map(|it| Arc::clone(&it.text)),
            arguments: arguments.collect(),
            statement: bind.statement,
            formats: bind.result_formats,
            columns: None,
        }
    }
}

/// All prepared statements and portals by their names. The name of the unnamed ones is empty.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    statements: HashMap<String, Statement>,
    portals: HashMap<String, Portal>,
}

impl Prepared {
    pub(super) fn statement(&self, name: &str) -> Option<&Statement> {
        self.statements.get(name)
    }

    pub(super) fn portal(&self, name: &str) -> Option<&Portal> {
        self.portals.get(name)
    }

    /// Keeps a statement that the server has prepared.
    pub(super) fn insert(&mut self, name: String, statement: Statement) {
        self.statements.insert(name, statement);
    }

    /// Keeps a portal that the server has bound.
    pub(super) fn bind(&mut self, name: String, portal: Portal) {
        self.portals.insert(name, portal);
    }

    /// The server says which types a statement's arguments have.
    pub(super) fn set_types(&mut self, target: &Target, types: Vec<u32>) {
        if let Target::Statement(name) = target
            && let Some(statement) = self.statements.get_mut(name)
        {
            statement.types = types;
        }
    }

    /// The server describes what a statement or a portal returns.
    pub(super) fn set_columns(&mut self, target: &Target, columns: Arc<[Column]>) {
        match target {
            Target::Statement(name) => {
                if let Some(statement) = self.statements.get_mut(name) {
                    statement.columns = Some(columns);
                }
            }
            Target::Portal(name) => {
                if let Some(portal) = self.portals.get_mut(name) {
                    portal.columns = Some(columns);
                }
            }
        }
    }

    /// What the rows of a portal look like. `None` if the client has not asked.
    pub(super) fn columns_of(&mut self, name: &str) -> Option<Arc<[Column]>> {
        let portal = self.portals.get_mut(name)?;
        if portal.columns.is_none() {
            let statement = self.statements.get(&portal.statement)?;
            let columns = statement.columns.as_ref()?;
            portal.columns = Some(with_formats(columns, &portal.formats).into());
        }
        portal.columns.clone()
    }

    /// Forgets a statement or a portal.
    pub(super) fn close(&mut self, target: &Target) {
        match target {
            Target::Statement(name) => drop(self.statements.remove(name)),
            Target::Portal(name) => drop(self.portals.remove(name)),
        }
    }

    pub(super) fn close_all_statements(&mut self) {
        self.statements.clear();
    }

    /// Portals end with their transaction.
    pub(super) fn close_all_portals(&mut self) {
        self.portals.clear();
    }
}
