//! Which orders a run makes.

use std::fmt;

use crate::invalid::Invalid;
use crate::strategy::Strategy;

/// Orders by one strategy in one book, each for another customer.
#[derive(Debug, Clone)]
pub struct Orders {
    /// The endpoint below `/orders/`.
    pub strategy: Strategy,
    /// The book in which they are numbered.
    pub book: Book,
}

/// The number of a book, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Book(u32);

impl Book {
    /// What the INTEGER of every engine can hold.
    const LAST: u32 = i32::MAX.unsigned_abs();

    /// Draws a book. It is very unlikely that it was used before, so runs do not disturb each
    /// other.
    #[must_use]
    pub fn fresh() -> Self {
        Self(fastrand::u32(1..=Self::LAST))
    }

    /// The number itself.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Book {
    type Error = Invalid;

    fn try_from(book: u32) -> Result<Self, Invalid> {
        if (1..=Self::LAST).contains(&book) {
            Ok(Self(book))
        } else {
            Err(Invalid(format!("a book is 1 to {}", Self::LAST)))
        }
    }
}

impl fmt::Display for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_book_has_limits() {
        assert!(Book::try_from(0).is_err());
        assert!(Book::try_from(1).is_ok());
        assert!(Book::try_from(u32::MAX).is_err());
    }
}
