//! Values that may stand only once.

use std::collections::BTreeMap;

use super::findings::Wrong;
use super::quote::quoted;
use super::value::Value;

/// The values that were seen, each with its place.
#[derive(Debug, Default)]
pub struct Distinct(BTreeMap<String, usize>);

impl Distinct {
    /// Reports `value` if the same `key` was there before.
    pub fn admit(&mut self, key: &str, value: &Value<'_>) {
        match self.0.get(key) {
            Some(first) => value.report(Wrong::new(format!("{} is there twice", quoted(key))).repeats(*first)),
            None => drop(self.0.insert(key.to_owned(), value.offset())),
        }
    }
}
