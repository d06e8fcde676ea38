//! The proxy before PostgreSQL while no run is under way: it is transparent.

mod bytes;
mod counts;
mod ends;
mod left_open;
mod opaque;
mod refusals;
mod results;

use crate::support::postgres_wire::RawClient;
use crate::support::proxied::Proxied;

impl Proxied {
    /// A client of PostgreSQL that has logged in through the proxy.
    async fn postgres_client(&self) -> RawClient {
        RawClient::log_in(self.proxy.address(), self.lab.name()).await
    }
}
