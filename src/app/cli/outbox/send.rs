//! `turnus outbox send`: one pass.

use std::path::Path;

use anyhow::anyhow;
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::cli::Format;
use crate::app::cli::context::Context;
use crate::app::cli::exit::{Exit, Failure};
use crate::app::console::{print, say};
use crate::app::controller::clock::Clock;
use crate::app::post::{Post, Tally, post_due};
use crate::edge::config;
use crate::edge::store::error::Error as StoreError;
use crate::edge::store::{Store, database_now};

pub(super) async fn send_due(context: &Context, directory: &Path, format: Format) -> Result<Exit, Failure> {
    let settings = &context.catalog.settings;
    if settings.mail.is_none() {
        let failure = Failure::usage(anyhow!("nothing says where messages go"));
        return Err(failure.hint("say so in `[mail]` of turnus.toml"));
    }
    let post =
        Post::open(settings, &config::read_wording(directory)?, &config::controller_name()).await.map_err(unfit)?;
    let store = context.open_store().await?;
    let sent = send(&store, &post).await;
    store.close().await?;
    let tally = sent?;
    tell(&tally, format);
    Ok(if tally.put_off > 0 || tally.outage.is_some() {
        Exit::Unreachable
    } else if tally.undeliverable > 0 {
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// What the settings refer to is not there.
fn unfit(error: anyhow::Error) -> Failure {
    let hint = error.downcast_ref().and_then(config::Error::hint);
    Failure::usage(error).maybe_hint(hint)
}

async fn send(store: &Store, post: &Post) -> Result<Tally, StoreError> {
    let asked = Instant::now();
    let now = database_now(&mut *store.begin().await?).await?;
    post_due(post, store, &Clock::set(now, asked), &CancellationToken::new()).await
}

fn tell(tally: &Tally, format: Format) {
    let Tally { sent, put_off, undeliverable, overtaken, outage } = tally;
    match format {
        Format::Json => print(
            &json!({"sent": sent, "put_off": put_off, "undeliverable": undeliverable, "overtaken": overtaken, "outage": outage})
                .to_string(),
        ),
        Format::Table => {
            let counts = [
                (*sent, "sent"),
                (*put_off, "to be tried again later"),
                (*undeliverable, "undeliverable"),
                (*overtaken, "not sent: it would have come too late"),
            ];
            let counts: Vec<_> =
                counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
            print(&if counts.is_empty() { "nothing was due".to_owned() } else { counts.join("\n") });
            if let Some(why) = outage {
                say(&format!("broken off: {why}"));
            }
        }
    }
}
