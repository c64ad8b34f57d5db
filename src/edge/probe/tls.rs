//! A certificate that is right.

#![expect(
    clippy::disallowed_methods,
    reason = "how long a certificate still lasts is told by the clock, as rustls does"
)]

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::certificates::client_config;
use super::dial::dial;
use super::{Scene, chain, host_of};
use crate::domain::probe::TlsCheck;
use crate::domain::probe::template::fill_in;

/// Connects, lets the certificate be judged as every client would, and says how long it lasts.
pub(super) async fn ask(check: &TlsCheck, scene: &Scene<'_>) -> Result<String, String> {
    let address = fill_in(&check.address, scene.target)?;
    let name = match &check.server_name {
        Some(name) => fill_in(name, scene.target)?,
        None => host_of(&address).to_owned(),
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let expires = shake_hands((check, scene), &address, name).await.map_err(|why| format!("tls {address}: {why}"))?;
    let day = expires.to_zoned(TimeZone::UTC).date();
    // Whole days of 24 hours: the last one that has begun does not count.
    let days = (expires.as_second() - Timestamp::now().as_second()).div_euclid(24 * 60 * 60);
    if days < i64::from(check.days_left) {
        let wanted = check.days_left;
        return Err(format!(
            "tls {address}: expected {wanted} more days of the certificate for `{name}`, found {days} (until {day})"
        ));
    }
    Ok(format!("tls {address}: the certificate for `{name}` is valid for {days} more days (until {day})"))
}

/// When the server's own certificate ends.
async fn shake_hands((check, scene): (&TlsCheck, &Scene<'_>), address: &str, name: &str) -> Result<Timestamp, String> {
    let server_name = ServerName::try_from(name.to_owned()).map_err(|_| format!("`{name}` is no name of a server"))?;
    let connector = TlsConnector::from(Arc::new(client_config(check.ca_file.as_deref(), true)?));
    let stream = dial(address, scene).await?;
    let stream = connector.connect(server_name, stream).await.map_err(|error| chain(&error))?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    expiry(certificates.first().ok_or("the server showed no certificate")?)
}

fn expiry(certificate: &CertificateDer<'_>) -> Result<Timestamp, String> {
    let refuse = |why: String| format!("can't read the certificate: {why}");
    let read = Certificate::from_der(certificate).map_err(|error| refuse(chain(&error)))?;
    let seconds = read.tbs_certificate().validity().not_after.to_unix_duration().as_secs();
    let seconds = i64::try_from(seconds).map_err(|error| refuse(chain(&error)))?;
    Timestamp::from_second(seconds).map_err(|error| refuse(chain(&error)))
}
