//! Checks from outside, as a user of the service would see it.
//!
//! Knows HTTP; does not know runs. Invariants: a probe never changes anything; it goes only where the technician named
//! (redirects are not followed); time and the size of an answer are bounded.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;

use crate::domain::job::HttpProbe;

#[cfg(test)]
mod tests;

/// One try may take so long.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two tries.
const INTERVAL: Duration = Duration::from_millis(500);
/// So much of an answer is looked at.
const BODY_LIMIT: usize = 1024 * 1024;

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is what was asked for.
    pub met: bool,
    /// Expected and found, in one line.
    pub what: String,
}

/// The machine at which a probe looks.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Host name or IP address.
    pub address: &'a str,
    /// The inventory's values for it.
    pub vars: &'a BTreeMap<String, String>,
}

/// Asks until the answer is what was asked for, or the time of the probe is over; then says what the last answer lacked.
pub async fn http(probe: &HttpProbe, target: Target<'_>) -> Finding {
    let url = match fill_in(&probe.url, target) {
        Ok(url) => url,
        Err(what) => return Finding { met: false, what },
    };
    let client = match client() {
        Ok(client) => client,
        Err(error) => return Finding { met: false, what: format!("can't set up HTTP: {error}") },
    };
    let deadline = Instant::now() + Duration::from_secs(probe.within_s);
    loop {
        let finding = ask(&client, &url, probe).await;
        if finding.met || Instant::now() + INTERVAL >= deadline {
            return finding;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        // A proxy of the controller's environment would answer in place of the host.
        .no_proxy()
        .timeout(ATTEMPT_TIMEOUT)
        .user_agent(concat!("turnus/", env!("CARGO_PKG_VERSION")))
        .build()
}

async fn ask(client: &reqwest::Client, url: &str, probe: &HttpProbe) -> Finding {
    let response = match client.get(url).send().await {
        Ok(response) => response,
        Err(error) => return Finding { met: false, what: format!("GET {url}: {}", chain(&error)) },
    };
    let status = response.status().as_u16();
    if status != probe.status {
        return Finding { met: false, what: format!("GET {url}: expected status {}, found {status}", probe.status) };
    }
    let Some(wanted) = &probe.contains else {
        return Finding { met: true, what: format!("GET {url}: status {status}") };
    };
    match read_body(response).await {
        Ok(body) if String::from_utf8_lossy(&body).contains(wanted.as_str()) => {
            Finding { met: true, what: format!("GET {url}: status {status}, contains `{wanted}`") }
        }
        Ok(body) => {
            let found = excerpt(&body);
            Finding { met: false, what: format!("GET {url}: expected text `{wanted}`, found `{found}`") }
        }
        Err(error) => Finding { met: false, what: format!("GET {url}: {}", chain(&error)) },
    }
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

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().filter(|char| !char.is_control()).take(80).collect()
}

/// The whole chain in one line: reqwest's own text leaves out the reason.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        text = error.to_string();
        source = error.source();
    }
    if error.is_timeout() { format!("no answer within {} s", ATTEMPT_TIMEOUT.as_secs()) } else { text }
}

/// Replaces `$ADDRESS` and `$VAR_NAME` by the host's values; every other character of a value than letters, digits and
/// `-._~` is percent-encoded (RFC 3986 section 2.3), so that a value can't reach beyond its place in the URL.
fn fill_in(template: &str, target: Target<'_>) -> Result<String, String> {
    let mut url = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        url.push_str(before);
        let end = after.find(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).unwrap_or(after.len());
        let (name, tail) = after.split_at(end);
        url.push_str(&value_of(name, target).ok_or_else(|| format!("probe URL `{template}`: there is no `${name}`"))?);
        rest = tail;
    }
    url.push_str(rest);
    Ok(url)
}

fn value_of(name: &str, target: Target<'_>) -> Option<String> {
    if name == "ADDRESS" {
        let is_ipv6 = target.address.parse::<std::net::Ipv6Addr>().is_ok();
        return Some(if is_ipv6 { format!("[{}]", target.address) } else { percent_encode(target.address) });
    }
    let key = name.strip_prefix("VAR_")?.to_ascii_lowercase();
    target.vars.get(&key).map(|value| percent_encode(value))
}

fn percent_encode(value: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(encode).collect()
}
