//! What the service learns by watching itself: the timeline of each request, and the metrics of
//! all of them.

pub mod audit;
pub mod metrics;
pub mod timeline;
