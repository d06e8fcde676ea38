//! What a server offers and a client asks for, and the status that a server announces.

use std::ops::{BitAnd, BitOr};

/// A set of capabilities. The upper half are those that only MariaDB has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) struct Capabilities(pub(in crate::proxy) u64);

impl Capabilities {
    /// Set by every MySQL, and by no MariaDB that has capabilities of its own.
    pub(in crate::proxy) const MYSQL: Self = Self(1);
    /// The client's response names a database.
    pub(in crate::proxy) const CONNECT_WITH_DB: Self = Self(1 << 3);
    /// Both sides compress after the authentication.
    pub(in crate::proxy) const COMPRESS: Self = Self(1 << 5);
    /// The layout of packets since MySQL 4.1.
    pub(in crate::proxy) const PROTOCOL_41: Self = Self(1 << 9);
    /// The client may ask for TLS.
    pub(in crate::proxy) const SSL: Self = Self(1 << 11);
    /// The client's proof of its password has a length of one byte.
    pub(in crate::proxy) const SECURE_CONNECTION: Self = Self(1 << 15);
    /// The client's proof of its password has a length of any size.
    pub(in crate::proxy) const PLUGIN_AUTH_LENENC: Self = Self(1 << 21);
    /// No EOF packet follows the definitions of columns, and an OK packet ends the rows.
    pub(in crate::proxy) const DEPRECATE_EOF: Self = Self(1 << 24);
    /// The definitions of columns may be left out.
    pub(in crate::proxy) const OPTIONAL_METADATA: Self = Self(1 << 25);
    /// Both sides compress with zstd after the authentication.
    pub(in crate::proxy) const ZSTD: Self = Self(1 << 26);
    /// A query may carry attributes before its text.
    pub(in crate::proxy) const QUERY_ATTRIBUTES: Self = Self(1 << 27);
    /// MariaDB: several commands in one. No server has it any more.
    pub(in crate::proxy) const COM_MULTI: Self = Self(1 << 33);
    /// MariaDB: the definition of a column has one more text.
    pub(in crate::proxy) const EXTENDED_METADATA: Self = Self(1 << 35);
    /// MariaDB: the definitions of a prepared statement's columns may be left out.
    pub(in crate::proxy) const CACHE_METADATA: Self = Self(1 << 36);

    /// What the proxy cannot look into. It is shown to no client.
    pub(in crate::proxy) const HIDDEN: Self = Self(
        Self::SSL.0
            | Self::COMPRESS.0
            | Self::ZSTD.0
            | Self::OPTIONAL_METADATA.0
            | Self::COM_MULTI.0,
    );

    /// Whether one of these is in this set.
    pub(in crate::proxy) fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    /// This set without the others.
    pub(in crate::proxy) fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// The half that MySQL has as well.
    pub(super) fn lower(self) -> u32 {
        u32::try_from(self.0 & u64::from(u32::MAX)).unwrap_or_default()
    }

    /// The half that only MariaDB has.
    pub(super) fn upper(self) -> u32 {
        u32::try_from(self.0 >> 32).unwrap_or_default()
    }
}

impl BitAnd for Capabilities {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The flags at the end of an OK or EOF packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StatusFlags(pub(super) u16);

impl StatusFlags {
    pub(super) fn has_more_results(self) -> bool {
        self.0 & 0x0008 != 0
    }

    pub(super) fn has_out_parameters(self) -> bool {
        self.0 & 0x1000 != 0
    }

    pub(super) fn has_cursor(self) -> bool {
        self.0 & 0x0040 != 0
    }
}

/// The state of a session, as its server announced it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) struct Status {
    /// Whether a transaction is open. `None` after an error, which does not say it.
    pub(in crate::proxy) in_transaction: Option<bool>,
    /// Whether each statement commits by itself outside a transaction.
    pub(in crate::proxy) autocommit: bool,
}

impl Status {
    /// The state after an error: some errors roll back the transaction, and most do not.
    pub(super) fn after_error(self) -> Self {
        Self {
            in_transaction: None,
            ..self
        }
    }
}

impl From<StatusFlags> for Status {
    fn from(flags: StatusFlags) -> Self {
        Self {
            in_transaction: Some(flags.0 & 0x0001 != 0),
            autocommit: flags.0 & 0x0002 != 0,
        }
    }
}
