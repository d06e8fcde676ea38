//! Reads the numbers and texts of the protocol, whose numbers begin with their highest byte.

use crate::proxy::bytes::{self, Encoding};

pub(in crate::proxy) use crate::proxy::bytes::NotUnderstood;

/// Reads one message.
pub(super) type Bytes<'a> = bytes::Bytes<'a, Postgres>;

/// The protocol of PostgreSQL.
#[derive(Debug, Clone)]
pub(super) struct Postgres;

impl Encoding for Postgres {
    const WHOLE: &'static str = "message";
}

impl<'a> Bytes<'a> {
    pub(super) fn u16(&mut self) -> Result<u16, NotUnderstood> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, NotUnderstood> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn i16(&mut self) -> Result<i16, NotUnderstood> {
        self.array().map(i16::from_be_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, NotUnderstood> {
        self.array().map(i32::from_be_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, NotUnderstood> {
        self.array().map(i64::from_be_bytes)
    }

    /// The bytes of a value that follow its length. `None` for NULL, whose length is negative.
    pub(super) fn sized(&mut self) -> Result<Option<&'a [u8]>, NotUnderstood> {
        match usize::try_from(self.i32()?) {
            Ok(length) => self.take(length).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// A name. One that is not UTF-8 has replacement characters.
    pub(super) fn name(&mut self) -> Result<String, NotUnderstood> {
        let name = self.until_zero()?;
        Ok(String::from_utf8_lossy(name).into_owned())
    }

    /// The bytes of a text, also of one whose end has not come.
    pub(super) fn text(&mut self) -> &'a [u8] {
        self.until_zero().unwrap_or_else(|_| self.take_all())
    }

    /// This number of short numbers, which follow their count.
    pub(super) fn counted<T>(
        &mut self,
        read: impl Fn(&mut Self) -> Result<T, NotUnderstood>,
    ) -> Result<Vec<T>, NotUnderstood> {
        let count = self.u16()?;
        (0..count).map(|_| read(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_beyond_the_end() {
        assert!(Bytes::new(&[0, 0, 1]).u32().is_err());
        assert!(Bytes::new(&[0, 0, 0, 2, 1]).sized().is_err());
        assert!(Bytes::new(b"text").until_zero().is_err());
        assert!(Bytes::new(&[0, 2, 0, 1, 0]).counted(Bytes::u16).is_err());
    }

    #[test]
    fn null_has_a_negative_length() {
        assert_eq!(Bytes::new(&[255; 4]).sized(), Ok(None));
        assert_eq!(Bytes::new(&[0; 4]).sized(), Ok(Some(&[][..])));
    }
}
