//! What the tests stand on: real engines, a database per test, and clients that move step by step.

pub mod client;
pub mod lab;
pub mod process;
pub mod service;

pub use client::Client;
pub use lab::{Lab, TestEngine};

use std::time::{Duration, Instant};

/// Defines each of these tests, which take a [`TestEngine`], once per engine; those under `innodb`,
/// about what only InnoDB has, such as row locks, for MySQL and MariaDB alone.
macro_rules! on_engines {
    (every: $($every:ident),* $(,)?; innodb: $($innodb:ident),* $(,)?) => {
        on_engines!(@ mysql, MySql: $($every,)* $($innodb,)*);
        on_engines!(@ mariadb, MariaDb: $($every,)* $($innodb,)*);
        on_engines!(@ sqlite, Sqlite: $($every,)*);
    };
    (@ $module:ident, $engine:ident: $($test:ident,)*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test($crate::support::TestEngine::$engine).await;
                }
            )*
        }
    };
}

/// Waits until a condition holds that the test has made inevitable. The pause between two looks
/// orders nothing; the deadline turns a hang into a failure.
pub async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
