//! A SIP server that answers OPTIONS.
//!
//! One request without a body, and the head of an answer: so little of RFC 3261 that it is written out here. The crates that build
//! and read SIP messages are either no longer kept up or come with a whole user agent.

mod message;

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::{Instant, timeout, timeout_at};

use self::message::{Answer, Request};
use super::dial::dial;
use super::{Scene, Stream, chain, excerpt};
use crate::domain::probe::template::{fill_in, fill_in_url};
use crate::domain::probe::{SipCheck, Transport};

/// So much is read from one server: what fits into one packet of UDP.
const ANSWER_LIMIT: usize = 65_535;
/// Usual time of a way there and back (RFC 3261, section 17.1.1.1).
const T1: Duration = Duration::from_millis(500);
/// Longest time between two requests.
const T2: Duration = Duration::from_secs(4);

/// By what name answers to a connection find back that another host has made for us: they need none (RFC 3261, section 18.2.2), and
/// this one is nobody's (RFC 2606).
const NAMELESS: &str = "turnus.invalid";
/// So much before a try ends it is told what came instead of an answer.
const A_MOMENT: Duration = Duration::from_millis(50);

/// Asks, and waits for the final answer.
pub(super) async fn ask(check: &SipCheck, scene: &Scene<'_>, limit: Duration) -> Result<String, String> {
    let address = fill_in(&check.address, scene.target)?;
    let told = |what: String| format!("sip {address}: {what}");
    let uri = match &check.uri {
        Some(uri) => fill_in_url(uri, scene.target)?,
        None => default_uri(check, scene)?,
    };
    let answer = match check.transport {
        Transport::Udp if scene.from.is_some() => Err("another host connects by TCP alone".to_owned()),
        Transport::Udp => {
            let mut stray = None;
            let asked = ask_by_udp(&address, uri, &mut stray);
            match (timeout(limit.saturating_sub(A_MOMENT), asked).await, stray) {
                (Ok(answer), _) => answer,
                (Err(_), Some(stray)) => Err(stray),
                (Err(_), None) => Err(format!("no answer within {:.0} s", limit.as_secs_f64())),
            }
        }
        Transport::Tcp => ask_by_tcp(&address, uri, scene).await,
    };
    let answer = answer.map_err(told)?;
    let found = format!("{} {}", answer.status, excerpt(answer.reason.as_bytes()));
    if answer.status == check.status {
        Ok(told(format!("status {}", found.trim_end())))
    } else {
        Err(told(format!("expected status {}, found {}", check.status, found.trim_end())))
    }
}

/// The server itself (section 11.1).
fn default_uri(check: &SipCheck, scene: &Scene<'_>) -> Result<String, String> {
    let place = fill_in_url(&check.address, scene.target)?;
    Ok(match check.transport {
        Transport::Udp => format!("sip:{place}"),
        Transport::Tcp => format!("sip:{place};transport=tcp"),
    })
}

/// Asks again and again, as requests and answers may be lost (section 17.1.2.2). What comes and is no answer to it is passed over
/// (section 18.1.2); what was wrong with the last such is left in `stray`.
async fn ask_by_udp(address: &str, uri: String, stray: &mut Option<String>) -> Result<Answer, String> {
    let socket = connect_by_udp(address).await.map_err(|error| chain(&error))?;
    let own = socket.local_addr().map_err(|error| chain(&error))?;
    let request = Request::new(Transport::Udp, own.to_string(), uri)?;
    let text = request.text();
    let mut wait = T1;
    let mut buffer = vec![0; ANSWER_LIMIT];
    loop {
        socket.send(text.as_bytes()).await.map_err(|error| chain(&error))?;
        let next = Instant::now() + wait;
        wait = T2.min(wait * 2);
        while let Ok(received) = timeout_at(next, socket.recv(&mut buffer)).await {
            let length = received.map_err(|error| chain(&error))?;
            match request.read_answer(&buffer[..length]) {
                Ok(answer) if answer.is_final() => return Ok(answer),
                // It is at work: asked again, but slowly.
                Ok(_) => wait = T2,
                Err(why) => *stray = Some(why),
            }
        }
    }
}

/// The first of the addresses to which there is a way. What others than that address send is not received.
async fn connect_by_udp(address: &str) -> io::Result<UdpSocket> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for place in lookup_host(address).await? {
        let own = if place.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
        let socket = UdpSocket::bind(own).await?;
        match socket.connect(place).await {
            Ok(()) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// With what stands in the request as the sender.
async fn connect_by_tcp(address: &str, scene: &Scene<'_>) -> Result<(Box<dyn Stream>, String), String> {
    if scene.from.is_some() {
        return Ok((dial(address, scene).await?, NAMELESS.to_owned()));
    }
    let connect = async {
        let stream = TcpStream::connect(address).await?;
        let own = stream.local_addr()?.to_string();
        Ok::<_, io::Error>((stream, own))
    };
    connect.await.map(|(stream, own)| (Box::new(stream) as Box<dyn Stream>, own)).map_err(|error| chain(&error))
}

/// Asks once: the connection repeats what is lost.
async fn ask_by_tcp(address: &str, uri: String, scene: &Scene<'_>) -> Result<Answer, String> {
    let failed = |error: io::Error| chain(&error);
    let (mut stream, own) = connect_by_tcp(address, scene).await?;
    let request = Request::new(Transport::Tcp, own, uri)?;
    stream.write_all(request.text().as_bytes()).await.map_err(failed)?;
    let mut come = Vec::new();
    loop {
        while let Some(length) = message::whole_length(&come) {
            let answer = request.read_answer(&come[..length])?;
            if answer.is_final() {
                return Ok(answer);
            }
            come.drain(..length);
        }
        let room = ANSWER_LIMIT.saturating_sub(come.len());
        if (&mut stream).take(room as u64).read_buf(&mut come).await.map_err(failed)? == 0 {
            let why = if room == 0 { "the answer does not end" } else { "the connection ended" };
            return Err(format!("expected an answer to the end, found `{}`: {why}", excerpt(&come)));
        }
    }
}
