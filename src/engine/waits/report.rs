//! Reports of which clients wait for a lock, shared by all askers: one report answers all questions
//! that were asked before it was begun.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use super::{Wait, ask};
use crate::engine::Fault;

/// The latest report of each sort.
#[derive(Debug)]
pub(in crate::engine) struct WaitReports {
    pub(super) fast: SharedReport,
    /// MariaDB's alone, with the clients that hold the locks.
    pub(super) slow: SharedReport,
}

impl Default for WaitReports {
    fn default() -> Self {
        Self {
            fast: SharedReport::with_pause(Duration::ZERO),
            slow: SharedReport::with_pause(ask::MARIADB_KEEPS_OLD),
        }
    }
}

/// The latest report of one sort, and when the next one may be taken.
#[derive(Debug)]
pub(super) struct SharedReport {
    /// The time between the end of one report and the beginning of the next.
    pause: Duration,
    last: Mutex<Option<Report>>,
}

#[derive(Debug)]
struct Report {
    begun: Instant,
    ended: Instant,
    waits: Arc<[Wait]>,
}

impl SharedReport {
    fn with_pause(pause: Duration) -> Self {
        Self {
            pause,
            last: Mutex::default(),
        }
    }

    /// The waits in a report that was begun after `asked`.
    pub(super) async fn since(
        &self,
        asked: Instant,
        ask: impl Future<Output = Result<Vec<Wait>, Fault>>,
    ) -> Result<Arc<[Wait]>, Fault> {
        let mut last = self.last.lock().await;
        if let Some(report) = &*last {
            if report.begun >= asked {
                return Ok(Arc::clone(&report.waits));
            }
            sleep_until(report.ended + self.pause).await;
        }
        let begun = Instant::now();
        let waits: Arc<[Wait]> = ask.await?.into();
        *last = Some(Report {
            begun,
            ended: Instant::now(),
            waits: Arc::clone(&waits),
        });
        Ok(waits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ConnectionId;

    const WAIT: Wait = Wait {
        waiting: ConnectionId(1),
        holder: None,
        may_be_over: false,
    };

    #[tokio::test]
    async fn a_report_answers_those_who_asked_before_it() {
        let reports = SharedReport::with_pause(Duration::ZERO);
        let before = Instant::now();
        let seen = reports.since(before, async { Ok(vec![WAIT]) }).await;
        assert_eq!(&*seen.unwrap(), [WAIT]);
        let again = reports.since(before, async { Ok(vec![]) }).await;
        assert_eq!(&*again.unwrap(), [WAIT]);
        let later = reports.since(Instant::now(), async { Ok(vec![]) }).await;
        assert!(later.unwrap().is_empty());
    }
}
