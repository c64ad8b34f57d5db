//! A port that takes no connections.

use std::io::{Error, ErrorKind};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::dial::dial_from;
use super::{Scene, Stream, Undialed, Way, chain};
use crate::domain::probe::PortClosedCheck;
use crate::domain::probe::template::fill_in;

/// Does not end while nobody answers; see [`silent`].
pub(super) async fn ask(check: &PortClosedCheck, scene: &Scene<'_>, limit: Duration) -> Result<String, String> {
    let address = fill_in(&check.address, scene.target)?;
    match scene.from {
        None => try_all(address).await,
        Some(from) => {
            let told = |what| format!("port_closed {address}: from {}: {what}", from.name());
            try_from(&address, from, limit).await.map(told).map_err(told)
        }
    }
}

/// Tries all addresses of the host at once: each must be closed.
async fn try_all(address: String) -> Result<String, String> {
    let failed = |error: &Error| format!("port_closed {address}: {}", chain(error));
    let places = lookup_host(&address).await.map_err(|error| failed(&error))?;
    let mut tries: FuturesUnordered<_> =
        places.map(|place| async move { (place, TcpStream::connect(place).await) }).collect();
    let (mut closed, mut untried) = (None, None);
    while let Some((place, outcome)) = tries.next().await {
        match outcome {
            Ok(_) => return Err(format!("port_closed {address}: expected a closed port, {place} takes connections")),
            Err(error) if is_closed(&error) => closed = Some(format!("port_closed {address}: {}", chain(&error))),
            Err(error) => untried = Some(failed(&error)),
        }
    }
    // That there is no way to one kind of address says nothing of it, but the other kind may have told.
    closed.ok_or_else(|| untried.unwrap_or_else(|| format!("port_closed {address}: the host has no address")))
}

/// Has another host try. That host must answer: when nothing is heard at all, the line to it may be what is silent.
async fn try_from(address: &str, from: &dyn Way, limit: Duration) -> Result<String, String> {
    let mut dialing = Box::pin(dial_from(address, from));
    if let Ok(outcome) = timeout(limit / 4, &mut dialing).await {
        return judge(outcome);
    }
    // What the other place answered before would have come before this.
    tokio::select! {
        outcome = &mut dialing => return judge(outcome),
        answer = timeout(limit / 2, from.run(&["true"])) => answer.map_err(|_| "the host does not answer")??,
    };
    judge(dialing.await)
}

fn judge(outcome: Result<Box<dyn Stream>, Undialed>) -> Result<String, String> {
    match outcome {
        Ok(_) => Err("expected a closed port, it takes connections".to_owned()),
        Err(Undialed::Closed(why)) => Ok(why),
        Err(Undialed::Untold(why)) => Err(why),
    }
}

/// What nobody's answer within the time of a try means.
pub(super) fn silent(check: &PortClosedCheck, scene: &Scene<'_>, limit: Duration) -> String {
    let address = fill_in(&check.address, scene.target).unwrap_or_else(|_| check.address.clone());
    let from = scene.from.map(|from| format!("from {}: ", from.name())).unwrap_or_default();
    format!("port_closed {address}: {from}nobody answers within {:.0} s", limit.as_secs_f64())
}

/// Refused by the host, or by somebody on the way.
fn is_closed(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::TimedOut)
}
