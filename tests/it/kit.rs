//! What the tests share.

pub(crate) mod account;
pub(crate) mod database;
pub(crate) mod debian;
pub(crate) mod dovecot;
pub(crate) mod machine;
pub(crate) mod office;
pub(crate) mod port;
pub(crate) mod provider;
pub(crate) mod smtp;
pub(crate) mod sshd;
pub(crate) mod template;
pub(crate) mod terminal;
pub(crate) mod updates;
pub(crate) mod world;
