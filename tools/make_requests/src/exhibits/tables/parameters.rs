//! Which appends a run makes.

use crate::strategy::Strategy;
use crate::table_name::{PartitionName, TableName};

/// Appends to one table by one strategy, of one record each.
#[derive(Debug, Clone)]
pub struct Appends {
    /// The endpoint below `/tables/`.
    pub strategy: Strategy,
    /// The table. None if a new one is to be made.
    pub table: Option<TableName>,
    /// The partition that all records belong to. None if each request has a partition of its own.
    pub partition: Option<PartitionName>,
}
