//! Reads what the protocols have in common from a payload or a message. Each protocol adds its own
//! numbers and lengths.

use std::fmt;
use std::marker::PhantomData;

/// Something that does not mean what the conversation allows at this point. It says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotUnderstood(pub(super) String);

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotUnderstood {}

/// The protocol whose bytes are read.
pub(super) trait Encoding {
    /// What it calls that which is read.
    const WHOLE: &'static str;
}

/// Reads bytes from their beginning. No read goes beyond the end.
#[derive(Debug, Clone)]
pub(super) struct Bytes<'a, E> {
    rest: &'a [u8],
    encoding: PhantomData<E>,
}

impl<'a, E: Encoding> Bytes<'a, E> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            encoding: PhantomData,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads everything that was not read yet.
    pub(super) fn take_all(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], NotUnderstood> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or_else(Self::too_short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], NotUnderstood> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(Self::too_short)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, NotUnderstood> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The bytes before the next zero byte, which is read as well.
    pub(super) fn until_zero(&mut self) -> Result<&'a [u8], NotUnderstood> {
        let end = self.rest.iter().position(|byte| *byte == 0);
        let text = self.take(end.ok_or_else(Self::too_short)?)?;
        self.take(1)?;
        Ok(text)
    }

    pub(super) fn too_short() -> NotUnderstood {
        NotUnderstood(format!("a {} ends too early", E::WHOLE))
    }
}
