//! What is learned by watching: the timeline of each request.

pub mod timeline;
