//! Argon2id in memory that goes back to the system at once.
//!
//! A hash takes 19 MiB. glibc's allocator takes a block of this size from the thread's arena and
//! keeps it there: fifteen wrong passwords left 240 MB. A block of more than 32 MiB is mapped by
//! itself, and unmapped when it is freed. So a larger block is reserved than is used. Pages that
//! were never written take no memory.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{self, CustomizedPasswordHasher, Error, PasswordHasher};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// How many blocks of 1 KiB are reserved, at least. glibc never takes more than 32 MiB from an
/// arena (`DEFAULT_MMAP_THRESHOLD_MAX`).
const RESERVED_BLOCKS: usize = 33 * 1024;

/// Argon2 with these parameters. It can verify as well, as every hasher can.
#[derive(Debug, Default)]
pub(super) struct Argon {
    algorithm: Algorithm,
    version: Version,
    params: Params,
}

impl PasswordHasher<PasswordHash> for Argon {
    fn hash_password_with_salt(
        &self,
        password: &[u8],
        salt: &[u8],
    ) -> password_hash::Result<PasswordHash> {
        let salt = Salt::new(salt)?;
        let length = self.params.output_len();
        let mut buffer = [0; Output::MAX_LENGTH];
        let output = buffer
            .get_mut(..length.unwrap_or(Params::DEFAULT_OUTPUT_LEN))
            .ok_or(Error::OutputSize)?;
        let blocks = self.params.block_count();
        let mut memory = Vec::with_capacity(blocks.max(RESERVED_BLOCKS));
        memory.resize(blocks, Block::default());
        Argon2::new(self.algorithm, self.version, self.params.clone())
            .hash_password_into_with_memory(password, salt.as_ref(), output, &mut memory)?;
        Ok(PasswordHash {
            algorithm: self.algorithm.ident(),
            version: Some(self.version.into()),
            params: ParamsString::try_from(&self.params)?,
            hash: Some(Output::new(output)?),
            salt: Some(salt),
        })
    }
}

impl CustomizedPasswordHasher<PasswordHash> for Argon {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> password_hash::Result<PasswordHash> {
        let algorithm = algorithm.map(Algorithm::try_from).transpose()?;
        let version = version.map(Version::try_from).transpose()?;
        let hasher = Self {
            algorithm: algorithm.unwrap_or_default(),
            version: version.unwrap_or_default(),
            params,
        };
        hasher.hash_password_with_salt(password, salt)
    }
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::PasswordVerifier as _;

    use super::*;

    #[test]
    fn it_hashes_as_argon2_does() {
        let (password, salt) = (b"a grain of salt", b"sixteen bytes...");
        let ours = Argon::default().hash_password_with_salt(password, salt);
        let theirs = Argon2::default().hash_password_with_salt(password, salt);
        assert_eq!(ours.unwrap().to_string(), theirs.unwrap().to_string());
    }

    #[test]
    fn it_knows_what_was_hashed_with_other_parameters() {
        let params = Params::new(64, 3, 2, Some(24)).unwrap();
        let small = Argon2::new(Algorithm::Argon2i, Version::V0x10, params);
        let hash = small.hash_password(b"a grain of salt").unwrap();
        let verify = |password| Argon::default().verify_password(password, &hash);
        assert!(verify(b"a grain of salt").is_ok());
        assert!(verify(b"a grain of sand").is_err());
    }
}
