//! Who is let in, and what goes with every answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, ORIGIN, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use super::rate::{Client, client};
use super::{Pages, reply};
use crate::edge::text::page::Trouble;

/// With every answer, whatever it is. A report has pictures in itself.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    (CACHE_CONTROL, "no-store"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// Where a connection comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// Not too many, and no form of another site.
pub(super) async fn admit(State(pages): State<Arc<Pages>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let client: Client = client(peer, headers, &pages.web.trusted_proxies);
    if !pages.gate.admit(client, Instant::now()) {
        let mut answer = reply::trouble(&pages, headers, StatusCode::TOO_MANY_REQUESTS, Trouble::Busy);
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
        return answer;
    }
    if !request.method().is_safe() && is_of_another_site(headers, pages.web.public_url.as_deref()) {
        return reply::trouble(&pages, headers, StatusCode::FORBIDDEN, Trouble::Refused);
    }
    next.run(request).await
}

/// Whether a browser says so. The code is what protects; this spares people forms that would only count their attempts down. Our own
/// pages send no referrer, and therefore `Origin: null`, which older browsers send alone.
fn is_of_another_site(headers: &HeaderMap, public_url: Option<&str>) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site")) {
        return !matches!(site, "same-origin" | "none");
    }
    match (text(ORIGIN), public_url) {
        (None | Some("null"), _) | (Some(_), None) => false,
        (Some(origin), Some(public_url)) => {
            !public_url.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
    }
}

/// Puts [`HEADERS`] on whatever comes back.
pub(super) async fn protect(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    for (name, value) in HEADERS {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}
