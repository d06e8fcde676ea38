//! Reads the numbers and lengths of the protocol, whose numbers begin with their lowest byte.

use crate::proxy::bytes::{self, Encoding};

pub(in crate::proxy) use crate::proxy::bytes::NotUnderstood;

/// Reads one payload.
pub(super) type Bytes<'a> = bytes::Bytes<'a, MySql>;

/// The protocol of MySQL and MariaDB.
#[derive(Debug, Clone)]
pub(super) struct MySql;

impl Encoding for MySql {
    const WHOLE: &'static str = "packet";
}

impl<'a> Bytes<'a> {
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
        self.take(usize::try_from(length).map_err(|_| Self::too_short())?)
    }
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
