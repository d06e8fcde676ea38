//! Password hashes: slow on purpose, and computed on threads of their own.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::Password;
use super::argon::Argon;
use crate::engine::Fault;

/// Held while a password is hashed or checked. That takes 19 MiB and a processor for about 20
/// milliseconds, and several at once would only help guessing.
pub(super) static TURN: Mutex<()> = Mutex::const_new(());

/// Hashes a password with Argon2id and a new salt, in PHC's format.
///
/// # Errors
/// The system has no random numbers.
pub(super) async fn hash(password: Password) -> Result<String, Fault> {
    let _turn = TURN.lock().await;
    aside(move || {
        let hash = Argon::default().hash_password(password.as_bytes());
        hash.map(|hash| hash.to_string())
            .map_err(|error| Fault::other(error.to_string()))
    })
    .await?
}

/// The hash of no password that a user could have. It is as costly as any that [`hash`] makes.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$cmFjeS1ub2JvZHktcmFjeQ$\
                       PqT8ABsSdRhMMAR3wpGNZQM1VVRmxQGFKwBTCPUmKQM";

/// Checks a password against its hash. `hash` is None if there is no such user. That takes as long,
/// so that the time does not tell which users there are.
///
/// # Errors
/// The check could not be run.
pub(super) async fn is_right(password: Password, hash: Option<String>) -> Result<bool, Fault> {
    aside(move || {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODYS.to_owned());
        let matches = PasswordHash::new(&hash).is_ok_and(|hash| {
            Argon::default()
                .verify_password(password.as_bytes(), &hash)
                .is_ok()
        });
        known && matches
    })
    .await
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    #[cfg(test)]
    tests::HASHES.with(|count| count.set(count.get() + 1));
    let done = spawn_blocking(work).await;
    done.map_err(|error| Fault::other(error.to_string()))
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
            /// How many hashes were computed.
        pub(in crate::auth) static HASHES: Cell<u32> = const { Cell::new(0) };
    }

    fn typed(text: &str) -> Password {
        Password::typed(text.to_owned())
    }

    #[tokio::test]
    async fn the_right_password_is_right_and_nobodys_is_not() {
        let hash = hash(typed("a grain of salt")).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(
            is_right(typed("a grain of salt"), Some(hash.clone()))
                .await
                .unwrap()
        );
        assert!(
            !is_right(typed("a grain of sand"), Some(hash))
                .await
                .unwrap()
        );
        assert!(!is_right(typed("a grain of salt"), None).await.unwrap());
        assert!(
            !is_right(typed("a grain of salt"), Some("nonsense".to_owned()))
                .await
                .unwrap()
        );
    }

    #[tokio::test]
    async fn a_guess_at_nobody_costs_as_much() {
        let somebodys = hash(typed("a grain of salt")).await.unwrap();
        let [somebodys, nobodys] =
            [&somebodys, NOBODYS].map(|hash| PasswordHash::new(hash).unwrap());
        assert_eq!(nobodys.algorithm, somebodys.algorithm);
        assert_eq!(nobodys.version, somebodys.version);
        assert_eq!(nobodys.params, somebodys.params);
        let lengths = |hash: &PasswordHash| {
            (
                hash.salt.as_ref().map(|it| it.as_ref().len()),
                hash.hash.as_ref().map(|it| it.as_ref().len()),
            )
        };
        assert_eq!(lengths(&nobodys), lengths(&somebodys));
    }
}
