//! A web server that answers a request.

use std::sync::PoisonError;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Certificate, Client, Method, Response, Url};
use tokio::time::Instant;

use super::certificates::read_certificates;
use super::dial::{Doorway, open_doorway};
use super::{Memory, Scene, chain, excerpt};
use crate::domain::probe::template::{fill_in, fill_in_url};
use crate::domain::probe::{self, HttpCheck, JsonCheck};

/// So much of an answer is looked at.
const BODY_LIMIT: usize = 1024 * 1024;

/// One request.
pub(super) async fn ask(check: &HttpCheck, scene: &Scene<'_>) -> Result<String, String> {
    let url = fill_in_url(&check.url, scene.target)?;
    let asked = format!("{} {url}", check.method.word());
    answer(check, scene, &url).await.map(|found| format!("{asked}: {found}")).map_err(|why| format!("{asked}: {why}"))
}

async fn answer(check: &HttpCheck, scene: &Scene<'_>, url: &str) -> Result<String, String> {
    // Through a host every look has a way of its own.
    let doorway = match scene.from {
        Some(_) => Some(open_doorway(&place(url)?, scene).await?),
        None => None,
    };
    let client = match scene.memory.filter(|_| doorway.is_none()) {
        Some(memory) => remembered_client(check, memory)?,
        None => client(&Settings::of(check), doorway.as_ref())?,
    };
    let request = client.request(method(check.method), url).headers(headers(check, scene)?);
    let begun = Instant::now();
    let response = request.send().await.map_err(|error| last(&error))?;
    let mut found = vec![judge_status(check, response.status().as_u16())?];
    if let Some(wanted) = &check.redirect {
        found.push(judge_redirect(&fill_in_url(wanted, scene.target)?, &response, scene)?);
    }
    if check.contains.is_some() || check.json.is_some() {
        let body = read_body(response).await.map_err(|error| last(&error))?;
        found.extend(judge_body(check, scene, &body)?);
    }
    found.push(judge_time(check, begun.elapsed())?);
    Ok(found.join(", "))
}

/// `host:port` of a URL.
fn place(url: &str) -> Result<String, String> {
    let url = Url::parse(url).map_err(|error| chain(&error))?;
    let place = url.host_str().zip(url.port_or_known_default()).map(|(host, port)| format!("{host}:{port}"));
    place.ok_or_else(|| "the URL names no host".to_owned())
}

/// What a client is set up with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Settings {
    ca_file: Option<String>,
    tls_verify: bool,
    names_host: bool,
}

impl Settings {
    fn of(check: &HttpCheck) -> Self {
        let names_host = check.headers.iter().any(|header| header.name.eq_ignore_ascii_case("host"));
        Self { ca_file: check.ca_file.clone(), tls_verify: check.tls_verify, names_host }
    }
}

/// The client of all watches with the same settings: each of its own would have all certificates of the machine in memory.
fn remembered_client(check: &HttpCheck, memory: &Memory) -> Result<Client, String> {
    let settings = Settings::of(check);
    let mut clients = memory.http.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(client) = clients.get(&settings) {
        return Ok(client.clone());
    }
    let client = client(&settings, None)?;
    Ok(clients.entry(settings).or_insert(client).clone())
}

fn client(settings: &Settings, doorway: Option<&Doorway>) -> Result<Client, String> {
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        // A proxy of the controller's environment would answer in place of the host.
        .no_proxy()
        // Each look is a new user's.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("turnus/", env!("CARGO_PKG_VERSION")))
        .tls_danger_accept_invalid_certs(!settings.tls_verify);
    if settings.names_host {
        // HTTP/2 would name the URL's host as well, and servers refuse a request with two (RFC 9113, section 8.3.1).
        builder = builder.http1_only();
    }
    if let Some(doorway) = doorway {
        builder = builder.unix_socket(doorway.path.as_path());
    }
    let refuse = |error: reqwest::Error| format!("can't set up HTTP: {}", last(&error));
    if let Some(path) = &settings.ca_file {
        let certificates = read_certificates(path)?;
        let certificates = certificates.iter().map(|certificate| Certificate::from_der(certificate));
        builder = builder.tls_certs_merge(certificates.collect::<Result<Vec<_>, _>>().map_err(refuse)?);
    }
    builder.build().map_err(refuse)
}

fn method(method: probe::Method) -> Method {
    match method {
        probe::Method::Get => Method::GET,
        probe::Method::Head => Method::HEAD,
        probe::Method::Post => Method::POST,
        probe::Method::Options => Method::OPTIONS,
    }
}

/// No message shows a value: it may be a secret.
fn headers(check: &HttpCheck, scene: &Scene<'_>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let mut put = |name: &str, value: &str, is_secret: bool| {
        let refuse = || format!("the header `{name}` can't be sent: its value is no line of text");
        let mut value = HeaderValue::from_str(value).map_err(|_| refuse())?;
        value.set_sensitive(is_secret);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| refuse())?, value);
        Ok::<_, String>(())
    };
    for header in &check.headers {
        if let probe::HeaderValue::Text(text) = &header.value {
            put(&header.name, &fill_in(text, scene.target)?, false)?;
        }
    }
    for (header, name, _) in check.secret_headers() {
        let secret = scene.secrets.get(name).ok_or_else(|| format!("`{name}` is not known"))?;
        put(header, secret, true)?;
    }
    Ok(headers)
}

fn judge_status(check: &HttpCheck, found: u16) -> Result<String, String> {
    let (met, wanted) = match check.status {
        Some(status) => (found == status, status.to_string()),
        None => ((300..=399).contains(&found), "300 to 399".to_owned()),
    };
    if met { Ok(format!("status {found}")) } else { Err(format!("expected status {wanted}, found {found}")) }
}

/// What a server sends may be a part of a URL, which is as good (RFC 9110, section 10.2.2).
fn judge_redirect(wanted: &str, response: &Response, scene: &Scene<'_>) -> Result<String, String> {
    let Some(found) = response.headers().get(LOCATION) else {
        return Err(format!("expected a redirect to `{wanted}`, found none"));
    };
    let text = String::from_utf8_lossy(found.as_bytes());
    let whole = |text: &str| response.url().join(text).ok();
    if text == wanted || (whole(&text).is_some() && whole(&text) == whole(wanted)) {
        Ok(format!("redirect to `{wanted}`"))
    } else {
        Err(format!("expected a redirect to `{wanted}`, found `{}`", excerpt(scene.conceal(&text).as_bytes())))
    }
}

fn judge_body(check: &HttpCheck, scene: &Scene<'_>, body: &[u8]) -> Result<Vec<String>, String> {
    let text = String::from_utf8_lossy(body);
    // The server may send back what it was sent: nothing of a secret may be left when the text is cut.
    let shown = |text: &str| excerpt(scene.conceal(text).as_bytes());
    let mut found = Vec::new();
    if let Some(wanted) = &check.contains {
        if !text.contains(wanted.as_str()) {
            return Err(format!("expected text `{wanted}`, found `{}`", shown(&text)));
        }
        found.push(format!("contains `{wanted}`"));
    }
    if let Some(json) = &check.json {
        let parsed: serde_json::Value = serde_json::from_slice(body)
            .map_err(|error| format!("expected JSON, found `{}` ({error})", shown(&text)))?;
        found.push(judge_json(json, &parsed, shown)?);
    }
    Ok(found)
}

fn judge_json(check: &JsonCheck, parsed: &serde_json::Value, shown: impl Fn(&str) -> String) -> Result<String, String> {
    let JsonCheck { pointer, equals } = check;
    match parsed.pointer(pointer) {
        Some(found) if is_same(found, equals) => Ok(format!("`{pointer}` is {equals}")),
        Some(found) => Err(format!("expected `{pointer}` to be {equals}, found {}", shown(&found.to_string()))),
        None => Err(format!("expected `{pointer}` to be {equals}, found nothing there")),
    }
}

/// JSON has one kind of number: 1 and 1.0 are the same.
fn is_same(found: &serde_json::Value, wanted: &serde_json::Value) -> bool {
    let is_fraction = found.is_f64() || wanted.is_f64();
    found == wanted || (is_fraction && found.as_f64().is_some() && found.as_f64() == wanted.as_f64())
}

fn judge_time(check: &HttpCheck, elapsed: Duration) -> Result<String, String> {
    let took_ms = elapsed.as_millis();
    match check.at_most_ms {
        Some(limit_ms) if took_ms > u128::from(limit_ms) => {
            Err(format!("expected an answer within {limit_ms} ms, found one after {took_ms} ms"))
        }
        _ => Ok(format!("{took_ms} ms")),
    }
}

async fn read_body(response: Response) -> reqwest::Result<Vec<u8>> {
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
