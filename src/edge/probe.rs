//! Checks from outside, as a user of the service would see it.
//!
//! Knows protocols; does not know runs. Invariants: a probe changes nothing that outlives it; it goes only where the technician
//! named; time and the size of an answer are bounded; a finding shows no secret.

mod certificates;
mod command;
mod dial;
mod dns;
mod http;
mod login;
mod mail;
mod port_closed;
mod sip;
mod sql;
mod tcp;
mod tls;
mod unit;
mod way;

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::domain::probe::template::{Target, fill_in};
use crate::domain::probe::{Check, Probe};

#[cfg(test)]
mod tests;

pub use mail::SHOWS_PASSWORDS;
pub use way::{Answer, Stream, Undialed, Way};

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is what was asked for.
    pub met: bool,
    /// Expected and found, in one line.
    pub what: String,
    /// What a later look is compared with.
    pub noted: Vec<String>,
}

impl Finding {
    /// It is what was asked for.
    #[must_use]
    pub fn green(what: String) -> Self {
        Self { met: true, what, noted: Vec::new() }
    }

    /// It is not.
    #[must_use]
    pub fn red(what: String) -> Self {
        Self { met: false, what, noted: Vec::new() }
    }
}

/// What a probe looks at, and with what.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The host that it is about.
    pub target: Target<'a>,
    /// The values that [`Check::secrets`] names.
    pub secrets: &'a BTreeMap<&'static str, String>,
    /// What is kept from one look to the next, for who looks often. Without it each look begins anew.
    pub memory: Option<&'a Memory>,
    /// The way to the host itself, for what is asked there.
    pub host: Option<&'a dyn Way>,
    /// From where is looked; from the controller if that is not said.
    pub from: Option<&'a dyn Way>,
    /// What the host is compared with.
    pub baseline: Baseline<'a>,
}

/// What a look at a whole host is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Baseline<'a> {
    /// This look is what later ones are compared with: it finds no fault.
    Taken,
    /// What an earlier look noted.
    Known(&'a [String]),
}

/// The right answer, and what a later look is compared with.
struct Found {
    what: String,
    noted: Vec<String>,
}

impl From<String> for Found {
    fn from(what: String) -> Self {
        Self { what, noted: Vec::new() }
    }
}

/// What watches keep from one look to the next: not connections, but what is costly to set up and no part of what is looked at.
#[derive(Debug, Default)]
pub struct Memory {
    http: Mutex<HashMap<http::Settings, reqwest::Client>>,
}

impl<'a> Scene<'a> {
    /// A look from outside, without a past.
    #[must_use]
    pub fn new(target: Target<'a>, secrets: &'a BTreeMap<&'static str, String>) -> Self {
        Self { target, secrets, memory: None, host: None, from: None, baseline: Baseline::Known(&[]) }
    }

    /// `text` without the secrets: a server may send back what it was sent.
    fn conceal(&self, text: &str) -> String {
        let secrets = self.secrets.values().filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }
}

/// A wait of at least this time is told with the answer.
const LONG: Duration = Duration::from_secs(1);

/// Asks until the answer is what was asked for, or the time of the probe is over; then says what the last answer lacked.
pub async fn look(probe: &Probe, scene: &Scene<'_>) -> Finding {
    let patience = probe.patience;
    let interval = Duration::from_secs(patience.interval_s);
    let begun = Instant::now();
    let deadline = begun + Duration::from_secs(patience.within_s);
    let limit = Duration::from_secs(patience.timeout_s);
    let mut finding = look_once(probe, scene, limit).await;
    let mut tries = 1;
    while !finding.met && Instant::now() + interval < deadline {
        tokio::time::sleep(interval).await;
        let left = deadline.saturating_duration_since(Instant::now());
        finding = look_once(probe, scene, limit.min(left)).await;
        tries += 1;
    }
    finding.what += &effort(&probe.check, finding.met, (tries, begun.elapsed()));
    finding
}

/// What it took, where that was much.
fn effort(check: &Check, met: bool, (tries, took): (u32, Duration)) -> String {
    let seconds = took.as_secs_f64();
    match (tries, met) {
        (1, true) if took >= LONG && !check.tells_its_time() => format!(" (after {seconds:.1} s)"),
        (1, _) => String::new(),
        (_, true) => format!(" (try {tries}, after {seconds:.1} s)"),
        (_, false) => format!(" ({tries} tries, {seconds:.1} s)"),
    }
}

/// One try.
pub async fn look_once(probe: &Probe, scene: &Scene<'_>, limit: Duration) -> Finding {
    let outcome = timeout(limit, ask(&probe.check, scene, limit)).await;
    if let (Err(_), Check::PortClosed(check)) = (&outcome, &probe.check)
        // The last try may have less time: too little to be sure.
        && limit >= Duration::from_secs(probe.patience.timeout_s)
    {
        return Finding::green(port_closed::silent(check, scene, limit));
    }
    match outcome {
        Ok(Ok(found)) => Finding { met: true, what: scene.conceal(&found.what), noted: found.noted },
        Ok(Err(what)) => Finding::red(scene.conceal(&what)),
        Err(_) => {
            let subject = probe.check.subject();
            let subject = fill_in(&subject, scene.target).unwrap_or(subject);
            Finding::red(scene.conceal(&format!("{subject}: no answer within {:.0} s", limit.as_secs_f64())))
        }
    }
}

async fn ask(check: &Check, scene: &Scene<'_>, limit: Duration) -> Result<Found, String> {
    let what = match check {
        Check::Command(check) => command::ask(check, scene, limit).await,
        Check::Dns(check) => dns::ask(check, scene).await,
        Check::Http(check) => http::ask(check, scene).await,
        Check::Imap(check) => mail::imap::ask(check, scene).await,
        Check::MailRoundTrip(check) => mail::round_trip::ask(check, scene).await,
        Check::PortClosed(check) => port_closed::ask(check, scene, limit).await,
        Check::Sip(check) => sip::ask(check, scene, limit).await,
        Check::Smtp(check) => mail::smtp::ask(check, scene).await,
        Check::Sql(check) => sql::ask(check, scene, limit).await,
        Check::Ssh(_) => login::ask(scene).await,
        Check::Tcp(check) => tcp::ask(check, scene).await,
        Check::Tls(check) => tls::ask(check, scene).await,
        Check::Unit(check) => return unit::ask(check, scene).await,
    };
    what.map(Found::from)
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
