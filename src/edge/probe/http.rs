//! A web server that answers a request.

use futures_util::StreamExt;

use super::{Scene, chain, excerpt};
use crate::domain::probe::HttpCheck;
use crate::domain::probe::template::fill_in_url;

/// So much of an answer is looked at.
const BODY_LIMIT: usize = 1024 * 1024;

/// One request.
pub(super) async fn ask(check: &HttpCheck, scene: &Scene<'_>) -> Result<String, String> {
    let url = fill_in_url(&check.url, scene.target)?;
    let client = client().map_err(|error| format!("can't set up HTTP: {error}"))?;
    let failed = |error: &reqwest::Error| format!("GET {url}: {}", last(error));
    let response = client.get(&url).send().await.map_err(|error| failed(&error))?;
    let status = response.status().as_u16();
    if status != check.status {
        return Err(format!("GET {url}: expected status {}, found {status}", check.status));
    }
    let Some(wanted) = &check.contains else { return Ok(format!("GET {url}: status {status}")) };
    let body = read_body(response).await.map_err(|error| failed(&error))?;
    if String::from_utf8_lossy(&body).contains(wanted.as_str()) {
        Ok(format!("GET {url}: status {status}, contains `{wanted}`"))
    } else {
        Err(format!("GET {url}: expected text `{wanted}`, found `{}`", excerpt(&body)))
    }
}

fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        // A proxy of the controller's environment would answer in place of the host.
        .no_proxy()
        .user_agent(concat!("turnus/", env!("CARGO_PKG_VERSION")))
        .build()
}

async fn read_body(response: reqwest::Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        body.extend_from_slice(&chunk?);
        if body.len() >= BODY_LIMIT {
            body.truncate(BODY_LIMIT);
            break;
        }
    }
    Ok(body)
}

/// The reason alone: what is around it names the URL again.
fn last(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(error) = innermost.source() {
        innermost = error;
    }
    chain(innermost)
}
