//! The words of apt.
