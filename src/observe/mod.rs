//! What is learned by watching: the timeline of each request, and the metrics of all of them.

pub mod audit;
pub mod metrics;
pub mod timeline;
