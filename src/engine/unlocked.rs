//! MySQL's lists of connections and locks, which it reads without a lock.
//!
//! They may show a name that is just being given up. MySQL then cannot read it as text, and refuses
//! the whole question (3854). A moment later the name is gone.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Fault;

/// How long a name may be in the middle of its end: as long as its thread may wait for a processor
/// on an overloaded machine.
const A_NAME_IS_TORN: Duration = Duration::from_secs(5);

const BEFORE_READING_IT_AGAIN: Duration = Duration::from_millis(2);

/// Reads one list, again if a name in it was torn.
#[derive(Debug)]
pub(super) struct Reading {
    begun: Instant,
}

impl Reading {
    pub(super) fn begin() -> Self {
        Self {
            begun: Instant::now(),
        }
    }

    /// What was read. None, after a pause, if it has to be read again.
    pub(super) async fn done<T>(
        &self,
        read: Result<T, impl Into<Fault>>,
    ) -> Result<Option<T>, Fault> {
        match read.map_err(Into::into) {
            Ok(read) => Ok(Some(read)),
            Err(fault) if fault.is_of_a_torn_name() && self.begun.elapsed() < A_NAME_IS_TORN => {
                sleep(BEFORE_READING_IT_AGAIN).await;
                Ok(None)
            }
            Err(fault) => Err(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_with_a_torn_name_is_read_again_and_another_fault_is_told() {
        let reading = Reading::begin();
        let torn = Fault {
            code: Some("3854".to_owned()),
            ..Fault::other("Cannot convert string '\\xB4\\xA8' from utf8mb4 to utf8mb3")
        };
        assert_eq!(reading.done::<()>(Err(torn)).await.unwrap(), None);
        let other = Fault::unavailable("the server has gone away");
        let told = reading.done::<()>(Err(other)).await.unwrap_err();
        assert_eq!(told.message, "the server has gone away");
        assert_eq!(reading.done(Ok::<_, Fault>(7)).await.unwrap(), Some(7));
    }
}
