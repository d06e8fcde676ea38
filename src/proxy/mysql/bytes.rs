//! Reads the primitive values of the protocol from one payload.

use std::fmt;

/// A packet that does not mean what the conversation allows at this point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) struct NotUnderstood(pub(in crate::proxy) String);

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotUnderstood {}

/// Reads a payload from its beginning. No read goes beyond the end.
#[derive(Debug, Clone)]
pub(super) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], NotUnderstood> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(too_short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NotUnderstood> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(too_short)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, NotUnderstood> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, NotUnderstood> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, NotUnderstood> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, NotUnderstood> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number whose first byte says how long it is.
    pub(super) fn length(&mut self) -> Result<u64, NotUnderstood> {
        match self.u8()? {
            0xFC => self.u16().map(u64::from),
            0xFD => {
                let [low, middle, high] = self.array()?;
                Ok(u64::from(u32::from_le_bytes([low, middle, high, 0])))
            }
            0xFE => self.u64(),
            first @ (0xFB | 0xFF) => {
                let complaint = format!("a length does not begin with 0x{first:02X}");
                Err(NotUnderstood(complaint))
            }
            small => Ok(u64::from(small)),
        }
    }

    /// The bytes of a value that follow its length.
    pub(super) fn sized(&mut self) -> Result<&'a [u8], NotUnderstood> {
        let length = self.length()?;
        self.take(usize::try_from(length).map_err(|_| too_short())?)
    }

    /// The bytes before the next zero byte, which is read as well.
    pub(super) fn until_zero(&mut self) -> Result<&'a [u8], NotUnderstood> {
        let end = self.rest.iter().position(|byte| *byte == 0);
        let text = self.take(end.ok_or_else(too_short)?)?;
        self.take(1)?;
        Ok(text)
    }
}

fn too_short() -> NotUnderstood {
    NotUnderstood("a packet ends too early".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_takes_one_three_four_or_nine_bytes() {
        const CASES: [(&[u8], u64); 5] = [
            (&[0xFA], 250),
            (&[0xFC, 0xFB, 0x00], 251),
            (&[0xFD, 0x00, 0x00, 0x01], 65_536),
            (&[0xFE, 0, 0, 0, 1, 0, 0, 0, 0], 16_777_216),
            (&[0xFE, 255, 255, 255, 255, 255, 255, 255, 255], u64::MAX),
        ];
        for (payload, length) in CASES {
            assert_eq!(Bytes::new(payload).length(), Ok(length), "{payload:?}");
        }
    }

    #[test]
    fn nothing_is_read_beyond_the_end() {
        for payload in [
            &[][..],
            &[0xFB],
            &[0xFF],
            &[0xFC, 1],
            &[0xFD, 1, 1],
            &[0xFE],
        ] {
            assert!(Bytes::new(payload).length().is_err(), "{payload:?}");
        }
        assert!(Bytes::new(&[5, 1, 2]).sized().is_err());
        assert!(Bytes::new(b"text").until_zero().is_err());
        let longest = [0xFE, 255, 255, 255, 255, 255, 255, 255, 255, 1];
        assert!(Bytes::new(&longest).sized().is_err());
    }
}
