//! The list of tests is that of the faults that other proxies had.

mod building;
mod handshake;
mod mariadb;
mod noise;
mod prepared;
mod queries;
mod recorded;
mod values;
