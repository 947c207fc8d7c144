//! The certificate authority that a secret is, and the certificates that it makes.

use super::{DaemonId, Fingerprint, Secret};
use pvm::limits::{LEAF_DAYS, LEAF_SKEW_S};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, SerialNumber, date_time_ymd,
};
use ring::hkdf;
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The application protocol of the mesh.
pub const ALPN: &[u8] = b"pvm/1";
/// What an Ed25519 seed has in front of it as PKCS#8, version 1.
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// Separate uses of the secret have separate texts: what one gives away says nothing of another.
const SALT: &[u8] = b"pvm virtual machine 1";
const CA_KEY: &[u8] = b"certificate authority key";

/// Membership in a virtual machine, as one daemon has it.
#[derive(Debug, Clone)]
pub struct Trust {
    secret: Secret,
    id: DaemonId,
    authority: Arc<Authority>,
}

#[derive(Debug)]
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    fingerprint: Fingerprint,
}

/// What a daemon shows to others, and how it looks at what they show; for some days.
#[derive(Debug, Clone)]
pub struct Credentials {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    renew_at: SystemTime,
}

/// Why there are no certificates. None of it is a peer's doing.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// They cannot be made.
    #[error("the certificate of this daemon cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The key cannot be derived.
    #[error("the key of the virtual machine cannot be derived")]
    Key,
    /// TLS does not take them.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// TLS does not take the authority.
    #[error("TLS cannot be set up: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

impl Trust {
    /// Derives the authority of the virtual machine that the secret is of.
    ///
    /// # Errors
    /// When the libraries of cryptography refuse; they have no reason to.
    pub fn new(secret: Secret, id: DaemonId) -> Result<Self, TrustError> {
        let authority = Arc::new(Authority::derive(&secret)?);
        Ok(Trust {
            secret,
            id,
            authority,
        })
    }

    /// A new certificate for this daemon, and all that TLS is to know. Good from some time before
    /// `now`, for the clocks of others, until some days after.
    ///
    /// # Errors
    /// When the libraries of cryptography refuse.
    pub fn mint(&self, now: SystemTime) -> Result<Credentials, TrustError> {
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let lifetime = Duration::from_secs(LEAF_DAYS * 24 * 60 * 60);
        let leaf = leaf_params(self.id, now, lifetime)?.signed_by(&key, &self.authority.issuer)?;
        // With the authority, so that whoever joins can compare it with what its token says.
        let chain = vec![leaf.der().clone(), self.authority.certificate.clone()];
        let key = || PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        Ok(Credentials {
            server: Arc::new(self.server_config(chain.clone(), key())?),
            client: Arc::new(self.client_config(chain, key())?),
            renew_at: now + lifetime / 2,
        })
    }

    /// Which daemon this is.
    pub fn id(&self) -> DaemonId {
        self.id
    }

    /// The secret, for a new member.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What a token says of the virtual machine: the hash of its authority's public key.
    pub fn ca_fingerprint(&self) -> Fingerprint {
        self.authority.fingerprint
    }

    /// The authority's certificate, the same on every host.
    pub fn ca_certificate(&self) -> &CertificateDer<'static> {
        &self.authority.certificate
    }

    /// A caller may come without a certificate, because those who want to join have none: whoever
    /// accepts looks whether there is one.
    fn server_config(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<ServerConfig, TrustError> {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(self.authority.roots()?, provider())
                .allow_unauthenticated()
                .build()?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        // A session that is taken up again would outlive its certificate.
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    fn client_config(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<ClientConfig, TrustError> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(self.authority.roots()?)
            .with_client_auth_cert(chain, key)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

impl Credentials {
    /// For connections that come. The caller may have no certificate!
    pub fn server_config(&self) -> Arc<ServerConfig> {
        self.server.clone()
    }

    /// For connections that are made.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        self.client.clone()
    }

    /// When new ones should be made: long before these end.
    pub fn renew_at(&self) -> SystemTime {
        self.renew_at
    }
}

impl Authority {
    fn derive(secret: &Secret) -> Result<Self, TrustError> {
        let mut pkcs8 = [0; 48];
        pkcs8[..16].copy_from_slice(&PKCS8_HEAD);
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT);
        salt.extract(secret.bytes())
            .expand(&[CA_KEY], hkdf::HKDF_SHA256)
            .and_then(|key| key.fill(&mut pkcs8[16..]))
            .map_err(|_| TrustError::Key)?;
        let key = PrivatePkcs8KeyDer::from(pkcs8.as_slice());
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ED25519)?;
        let fingerprint = Fingerprint::of_key(&key);
        let params = authority_params(fingerprint);
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Authority {
            issuer: Issuer::new(params, key),
            certificate,
            fingerprint,
        })
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, TrustError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone())?;
        Ok(Arc::new(roots))
    }
}

/// The provider of cryptography, named here and never made the default of the process.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Nothing in here may differ between hosts. The name has the fingerprint, so that a certificate of
/// another virtual machine is told from a forged one of ours.
fn authority_params(fingerprint: Fingerprint) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(&format!("pvm {fingerprint}"));
    params.serial_number = Some(SerialNumber::from_slice(&[1]));
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf_params(
    id: DaemonId,
    now: SystemTime,
    lifetime: Duration,
) -> Result<CertificateParams, TrustError> {
    let names = [DaemonId::any_server_name(), id.server_name()];
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = name(&format!("pvmd {id}"));
    params.not_before = (now - Duration::from_secs(LEAF_SKEW_S)).into();
    params.not_after = (now + lifetime).into();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    Ok(params)
}

fn name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{IdentityError, check_identity};
    use super::*;

    fn secret(byte: u8) -> Secret {
        Secret::from_bytes(&[byte; 32]).unwrap()
    }

    /// A leaf as others see it, and its key.
    pub fn leaf(trust: &Trust, now: SystemTime) -> (CertificateDer<'static>, Vec<u8>) {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let params = leaf_params(trust.id, now, Duration::from_secs(60)).unwrap();
        let leaf = params.signed_by(&key, &trust.authority.issuer).unwrap();
        (leaf.der().clone(), key.serialize_der())
    }

    #[test]
    fn the_authority_is_the_same_on_every_host() {
        let one = Trust::new(secret(7), DaemonId(1)).unwrap();
        let other = Trust::new(secret(7), DaemonId(2)).unwrap();
        let foreign = Trust::new(secret(8), DaemonId(1)).unwrap();
        assert_eq!(one.ca_certificate(), other.ca_certificate());
        assert_eq!(one.ca_fingerprint(), other.ca_fingerprint());
        assert_ne!(one.ca_fingerprint(), foreign.ca_fingerprint());
    }

    /// A release that derives another key would split every virtual machine: never change this.
    #[test]
    fn golden_fingerprint() {
        let trust = Trust::new(secret(7), DaemonId(1)).unwrap();
        assert_eq!(
            trust.ca_fingerprint().to_string(),
            "831c684a3abcf13640af2bfc7ea9d2094d1de061c98db294148e5b0818ab4ab1"
        );
    }

    #[test]
    fn a_leaf_proves_one_identity() {
        let trust = Trust::new(secret(7), DaemonId(1)).unwrap();
        let (leaf, _) = leaf(&trust, SystemTime::now());
        assert_eq!(check_identity(&leaf, DaemonId(1)), Ok(()));
        let claimed = DaemonId(2);
        assert_eq!(
            check_identity(&leaf, claimed),
            Err(IdentityError { claimed })
        );
        assert!(check_identity(trust.ca_certificate(), DaemonId(1)).is_err());
        assert!(check_identity(&CertificateDer::from(vec![1, 2, 3]), DaemonId(1)).is_err());
    }

    #[test]
    fn credentials_are_renewed_in_time() {
        let trust = Trust::new(secret(7), DaemonId(1)).unwrap();
        let now = SystemTime::now();
        let credentials = trust.mint(now).unwrap();
        assert!(credentials.renew_at() > now);
        let later = trust.mint(credentials.renew_at()).unwrap();
        assert!(later.renew_at() > credentials.renew_at());
    }
}
