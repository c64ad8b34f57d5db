//! Writes to the database that outlast its restarts.

use std::io;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::id::{Epoch, RunId};
use crate::domain::run::event::Recorded;
use crate::edge::store::Store;
use crate::edge::store::error::{Error, Kind};
use crate::edge::store::lease::{self, Renewal};
use crate::edge::store::record::{self, Batch};

/// How long a run waits for a database that does not answer: long enough for a restart or a failover.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long it waits for one that answers and refuses to write: long enough for a failover to finish.
const PATIENCE_NOT_WRITABLE: Duration = Duration::from_secs(15);

/// A database that is cut off says nothing at all. Its own limits, the longest of which counts here, end what waits for a lock.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// The record of one run, as far as this controller has written or read it.
pub(super) struct Journal<'a> {
    store: &'a Store,
    run: RunId,
    epoch: Epoch,
    /// Everything that is stored, in order: what a restart would replay.
    pub(super) stored: Vec<Recorded>,
}

impl<'a> Journal<'a> {
    pub(super) fn new(store: &'a Store, run: RunId, epoch: Epoch, stored: Vec<Recorded>) -> Self {
        Self { store, run, epoch, stored }
    }

    /// Stores `batch`; waits as long as that may help, and calls `waiting` once if it has to.
    ///
    /// # Errors
    /// [`Kind::Fenced`] at once; others when waiting was in vain. It is then not known to be stored.
    pub(super) async fn write(&mut self, batch: &Batch, waiting: impl FnOnce(&Error)) -> Result<(), Error> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(50);
        let mut waiting = Some(waiting);
        loop {
            let tried = std::time::Instant::now();
            let error = match self.try_write(batch).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let patience = match error.kind() {
                Kind::Unreachable | Kind::Busy => PATIENCE,
                Kind::NotWritable => PATIENCE_NOT_WRITABLE,
                _ => return Err(error),
            };
            if began.elapsed() > patience {
                return Err(error);
            }
            if let Some(waiting) = waiting.take() {
                waiting(&error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
            // What is only busy has good connections, which other runs use as well.
            if error.kind() != Kind::Busy {
                // Its failure shows in the next try.
                let _ = self.store.reconnect_since(tried).await;
            }
        }
    }

    /// Stores `batch` in one transaction, once.
    pub(super) async fn try_write(&mut self, batch: &Batch) -> Result<(), Error> {
        let written = async {
            let mut transaction = match self.store.begin().await {
                Ok(transaction) => transaction,
                Err(error) => return Ok(Err(error)),
            };
            match record::record(&mut transaction, self.run, self.epoch, batch).await {
                Ok(()) => transaction.commit().await.map(Ok),
                Err(error) => Ok(Err(error)),
            }
        };
        answered(written).await?;
        self.stored.extend(batch.events.iter().cloned());
        Ok(())
    }

    /// Prolongs the lease, and learns of requests that others left in the database.
    pub(super) async fn renew(&self) -> Result<Renewal, Error> {
        let renewed = async {
            let mut transaction = match self.store.begin().await {
                Ok(transaction) => transaction,
                Err(error) => return Ok(Err(error)),
            };
            match lease::renew_lease(&mut transaction, self.run, self.epoch).await {
                Ok(renewal) => transaction.commit().await.map(|()| Ok(renewal)),
                Err(error) => Ok(Err(error)),
            }
        };
        answered(renewed).await
    }
}

/// What the database answers, or that it does not. What was asked of it may be done nevertheless.
async fn answered<T, E>(asked: impl Future<Output = Result<Result<T, Error>, E>>) -> Result<T, Error>
where
    E: From<io::Error>,
    Error: From<E>,
{
    let answer = tokio::time::timeout(ANSWER_LIMIT, asked).await;
    answer.unwrap_or_else(|late| Err(io::Error::from(late).into())).map_err(Error::from)?
}
