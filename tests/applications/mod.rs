//! Applications: what the proxy sees of them, what is found, and what is said where it goes wrong.

mod beginnings;
mod checkout;
mod commands;
mod endpoints;
mod files;
mod instances;
mod kills;
mod login;
mod mistakes;
mod own;
mod pipelines;
mod pool;
mod postgres;
mod races;
mod shop;
mod sizes;
mod stage;
mod strangers;
mod waits;
