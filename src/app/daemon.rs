//! The role that keeps the calendar: opens occurrences at their time, drives their runs, tells people; one of several, or alone.
//!
//! Knows store and controller; does not know terminals or files: what holds is what was applied. Each of its ticks is one step that
//! may be repeated by anybody at any time; what has become of it is in the database, so that a daemon that dies leaves nothing
//! behind that another does not find.
//!
//! Invariants: every decision about an occurrence is taken by the database's clock; a tick that fails, hangs or panics holds up no
//! other tick, and one customer's trouble no other customer.

pub mod acceptance;
pub mod announce;
pub(super) mod applied;
pub mod capacity;
pub mod collect;
mod crew;
pub mod housekeeping;
pub mod materialise;
pub mod open;
pub mod period;
mod planning;
mod post;
pub mod recover;
mod schedule;
pub mod serve;
pub mod tick;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::crew::Crew;
use self::tick::Pulse;
use super::controller::drive::Controller;
use super::post::Office;
use crate::domain::settings::delivery::Acceptance;
use crate::domain::settings::{Settings, Ssh};
use crate::domain::wording::WordingFile;
use crate::edge::store::Store;
use crate::edge::store::error::Error as StoreError;

/// Tasks that were ended let go of the database within this time.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// What all ticks and drivers of this process share.
pub struct Daemon {
    store: Store,
    controller: Controller,
    /// How hosts are reached from this machine, where their inventory does not say.
    ssh: Ssh,
    /// What sends messages; absent where nothing says where they go.
    office: Option<Office>,
    /// What silence to a report means.
    acceptance: Acceptance,
    crew: Crew,
    pulse: Pulse,
}

impl Daemon {
    /// A daemon that does nothing by itself until it is served: as this machine's settings say, with the provider's own words for
    /// messages.
    ///
    /// # Errors
    /// If this machine can't make connections to hosts.
    pub fn new(
        store: Store,
        settings: &Settings,
        wording: &[WordingFile],
        state_dir: &Path,
    ) -> anyhow::Result<Arc<Self>> {
        let controller = Controller::open(&settings.ssh, state_dir)?;
        let office = Office::new(settings, wording.to_vec(), controller.name.clone());
        let (ssh, acceptance) = (settings.ssh.clone(), settings.acceptance.clone());
        let (crew, pulse) = (Crew::default(), Pulse::default());
        Ok(Arc::new(Self { store, controller, ssh, office, acceptance, crew, pulse }))
    }

    /// Waits until what a tick of [`tick::Tick::Collect`] or [`tick::Tick::Capacity`] has begun is collected, and what one of [`tick::Tick::Post`] has begun is sent.
    pub async fn settle(&self) {
        self.crew.settle_aside().await;
    }

    /// Closes the database as soon as no task uses it any more; the private one then stops, unless somebody else needs it.
    ///
    /// # Errors
    /// If the private database can't be stopped.
    pub async fn close(mut daemon: Arc<Self>) -> Result<(), StoreError> {
        let began = Instant::now();
        while began.elapsed() < CLOSE_LIMIT {
            match Arc::try_unwrap(daemon) {
                Ok(alone) => return alone.store.close().await,
                Err(shared) => daemon = shared,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tracing::debug!("a task still uses the database");
        Ok(())
    }

    /// The name of this controller.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.controller.name
    }
}
