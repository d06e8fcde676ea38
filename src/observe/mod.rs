//! What the service learns by watching itself: the timeline of each request, and the metrics of
//! all of them.

pub(crate) mod audit;
pub(crate) mod metrics;
pub mod timeline;
