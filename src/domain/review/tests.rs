//! Lists, selections and decisions.
