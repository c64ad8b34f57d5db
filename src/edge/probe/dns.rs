//! A name server that gives an answer.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use hickory_net::NetError;
use hickory_net::runtime::TokioRuntimeProvider;
use hickory_net::runtime::iocompat::AsyncIoTokioAsStd;
use hickory_net::tcp::{TcpClientStream, TcpStream};
use hickory_net::udp::UdpClientStream;
use hickory_net::xfer::{DnsExchange, DnsHandle, DnsMultiplexer};
use hickory_proto::op::{DnsRequestOptions, DnsResponse, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tokio::net::lookup_host;
use tokio_util::task::AbortOnDropHandle;

use super::dial::dial;
use super::{Scene, chain};
use crate::domain::probe::template::fill_in;
use crate::domain::probe::{DnsCheck, RecordKind};

/// Where the machine says whom it asks.
const RESOLVER_FILE: &str = "/etc/resolv.conf";

/// The probe has its own time for a try, which is over before; the libraries want one, too.
const LONGER_THAN_A_TRY: Duration = Duration::from_secs(24 * 60 * 60);

/// Asks by UDP, and by TCP where the answer does not fit (RFC 7766, section 5); through another host by TCP alone.
pub(super) async fn ask(check: &DnsCheck, scene: &Scene<'_>) -> Result<String, String> {
    let name = fill_in(&check.name, scene.target)?;
    let server = check.server.as_ref().map(|server| fill_in(server, scene.target)).transpose()?;
    let server = match (server, scene.from) {
        (Some(server), None) => Server::Straight(resolve(&server).await?),
        (None, None) => Server::Straight(usual_server().await?),
        (Some(server), Some(_)) => Server::Behind(server),
        (None, Some(_)) => return Err("dns: another host is told whom to ask with `server`".to_owned()),
    };
    let asked = format!("dns {} {name} at {server}", check.kind.word());
    let wanted = wanted(check, scene)?;
    let response =
        exchange(query(&name, check.kind)?, &server, scene).await.map_err(|why| format!("{asked}: {why}"))?;
    let found = read_records(&response, check.kind).map_err(|why| format!("{asked}: {why}"))?;
    judge(check, wanted.as_ref(), &found)
        .map(|found| format!("{asked}: {found}"))
        .map_err(|why| format!("{asked}: {why}"))
}

/// Who is asked.
enum Server {
    /// From here.
    Straight(SocketAddr),
    /// By another host, which looks up the name: `host:port`.
    Behind(String),
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Straight(address) => address.fmt(f),
            Self::Behind(address) => address.fmt(f),
        }
    }
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

fn query(name: &str, kind: RecordKind) -> Result<Query, String> {
    let name = match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        Ok(address) if kind == RecordKind::Ptr => Name::from(address),
        _ => Name::from_ascii(name).map_err(|error| format!("no name: {}", chain(&error)))?,
    };
    let mut query = Query::query(name, record_type(kind));
    // Complete as it is: no domain of the machine is tried behind it.
    query.name.set_fqdn(true);
    Ok(query)
}

fn read_records(response: &DnsResponse, kind: RecordKind) -> Result<BTreeSet<String>, String> {
    match response.metadata.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => return Err("there is no such name (NXDOMAIN)".to_owned()),
        code => return Err(format!("the server answers: {code}")),
    }
    let records = response.answers.iter().filter(|record| record.record_type() == record_type(kind));
    let texts = records.map(|record| record.data.to_string());
    Ok(texts.map(|text| kind.plain(&text).unwrap_or(text)).collect())
}

async fn exchange(query: Query, server: &Server, scene: &Scene<'_>) -> Result<DnsResponse, String> {
    match server {
        Server::Straight(server) => exchange_straight(query, *server).await,
        Server::Behind(server) => exchange_behind(query, server, scene).await,
    }
}

async fn exchange_behind(query: Query, server: &str, scene: &Scene<'_>) -> Result<DnsResponse, String> {
    let stream = AsyncIoTokioAsStd(dial(server, scene).await?);
    // Stands in messages of the library alone.
    let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 53));
    let (stream, handle) = TcpStream::from_stream(stream, unknown);
    let stream = DnsMultiplexer::new(TcpClientStream::from_stream(stream), handle).with_timeout(LONGER_THAN_A_TRY);
    let (exchange, background) = DnsExchange::<TokioRuntimeProvider>::from_stream(stream);
    let _background = AbortOnDropHandle::new(tokio::spawn(background));
    send(&exchange, query).await
}

async fn exchange_straight(query: Query, server: SocketAddr) -> Result<DnsResponse, String> {
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
