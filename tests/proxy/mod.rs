//! The proxy while no run is under way: it is transparent.

mod bytes;
mod commands;
mod counts;
mod ends;
mod opaque;
mod postgres;
mod refusals;
mod results;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use racy::engine::Row;

use crate::support::proxied::{Proxied, Recorder, proxy_before, server_of};
use crate::support::wire::RawClient;
use crate::support::{Lab, TestEngine};

impl Proxied {
    /// A client that has logged in through the proxy.
    async fn client(&self, capabilities: u64) -> RawClient {
        RawClient::log_in(self.proxy.address(), self.lab.name(), capabilities).await
    }
}

/// The server's connections, by their numbers, and what they run.
async fn connections(lab: &Lab) -> BTreeMap<u32, String> {
    let running = "SELECT CAST(id AS SIGNED), COALESCE(CAST(info AS CHAR), '') \
                   FROM information_schema.processlist";
    let rows = loop {
        match lab.database.rows(running, &[]).await {
            // MySQL has met a name that was being changed: it is asked again.
            Err(fault) if fault.code.as_deref() == Some("3854") => {}
            rows => break rows.unwrap(),
        }
    };
    let connection = |row: &Row| {
        let id = u32::try_from(row.integer(0).unwrap()).unwrap();
        (id, row.text(1).unwrap())
    };
    rows.iter().map(connection).collect()
}

/// Does the same directly, over a forwarder, and through the proxy, and returns both results.
async fn both_ways<T, F: Future<Output = T>>(
    engine: TestEngine,
    lab: &Lab,
    act: impl Fn(SocketAddr) -> F,
) -> (T, T) {
    let direct = Recorder::before(server_of(&lab.database)).await;
    let proxy = proxy_before(engine, server_of(&lab.database)).await;
    let one = act(direct.address).await;
    let other = act(proxy.address()).await;
    (one, other)
}
