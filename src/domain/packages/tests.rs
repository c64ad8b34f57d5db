//! Choosing and accounting.
