//! A mail server, and the connections to it.

use super::{Error, Letter, Refusal, compose};
use crate::domain::settings::delivery::Smtp;

/// A mail server.
#[derive(Debug)]
pub struct Server {
    host: String,
}

impl Server {
    pub(super) fn open(settings: &Smtp, _password: Option<&str>) -> Result<Self, Error> {
        Ok(Self { host: settings.host.clone() })
    }

    pub(super) async fn send(&self, letter: &Letter) -> Result<(), Refusal> {
        compose(letter)?;
        Err(Refusal::transient(&self.host))
    }
}
