//! `turnus demo --mail`: a date is agreed, kept by a daemon, and the customer is told.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use jiff::{SignedDuration, Timestamp, Unit};
use tokio::signal::unix::Signal;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::cli::apply;
use crate::app::cli::context::{Context, read_run};
use crate::app::cli::exit::{Exit, Failure};
use crate::app::console::{print, say};
use crate::app::daemon::Daemon;
use crate::app::daemon::serve::serve;
use crate::app::demo::Stage;
use crate::domain::notification::Delivery;
use crate::domain::run::event::RunState;
use crate::edge::config;
use crate::edge::store::Store;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::notification::{NotificationFilter, StoredNotification, list_notifications};
use crate::edge::store::occurrence::{History, OccurrenceFilter, StoredOccurrence, list_occurrences};
use crate::edge::store::run::RunNumber;

/// The date is so far ahead: time enough to apply it, and to tell the customer.
const AHEAD: SignedDuration = SignedDuration::from_secs(8);
/// All is over within this time, unless something is wrong.
const LIMIT: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_millis(200);
const DATES: OccurrenceFilter<'static> =
    OccurrenceFilter { customer: None, window: None, from: None, until: None, history: History::With, limit: None };
const MESSAGES: NotificationFilter<'static> =
    NotificationFilter { customer: None, occurrence: None, state: None, limit: 100 };

/// Applies a date that is close, has a daemon keep it, and copies what the customer got to `mails`. Returns how its run ended, and
/// its number.
pub(super) async fn hold(
    stage: &Stage,
    store: &Store,
    mails: &Path,
    interruptions: &mut Signal,
) -> Result<(Exit, RunNumber), Failure> {
    let opens_at = (Timestamp::now() + AHEAD).round(Unit::Second).map_err(Failure::failed)?;
    stage.agree_on(opens_at).map_err(Failure::failed)?;
    let context = Context::load(stage.configuration())?;
    apply::publish_all(&context, store).await?;
    say("a daemon keeps the date:");
    let (number, messages) = keep(&context, store, interruptions).await?;
    let run = read_run(store, number.0).await?;
    show(&stage.letters(), mails, &messages)?;
    Ok((if run.state == RunState::Succeeded { Exit::Done } else { Exit::Failed }, number))
}

/// Serves until the run has ended and all is told that is to be told. Returns the messages in the order in which they were made.
async fn keep(
    context: &Context,
    store: &Store,
    interruptions: &mut Signal,
) -> Result<(RunNumber, Vec<StoredNotification>), Failure> {
    let own = context.open_store().await?;
    let daemon = Daemon::new(own, &context.catalog.settings, &[], &context.state_dir).map_err(Failure::failed)?;
    let (stop, now) = (CancellationToken::new(), CancellationToken::new());
    let serving = serve(daemon.clone(), &stop, &now);
    let watching = async {
        let kept = tokio::select! {
            kept = wait_for_the_end(store) => kept,
            Some(()) = interruptions.recv() => Err(Failure::declined()),
        };
        stop.cancel();
        kept
    };
    let (served, kept) = tokio::join!(serving, watching);
    Daemon::close(daemon).await?;
    served.map_err(Failure::failed)?;
    kept
}

async fn wait_for_the_end(store: &Store) -> Result<(RunNumber, Vec<StoredNotification>), Failure> {
    let began = Instant::now();
    while began.elapsed() < LIMIT {
        let (dates, mut messages) = look(store).await?;
        let is_told = messages.iter().all(|message| message.state == Delivery::Sent);
        if let Some(date) = dates.iter().find(|date| date.finished_at.is_some() && is_told) {
            let cause = date.cause.as_deref().unwrap_or("it says not why");
            let number = date.run.ok_or_else(|| Failure::failed(anyhow!("the date was missed: {cause}")))?;
            messages.reverse();
            return Ok((number, messages));
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(Failure::failed(anyhow!("the date did not come to its end within {} s", LIMIT.as_secs())))
}

async fn look(store: &Store) -> Result<(Vec<StoredOccurrence>, Vec<StoredNotification>), StoreError> {
    let mut transaction = store.begin().await?;
    let dates = list_occurrences(&mut transaction, DATES).await?;
    let messages = list_notifications(&mut transaction, MESSAGES).await?;
    Ok((dates, messages))
}

/// Copies the letters under names that tell what they are, and says where they are.
fn show(letters: &Path, mails: &Path, messages: &[StoredNotification]) -> Result<(), Failure> {
    let can_t = |what: &str, path: &Path| format!("can't {what} `{}`", path.display());
    config::make_directory(mails).with_context(|| can_t("make", mails)).map_err(Failure::usage)?;
    print("\nthe mails, for a mail program (.eml) and a browser (.html):");
    for (message, number) in messages.iter().zip(1..) {
        let Some(id) = &message.sending.message_id else { continue };
        let copy = |ending: &str| {
            let to = mails.join(format!("{number}-{}.{ending}", message.kind));
            let copied = std::fs::copy(letters.join(format!("{id}.{ending}")), &to);
            copied.with_context(|| can_t("copy a mail to", &to)).map_err(Failure::usage).map(|_| to)
        };
        copy("eml")?;
        print(&format!("  to {}: {}", message.recipient_name, copy("html")?.display()));
    }
    Ok(())
}
