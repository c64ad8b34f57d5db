//! A name server that gives an answer.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use hickory_net::NetError;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::tcp::TcpClientStream;
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::{DnsExchange, DnsHandle};
use hickory_proto::op::{DnsRequestOptions, DnsResponse, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::net::lookup_host;

use super::{Scene, chain};
use crate::domain::probe::template::fill_in;
use crate::domain::probe::{DnsCheck, RecordKind};

/// Where the machine says whom it asks.
const RESOLVER_FILE: &str = "/etc/resolv.conf";

/// The probe has its own time for a try, which is over before; the libraries want one, too.
const LONGER_THAN_A_TRY: Duration = Duration::from_secs(24 * 60 * 60);

/// Asks by UDP, and by TCP where the answer does not fit (RFC 7766, section 5).
pub(super) async fn ask(check: &DnsCheck, scene: &Scene<'_>) -> Result<String, String> {
    let name = fill_in(&check.name, scene.target)?;
    let server = match &check.server {
        Some(server) => resolve(&fill_in(server, scene.target)?).await?,
        None => usual_server().await?,
    };
    let asked = format!("dns {} {name} at {server}", check.kind.word());
    let wanted = wanted(check, scene)?;
    let found = look_up(&name, check.kind, server).await.map_err(|why| format!("{asked}: {why}"))?;
    judge(check, wanted.as_ref(), &found)
        .map(|found| format!("{asked}: {found}"))
        .map_err(|why| format!("{asked}: {why}"))
}

async fn resolve(server: &str) -> Result<SocketAddr, String> {
    let mut places = lookup_host(server).await.map_err(|error| format!("dns server `{server}`: {}", chain(&error)))?;
    places.next().ok_or_else(|| format!("dns server `{server}`: it has no address"))
}

/// The first that the machine names; port 53 (RFC 1035, section 4.2).
async fn usual_server() -> Result<SocketAddr, String> {
    let failed = |why: String| format!("can't tell the machine's name server from {RESOLVER_FILE}: {why}");
    let mut text = Vec::new();
    let mut file = tokio::fs::File::open(RESOLVER_FILE).await.map_err(|error| failed(chain(&error)))?;
    tokio::io::AsyncReadExt::read_to_end(&mut file, &mut text).await.map_err(|error| failed(chain(&error)))?;
    let config = resolv_conf::Config::parse(&text).map_err(|error| failed(chain(&error)))?;
    let first = config.nameservers.first().ok_or_else(|| failed("it names none".to_owned()))?;
    Ok(SocketAddr::new(IpAddr::from(first), 53))
}

/// What must be answered, with the host's values.
fn wanted(check: &DnsCheck, scene: &Scene<'_>) -> Result<Option<BTreeSet<String>>, String> {
    let Some(records) = &check.equals else { return Ok(None) };
    let fill = |record: &String| {
        let filled = if check.kind == RecordKind::Txt { record.clone() } else { fill_in(record, scene.target)? };
        let wrong = || format!("`{filled}` can't be a record of the type {}", check.kind.word());
        check.kind.plain(&filled).ok_or_else(wrong)
    };
    records.iter().map(fill).collect::<Result<_, _>>().map(Some)
}

async fn look_up(name: &str, kind: RecordKind, server: SocketAddr) -> Result<BTreeSet<String>, String> {
    let record_type = record_type(kind);
    let name = match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) if kind == RecordKind::Ptr => Name::from(address),
        _ => Name::from_ascii(name).map_err(|error| format!("no name: {}", chain(&error)))?,
    };
    let mut query = Query::query(name, record_type);
    // Complete as it is: no domain of the machine is tried behind it.
    query.name.set_fqdn(true);
    let response = exchange(query, server).await?;
    match response.metadata.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => return Err("there is no such name (NXDOMAIN)".to_owned()),
        code => return Err(format!("the server answers: {code}")),
    }
    let records = response.answers.iter().filter(|record| record.record_type() == record_type);
    let texts = records.map(|record| record.data.to_string());
    Ok(texts.map(|text| kind.plain(&text).unwrap_or(text)).collect())
}

async fn exchange(query: Query, server: SocketAddr) -> Result<DnsResponse, String> {
    // What works in the background ends with it, so it has to stay until there is an answer.
    let provider = TokioRuntimeProvider::default();
    let udp = UdpClientStream::builder(server, provider.clone()).with_timeout(Some(LONGER_THAN_A_TRY));
    let response = send(&udp.exchange(), query.clone()).await?;
    if !response.metadata.truncation {
        return Ok(response);
    }
    let tcp = TcpClientStream::exchange(server, None, LONGER_THAN_A_TRY, None, provider.clone()).await;
    send(&tcp.map_err(|error| format!("the answer is too long for UDP, and by TCP: {}", reason(&error)))?, query).await
}

async fn send(exchange: &DnsExchange<TokioRuntimeProvider>, query: Query) -> Result<DnsResponse, String> {
    let mut answers = exchange.lookup(query, DnsRequestOptions::default());
    let answer = answers.next().await.ok_or("the server ended without an answer")?;
    answer.map_err(|error| reason(&error))
}

fn reason(error: &NetError) -> String {
    match error {
        NetError::Io(error) => chain(error.as_ref()),
        _ => chain(error),
    }
}

fn record_type(kind: RecordKind) -> RecordType {
    match kind {
        RecordKind::A => RecordType::A,
        RecordKind::Aaaa => RecordType::AAAA,
        RecordKind::Mx => RecordType::MX,
        RecordKind::Txt => RecordType::TXT,
        RecordKind::Cname => RecordType::CNAME,
        RecordKind::Ns => RecordType::NS,
        RecordKind::Srv => RecordType::SRV,
        RecordKind::Ptr => RecordType::PTR,
    }
}

fn judge(check: &DnsCheck, wanted: Option<&BTreeSet<String>>, found: &BTreeSet<String>) -> Result<String, String> {
    let shown = listed(found);
    if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
        return Err(format!("expected {}, found {shown}", listed(wanted)));
    }
    if let Some(text) = &check.contains
        && !found.iter().any(|record| record.contains(text.as_str()))
    {
        return Err(format!("expected a record with `{text}`, found {shown}"));
    }
    if found.is_empty() { Err("expected a record, found none".to_owned()) } else { Ok(shown) }
}

/// Fit for a line: the first ten, and the beginning of each.
fn listed(records: &BTreeSet<String>) -> String {
    let shown = records.iter().take(10).map(|record| format!("`{}`", super::excerpt(record.as_bytes())));
    let shown: Vec<_> = shown.collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}
