//! The role that shows customers the small pages behind the links in their letters, and takes their answers.
//!
//! Knows store and texts; meets the daemon in Postgres only. Invariants: GET and HEAD change nothing; nothing is decided without the
//! code that stands in the letter; a token that is unknown, malformed or expired is answered alike; what a page needs comes with it,
//! and nothing of it is kept by a browser, told to another site, or found by a search.

mod date;
mod form;
mod guard;
mod language;
mod link;
pub mod rate;
mod reply;
mod report;
pub mod serve;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::TimeoutLayer;

use self::rate::{Gate, Rates};
use crate::domain::inventory::Locale;
use crate::domain::settings::Settings;
use crate::domain::settings::delivery::Web;
use crate::domain::wording::WordingFile;
use crate::edge::store::Store;
use crate::edge::store::error::{Error as StoreError, Kind};
use crate::edge::text::Texts;

/// The largest answer is a remark of 2000 characters, percent-encoded.
const BODY_LIMIT: usize = 32 * 1024;

/// How long clients are waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// The head of a request comes within this time.
    pub head: Duration,
    /// A request, its body included, that takes longer is given up.
    pub request: Duration,
    /// A connection lasts no longer: request, answer, and whatever the client does in between.
    pub connection: Duration,
    /// Who is being served when it stops is served to the end, for so long.
    pub leave: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            request: Duration::from_secs(15),
            connection: Duration::from_secs(30),
            leave: Duration::from_secs(5),
        }
    }
}

/// What all requests share.
pub struct Pages {
    store: Store,
    texts: Texts,
    web: Web,
    /// The provider's, for those whom no link names.
    locale: Locale,
    provider: Option<String>,
    email: Option<String>,
    gate: Gate,
}

impl Pages {
    /// Pages on this database, as the provider has settled it, in its own words as far as they can be used.
    ///
    /// # Errors
    /// A mistake in an embedded template or locale file.
    pub fn new(store: Store, settings: &Settings, wording: &[WordingFile], rates: Rates) -> anyhow::Result<Arc<Self>> {
        let provider = &settings.provider;
        let texts = Texts::with_usable_wording(wording, |problems| {
            tracing::error!(
                mistakes = problems.0.len(),
                "pages are not in the provider's own words: `turnus check` tells why"
            );
        })?;
        Ok(Arc::new(Self {
            store,
            texts,
            web: settings.web.clone(),
            locale: provider.locale,
            provider: provider.name.clone(),
            email: provider.reply_to.clone().or_else(|| provider.email.clone()),
            gate: Gate::new(rates),
        }))
    }

    /// Closes the database, if no request uses it any more.
    ///
    /// # Errors
    /// If the private database can't be stopped.
    pub async fn close(pages: Arc<Self>) -> Result<(), StoreError> {
        match Arc::try_unwrap(pages) {
            Ok(alone) => alone.store.close().await,
            Err(_) => Ok(()),
        }
    }

    /// A pool may hold connections to a server that is gone.
    async fn mend(&self, error: &anyhow::Error, began: Instant) {
        let kind = error.chain().find_map(|cause| cause.downcast_ref::<StoreError>()).map(StoreError::kind);
        if matches!(kind, Some(Kind::Unreachable | Kind::NotWritable)) {
            // Its failure shows with the next request.
            let _ = self.store.reconnect_since(began).await;
        }
    }
}

/// All pages.
fn router(pages: Arc<Pages>, patience: Patience) -> Router {
    Router::new()
        .route("/l/{token}", get(link::show).post(link::answer))
        .route("/l/{token}/report", get(link::show_report))
        .route("/robots.txt", get(async || "User-agent: *\nDisallow: /\n"))
        .fallback(reply::not_found)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(Arc::clone(&pages), guard::admit))
        // Whoever watches over this is not to be held up by those who flood it.
        .route("/healthz", get(health))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, patience.request))
        .layer(CatchPanicLayer::new())
        .layer(from_fn(guard::protect))
        .with_state(pages)
}

/// For the operator: whether pages can be shown. Says nothing else.
async fn health(State(pages): State<Arc<Pages>>) -> Response {
    let began = Instant::now();
    match reply::ask_clock(&pages.store).await {
        Ok(_) => (StatusCode::OK, "ok\n").into_response(),
        Err(error) => {
            pages.mend(&error, began).await;
            (StatusCode::SERVICE_UNAVAILABLE, "the database is away\n").into_response()
        }
    }
}
