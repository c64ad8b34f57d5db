//! Checks from outside, as a user of the service would see it.
//!
//! Knows protocols; does not know runs. Invariants: a probe changes nothing that outlives it; it goes only where the technician
//! named; time and the size of an answer are bounded; a finding shows no secret.

mod certificates;
mod command;
mod dns;
mod http;
mod mail;
mod port_closed;
mod sip;
mod sql;
mod tcp;
mod tls;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::domain::probe::template::{Target, fill_in};
use crate::domain::probe::{Check, Probe};

#[cfg(test)]
mod tests;

pub use mail::SHOWS_PASSWORDS;

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is what was asked for.
    pub met: bool,
    /// Expected and found, in one line.
    pub what: String,
}

impl Finding {
    /// It is what was asked for.
    #[must_use]
    pub fn green(what: String) -> Self {
        Self { met: true, what }
    }

    /// It is not.
    #[must_use]
    pub fn red(what: String) -> Self {
        Self { met: false, what }
    }
}

/// What a probe looks at, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The host that it is about.
    pub target: Target<'a>,
    /// The values that [`Check::secrets`] names.
    pub secrets: &'a BTreeMap<&'static str, String>,
}

impl Scene<'_> {
    /// `text` without the secrets: a server may send back what it was sent.
    fn conceal(&self, text: &str) -> String {
        let secrets = self.secrets.values().filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

/// Asks until the answer is what was asked for, or the time of the probe is over; then says what the last answer lacked.
pub async fn look(probe: &Probe, scene: &Scene<'_>) -> Finding {
    let patience = probe.patience;
    let interval = Duration::from_secs(patience.interval_s);
    let deadline = Instant::now() + Duration::from_secs(patience.within_s);
    let limit = Duration::from_secs(patience.timeout_s);
    let mut finding = look_once(probe, scene, limit).await;
    while !finding.met && Instant::now() + interval < deadline {
        tokio::time::sleep(interval).await;
        let left = deadline.saturating_duration_since(Instant::now());
        finding = look_once(probe, scene, limit.min(left)).await;
    }
    finding
}

/// One try.
pub async fn look_once(probe: &Probe, scene: &Scene<'_>, limit: Duration) -> Finding {
    let asked = async {
        match &probe.check {
            Check::Command(check) => command::ask(check, scene).await,
            Check::Dns(check) => dns::ask(check, scene).await,
            Check::Http(check) => http::ask(check, scene).await,
            Check::Imap(check) => mail::imap::ask(check, scene).await,
            Check::MailRoundTrip(check) => mail::round_trip::ask(check, scene).await,
            Check::PortClosed(check) => port_closed::ask(check, scene).await,
            Check::Sip(check) => sip::ask(check, scene).await,
            Check::Smtp(check) => mail::smtp::ask(check, scene).await,
            Check::Sql(check) => sql::ask(check, scene, limit).await,
            Check::Tcp(check) => tcp::ask(check, scene).await,
            Check::Tls(check) => tls::ask(check, scene).await,
        }
    };
    let outcome = timeout(limit, asked).await;
    if let (Err(_), Check::PortClosed(check)) = (&outcome, &probe.check)
        // The last try may have less time: too little to be sure.
        && limit >= Duration::from_secs(probe.patience.timeout_s)
    {
        return Finding::green(port_closed::silent(check, limit.as_secs_f64()));
    }
    match outcome {
        Ok(Ok(what)) => Finding::green(scene.conceal(&what)),
        Ok(Err(what)) => Finding::red(scene.conceal(&what)),
        Err(_) => {
            let subject = probe.check.subject();
            let subject = fill_in(&subject, scene.target).unwrap_or(subject);
            Finding::red(scene.conceal(&format!("{subject}: no answer within {:.0} s", limit.as_secs_f64())))
        }
    }
}

/// The whole chain of an error in one line, without what is said twice.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = error.source();
    }
    text
}

/// The host in `host:port`: an IPv6 address without its brackets, as certificates have it.
fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// The beginning of an answer, fit for a line.
fn excerpt(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).chars().filter(|char| !char.is_control()).take(80).collect()
}
