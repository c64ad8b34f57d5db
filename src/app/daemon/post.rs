//! Sends messages that are due, beside the ticks: a pass takes as long as the mail server takes.

use std::sync::Arc;

use super::Daemon;
use super::tick::Worked;
use crate::app::controller::clock::Clock;

pub(super) fn tick(_daemon: &Arc<Daemon>, _clock: &Clock) -> anyhow::Result<Worked> {
    Ok(Worked::Nothing)
}
