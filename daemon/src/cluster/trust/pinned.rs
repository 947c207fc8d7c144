//! TLS for a host that wants to join: it has no certificate, and knows only the fingerprint of the
//! authority.

use super::certificate::{ALPN, provider};
use super::{Fingerprint, TrustError};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use std::sync::Arc;

/// Trusts exactly the daemons of the virtual machine with this fingerprint.
///
/// # Errors
/// When the libraries of cryptography refuse.
pub fn joining_config(fingerprint: Fingerprint) -> Result<ClientConfig, TrustError> {
    let verifier = Pinned {
        fingerprint,
        provider: provider(),
    };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Takes an authority from the chain that is shown when its key has the fingerprint, and then checks
/// the chain and the handshake as always.
#[derive(Debug)]
struct Pinned {
    fingerprint: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl Pinned {
    fn is_the_authority(&self, certificate: &CertificateDer<'_>) -> bool {
        ParsedCertificate::try_from(certificate)
            .is_ok_and(|it| Fingerprint::of(&it.subject_public_key_info()) == self.fingerprint)
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = intermediates
            .iter()
            .find(|it| self.is_the_authority(it))
            .ok_or(CertificateError::UnknownIssuer)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let leaf = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&leaf, &roots, &[], now, algorithms)?;
        verify_server_name(&leaf, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("only TLS 1.3 is spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::super::certificate::tests;
    use super::super::{DaemonId, Secret, Trust};
    use super::*;
    use std::time::{Duration, SystemTime};

    fn trust(byte: u8) -> Trust {
        Trust::new(Secret::from_bytes(&[byte; 32]).unwrap(), DaemonId(1)).unwrap()
    }

    fn leaf(trust: &Trust, now: SystemTime) -> CertificateDer<'static> {
        tests::leaf(trust, now).0
    }

    fn verify(pinned: &Trust, chain: &[CertificateDer<'_>]) -> Result<(), Error> {
        let verifier = Pinned {
            fingerprint: pinned.ca_fingerprint(),
            provider: provider(),
        };
        let name = ServerName::try_from(DaemonId::any_server_name()).unwrap();
        verifier
            .verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now())
            .map(|_| ())
    }

    #[test]
    fn only_leaves_of_the_pinned_authority_are_taken() {
        let (ours, theirs) = (trust(7), trust(8));
        let now = SystemTime::now();
        let (our_ca, their_ca) = (ours.ca_certificate(), theirs.ca_certificate());
        let chain =
            |leaf: CertificateDer<'static>, ca: &CertificateDer<'static>| vec![leaf, ca.clone()];
        assert_eq!(verify(&ours, &chain(leaf(&ours, now), our_ca)), Ok(()));

        let unknown = Err(CertificateError::UnknownIssuer.into());
        assert_eq!(verify(&ours, &chain(leaf(&theirs, now), their_ca)), unknown);
        assert_eq!(verify(&ours, &[leaf(&ours, now)]), unknown);
        // Our authority shown beside a leaf of another one.
        assert_eq!(verify(&ours, &chain(leaf(&theirs, now), our_ca)), unknown);
        let old = leaf(&ours, now - Duration::from_secs(24 * 60 * 60));
        assert!(verify(&ours, &chain(old, our_ca)).is_err());
        // The authority itself is no daemon.
        assert!(verify(&ours, &chain(our_ca.clone(), our_ca)).is_err());
    }
}
