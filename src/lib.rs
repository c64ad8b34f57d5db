//! turnus keeps the maintenance promises that an IT service provider makes to its customers.

pub mod app;
pub mod domain;
pub mod edge;
