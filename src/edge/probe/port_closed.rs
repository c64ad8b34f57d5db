//! A port that takes no connections.

use std::io::{Error, ErrorKind};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpStream, lookup_host};

use super::{Scene, chain};
use crate::domain::probe::PortClosedCheck;
use crate::domain::probe::template::fill_in;

/// Tries all addresses of the host at once: each must be closed. Does not end while nobody answers; see [`silent`].
pub(super) async fn ask(check: &PortClosedCheck, scene: &Scene<'_>) -> Result<String, String> {
    let address = fill_in(&check.address, scene.target)?;
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

/// What nobody's answer within the time of a try means.
pub(super) fn silent(check: &PortClosedCheck, seconds: f64) -> String {
    format!("port_closed {}: nobody answers within {seconds:.0} s", check.address)
}

/// Refused by the host, or by somebody on the way.
fn is_closed(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::TimedOut)
}
