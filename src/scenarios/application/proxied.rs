//! A client whose statements pass a proxy: it sends a request, or it is a program.

use std::sync::Arc;

use super::command::CommandClient;
use super::request::RequestPlan;
use super::visit::RequestClient;

/// A client whose statements pass a proxy.
#[derive(Debug, Clone)]
pub(in crate::scenarios) enum ProxiedClient {
    /// It sends a request to the application.
    Request(Arc<RequestClient>),
    /// It is a program.
    Command(Arc<CommandClient>),
}

impl ProxiedClient {
    /// The requests that it sends before any run.
    pub(super) fn before(&self) -> &[RequestPlan] {
        match self {
            Self::Request(client) => &client.before,
            Self::Command(client) => &client.before,
        }
    }

    /// The request that it sends in each run. None if it is a program.
    pub(super) fn request(&self) -> Option<&RequestClient> {
        match self {
            Self::Request(client) => Some(client),
            Self::Command(_) => None,
        }
    }
}
