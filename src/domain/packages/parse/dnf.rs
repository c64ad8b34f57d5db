//! The words of dnf.
