//! The words of zypper.
