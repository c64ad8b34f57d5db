//! Whom TLS trusts.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::chain;

/// The certificates in a PEM file of the controller: one at least.
pub(super) fn read_certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
    let certificates = read().map_err(|error| format!("can't read certificates from `{path}`: {}", chain(&error)))?;
    if certificates.is_empty() { Err(format!("`{path}` has no certificate")) } else { Ok(certificates) }
}

/// TLS that trusts whom this machine trusts, and the issuers in `ca_file`; without `verifies` it trusts everybody.
pub(super) fn client_config(ca_file: Option<&str>, verifies: bool) -> Result<ClientConfig, String> {
    let trusted = ca_file.map(read_certificates).transpose()?.unwrap_or_default();
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
    let refuse = |error: rustls::Error| format!("can't set up TLS: {}", chain(&error));
    let verifier: Arc<dyn ServerCertVerifier> = if verifies {
        Arc::new(Verifier::new_with_extra_roots(trusted, Arc::clone(&provider)).map_err(refuse)?)
    } else {
        Arc::new(Anybody(Arc::clone(&provider)))
    };
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(refuse)?;
    // "Dangerous" is what rustls calls any verifier that is not its own; the usual one is of the same house, with the system's roots.
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Whoever answers is believed: `tls_verify = false`. The handshake itself is checked all the same.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
