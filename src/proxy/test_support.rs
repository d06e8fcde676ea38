//! What the tests of both protocols stand on.

/// Numbers that look random and are the same in each run.
pub(super) struct Numbers(u64);

impl Numbers {
    /// The numbers that follow from this one, which is not zero.
    pub(super) fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn draw(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % below
    }

    pub(super) fn draw_bytes(&mut self, longest: usize) -> Vec<u8> {
        let length = self.draw(longest + 1);
        (0..length).map(|_| self.draw(256) as u8).collect()
    }

    pub(super) fn draw_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.draw(all.len())]
    }

    /// Changes, cuts or lengthens bytes, or leaves them alone. `telling` are bytes that mean
    /// something in the protocol.
    pub(super) fn damage(&mut self, bytes: &mut Vec<u8>, telling: &[u8]) {
        match self.draw(6) {
            0 if !bytes.is_empty() => {
                let at = self.draw(bytes.len());
                bytes[at] = self.draw_of(telling);
            }
            1 if !bytes.is_empty() => {
                let at = self.draw(bytes.len());
                bytes[at] = self.draw(256) as u8;
            }
            2 => bytes.truncate(self.draw(bytes.len() + 1)),
            3 => bytes.extend(self.draw_bytes(4)),
            _ => {}
        }
    }
}

/// The bytes of these hexadecimal digits.
pub(super) fn bytes_of(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| {
        let pair = str::from_utf8(pair).unwrap();
        u8::from_str_radix(pair, 16).unwrap()
    });
    bytes.collect()
}
