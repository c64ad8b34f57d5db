//! What several tests need.

pub(crate) mod machine;
pub(crate) mod sshd;
