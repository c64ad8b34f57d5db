//! What turnus promises, tried against the real thing: one binary, one module per subject.

mod kit;
mod run;
mod store;
mod tidy;
