//! What turnus knows, without I/O, clock, randomness or async. Modules in reading order; each may import only earlier ones.

pub mod answer;
pub mod calendar;
pub mod capacity;
pub mod catalog;
pub mod document;
pub mod id;
pub mod inventory;
pub mod job;
pub mod line;
pub mod mail;
pub mod notification;
pub mod occurrence;
pub mod packages;
pub mod period;
pub mod plan;
pub mod probe;
pub mod problem;
pub mod report;
pub mod review;
pub mod run;
pub mod settings;
pub mod wording;
