//! Reads the primitive values of the protocol from one message.

use std::fmt;

/// A message that does not mean what the conversation allows at this point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct NotUnderstood(pub(in crate::proxy) String);

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotUnderstood {}

/// Reads a message from its beginning. No read goes beyond the end.
#[derive(Debug, Clone)]
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Leaves out everything that was not read yet.
    pub(super) fn skip_all(&mut self) {
        self.rest = &[];
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], NotUnderstood> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(too_short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], NotUnderstood> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(too_short)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, NotUnderstood> {
        self.array::<1>().map(|[byte]| byte)
    }

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

    /// The bytes before the next zero byte, which is read as well.
    pub(super) fn until_zero(&mut self) -> Result<&'a [u8], NotUnderstood> {
        let end = self.rest.iter().position(|byte| *byte == 0);
        let text = self.take(end.ok_or_else(too_short)?)?;
        self.take(1)?;
        Ok(text)
    }

    /// A name. One that is not UTF-8 has replacement characters.
    pub(super) fn name(&mut self) -> Result<String, NotUnderstood> {
        let name = self.until_zero()?;
        Ok(String::from_utf8_lossy(name).into_owned())
    }

    /// The bytes of a text, also of one whose end has not come.
    pub(super) fn text(&mut self) -> &'a [u8] {
        self.until_zero()
            .unwrap_or_else(|_| std::mem::take(&mut self.rest))
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

fn too_short() -> NotUnderstood {
    NotUnderstood("a message ends too early".to_owned())
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
