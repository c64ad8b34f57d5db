//! What comes back: a page, a whole report, or the way back to the page; and one page for everything that does not work.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use jiff::Timestamp;

use super::{Pages, language};
use crate::domain::inventory::Locale;
use crate::edge::store::{Store, database_now};
use crate::edge::text::page::{Letterhead, Page, Trouble};

/// What a request comes to, if the database can be used.
pub(super) enum Reply {
    /// A page for somebody.
    Page(Box<Shown>),
    /// A whole document.
    Document(String),
    /// Look at the page again; relative to where the request went.
    Back(String),
    /// There is no such page.
    NotFound,
}

/// A page, and to whom it is shown.
pub(super) struct Shown {
    pub(super) status: StatusCode,
    pub(super) page: Page,
    pub(super) locale: Locale,
    pub(super) time_zone: String,
    pub(super) recipient: String,
}

/// Writes what came of a request that began then.
pub(super) async fn finish(
    pages: &Pages,
    headers: &HeaderMap,
    outcome: anyhow::Result<Reply>,
    began: Instant,
) -> Response {
    match outcome {
        Ok(Reply::Page(shown)) => {
            let head = letterhead(pages, Some(shown.recipient));
            write(pages, shown.status, &shown.page, &head, shown.locale, &shown.time_zone)
        }
        Ok(Reply::Document(document)) => Html(document).into_response(),
        Ok(Reply::Back(place)) => (StatusCode::SEE_OTHER, [(LOCATION, place)]).into_response(),
        Ok(Reply::NotFound) => trouble(pages, headers, StatusCode::NOT_FOUND, Trouble::NotFound),
        Err(error) => {
            // Never the address: it opens the page.
            tracing::error!(error = format!("{error:#}"), "a page can't be shown");
            pages.mend(&error, began).await;
            trouble(pages, headers, StatusCode::SERVICE_UNAVAILABLE, Trouble::Unavailable)
        }
    }
}

/// A page for whoever it is.
pub(super) fn trouble(pages: &Pages, headers: &HeaderMap, status: StatusCode, trouble: Trouble) -> Response {
    let locale = language::choose(headers, pages.locale);
    write(pages, status, &Page::Trouble(trouble), &letterhead(pages, None), locale, "UTC")
}

/// What is at no address.
pub(super) async fn not_found(State(pages): State<Arc<Pages>>, headers: HeaderMap) -> Response {
    trouble(&pages, &headers, StatusCode::NOT_FOUND, Trouble::NotFound)
}

/// The database's clock.
pub(super) async fn ask_clock(store: &Store) -> anyhow::Result<Timestamp> {
    let mut transaction = store.begin().await?;
    Ok(database_now(&mut transaction).await?)
}

fn letterhead(pages: &Pages, recipient: Option<String>) -> Letterhead {
    Letterhead { provider: pages.provider.clone(), email: pages.email.clone(), recipient }
}

fn write(
    pages: &Pages,
    status: StatusCode,
    page: &Page,
    head: &Letterhead,
    locale: Locale,
    time_zone: &str,
) -> Response {
    match pages.texts.render_page(page, head, locale, time_zone) {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "a page can't be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
