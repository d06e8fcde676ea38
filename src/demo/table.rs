//! Results as a table.

use std::fmt::Write as _;

/// A table with a rule under its header. All columns but the first are aligned to the right.
pub(super) fn aligned<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    let rows: Vec<_> = std::iter::once(header.map(str::to_owned))
        .chain(rows)
        .collect();
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut table = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let _ = if column == 0 {
                write!(table, "{cell:width$}")
            } else {
                write!(table, " {cell:>width$}")
            };
        }
        table.push('\n');
        if number == 0 {
            let rule = widths.iter().sum::<usize>() + COLUMNS - 1;
            let _ = writeln!(table, "{}", "─".repeat(rule));
        }
    }
    table
}
