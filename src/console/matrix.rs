//! The matrix that comes with the program: the report behind docs/matrix.md, as tools/matrix writes
//! it.

use std::sync::LazyLock;

use crate::explore::report::{Report, VERSION, read};

const SHIPPED: &[u8] = include_bytes!("../../docs/matrix.json");

static REPORT: LazyLock<Report> = LazyLock::new(|| {
    // A test reads it.
    read(SHIPPED).unwrap_or_else(|error| Report {
        version: VERSION,
        findings: Vec::new(),
        missing: vec![format!("the matrix that comes with the program: {error}")],
        broken: Vec::new(),
    })
});

/// Every strategy on every engine at every level, as it was when this program was made.
pub fn shipped() -> &'static Report {
    &REPORT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_that_comes_with_the_program_can_be_read() {
        assert_eq!(shipped().missing, [""; 0]);
    }
}
