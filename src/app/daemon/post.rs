//! Sends messages that are due, beside the ticks: a pass takes as long as the mail server takes.
//!
//! Invariants: of one daemon there is one pass at a time; after one that was broken off the mail server is left alone for a while.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use anyhow::anyhow;
use futures_util::FutureExt;

use super::Daemon;
use super::tick::Worked;
use crate::app::controller::clock::Clock;
use crate::app::post::{Office, Post, post_due};
use crate::edge::store::notification::lease::is_due;

/// Begins a pass if something is due, and nothing stands against it.
///
/// # Errors
/// If the database can't be used, or what the settings say of messages can't.
pub(super) async fn tick(daemon: &Arc<Daemon>, clock: &Clock) -> anyhow::Result<Worked> {
    let Some(office) = &daemon.office else { return Ok(Worked::Nothing) };
    if daemon.crew.is_posting() || daemon.crew.is_leaving() || office.is_resting() {
        return Ok(Worked::Nothing);
    }
    let mut transaction = daemon.store.begin().await?;
    if !is_due(&mut transaction, clock.now()).await? {
        return Ok(Worked::Nothing);
    }
    drop(transaction);
    let post = office.open().await?;
    let (daemon, clock) = (daemon.clone(), *clock);
    daemon.clone().crew.spawn_post(async move {
        let pass = AssertUnwindSafe(make_pass(&daemon, &post, &clock)).catch_unwind().await;
        if let Err(error) = pass.unwrap_or_else(|_| Err(anyhow!("it panicked"))) {
            tracing::error!(error = format!("{error:#}"), "messages not sent");
        }
    });
    Ok(Worked::Something)
}

async fn make_pass(daemon: &Daemon, post: &Post, clock: &Clock) -> anyhow::Result<()> {
    let tally = post_due(post, &daemon.store, clock, &daemon.crew.leaving()).await?;
    if let (Some(_), Some(office)) = (tally.outage, &daemon.office) {
        Office::rest(office).await;
    }
    Ok(())
}
