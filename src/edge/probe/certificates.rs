//! Files of certificates that are trusted.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::chain;

/// The certificates in a PEM file of the controller: one at least.
pub(super) fn read_certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let certificates = read().map_err(|error| format!("can't read certificates from `{path}`: {}", chain(&error)))?;
    if certificates.is_empty() { Err(format!("`{path}` has no certificate")) } else { Ok(certificates) }
}
