//! The proxy before PostgreSQL while no run is under way: it is transparent.

mod bytes;
mod counts;
mod ends;
mod left_open;
mod opaque;
mod refusals;
mod results;

use racy::engine::Settings;
use racy::engine::local::{Folder, LocalServer};
use racy::proxy::Proxy;

use crate::support::lab::Fresh;
use crate::support::postgres_wire::RawClient;
use crate::support::proxied::{proxy_before, server_of};
use crate::support::{Lab, TestEngine};

/// A test's database with the proxy in front of it.
struct Proxied {
    lab: Lab,
    proxy: Proxy,
}

impl Proxied {
    async fn start(engine: TestEngine) -> Self {
        let lab = engine.lab().await;
        let proxy = proxy_before(engine, server_of(&lab.database)).await;
        Self { lab, proxy }
    }

    /// A client that has logged in through the proxy.
    async fn client(&self) -> RawClient {
        RawClient::log_in(self.proxy.address(), self.lab.name()).await
    }

    /// What the proxy has to say of its connections, which is nothing as a rule.
    fn must_have_nothing_to_say(&self) {
        assert_eq!(self.proxy.remarks(), Vec::<String>::new());
        assert_eq!(self.proxy.refusals(), Vec::<String>::new());
    }
}

/// A server of its own, for a test that changes it or needs many connections.
async fn own_server(engine: TestEngine) -> (LocalServer, Lab) {
    let server = LocalServer::start(&engine.binary(), Folder::Temporary).await;
    let server = server.unwrap();
    let lab = Lab::at(Fresh::on(&server).await, Settings::default()).await;
    (server, lab)
}
