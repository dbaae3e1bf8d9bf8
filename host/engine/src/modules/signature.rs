//! Signatures of modules: who vouches for the bytes.
//!
//! A signature is detached: 64 bytes of Ed25519 over a context and the SHA-256 of the component's bytes. Because of
//! the context, a signature of a module is never a signature of anything else that the same key may sign. Modules in
//! `STRATEGIES_DIR` need no signature: they are part of the image, and anybody who can write there can replace the
//! service as well.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use ring::{
    rand::{SecureRandom as _, SystemRandom},
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use ta_bot_core::ModuleDigest;
use thiserror::Error;

/// What is signed before the digest.
const CONTEXT: &[u8] = b"ta-bot module signature v1\0";
/// How the text of a private key begins, so that it can't be taken for a public key.
const PRIVATE: &str = "ta-bot-private-key:";
/// Encodings of the points of small order, without the sign bit. Anybody can make signatures for such a key.
const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// Why a text is not a key or signature, or why a signature is not valid. The text is never repeated: it may be a
/// private key that was given by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// The text is not a public key.
    #[error(
        "give a public key of Ed25519: 32 bytes, as 64 hex digits or in base64, as `ta-bot modules keygen` tells it"
    )]
    PublicKey,
    /// The text is a private key, and a public key was expected.
    #[error("this is a private key: give the public one, and consider the private one as known to others")]
    PrivateForPublic,
    /// Anybody could sign for this key.
    #[error("this public key is one for which anybody can make signatures: give one of `ta-bot modules keygen`")]
    WeakKey,
    /// The text is not a private key.
    #[error("this is no private key as `ta-bot modules keygen` writes it")]
    PrivateKey,
    /// The text is not a signature.
    #[error("a signature of Ed25519 is 64 bytes in base64 (or 128 hex digits), as `ta-bot modules sign` writes it")]
    Signature,
    /// None of the trusted keys made this signature of these bytes.
    #[error(
        "the signature is of other bytes, or by none of the {trusted} trusted keys: sign exactly these bytes with a key \
         whose public part is among them"
    )]
    NotTrusted {
        /// How many keys are trusted.
        trusted: usize,
    },
    /// The system has no randomness.
    #[error("the system gives no random numbers, so no key can be made")]
    NoChance,
}

/// Decodes a text in hex or base64.
fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.trim();
    let mut bytes = [0; N];
    if hex::decode_to_slice(text, &mut bytes).is_ok() {
        return Some(bytes);
    }
    BASE64.decode(text).ok()?.try_into().ok()
}

/// What is signed for a module.
fn message(digest: ModuleDigest) -> Vec<u8> {
    [CONTEXT, digest.as_bytes()].concat()
}

/// The public key of a signer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl FromStr for PublicKey {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        if text.contains(PRIVATE) {
            return Err(SignatureError::PrivateForPublic);
        }
        let bytes: [u8; 32] = decoded(text).ok_or(SignatureError::PublicKey)?;
        let mut unsigned = bytes;
        unsigned[31] &= 0x7f;
        let weak = SMALL_ORDER.contains(&hex::encode(unsigned).as_str());
        if weak { Err(SignatureError::WeakKey) } else { Ok(Self(bytes)) }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A detached signature of a module.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ModuleSignature([u8; 64]);

impl FromStr for ModuleSignature {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        decoded(text).map(Self).ok_or(SignatureError::Signature)
    }
}

impl fmt::Display for ModuleSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl fmt::Debug for ModuleSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A key that signs.
pub struct PrivateKey {
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl PrivateKey {
    /// Generates a new key from the system's randomness.
    pub fn generate() -> Result<Self, SignatureError> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| SignatureError::NoChance)?;
        Self::of_seed(seed)
    }

    fn of_seed(seed: [u8; 32]) -> Result<Self, SignatureError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| SignatureError::PrivateKey)?;
        Ok(Self { seed, pair })
    }

    /// The key as its file holds it. This is secret, and therefore not `Display`.
    pub fn to_text(&self) -> String {
        format!("{PRIVATE}{}\n", BASE64.encode(self.seed))
    }

    /// The public key, by which others know the signatures of this key.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(bytes)
    }

    /// Signs a module.
    pub fn sign(&self, digest: ModuleDigest) -> ModuleSignature {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.pair.sign(&message(digest)).as_ref());
        ModuleSignature(bytes)
    }
}

impl FromStr for PrivateKey {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let seed = text.trim().strip_prefix(PRIVATE).and_then(decoded).ok_or(SignatureError::PrivateKey)?;
        Self::of_seed(seed)
    }
}

impl fmt::Debug for PrivateKey {
    /// Shows nothing of the private part.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the private key of {}", self.public())
    }
}

/// The keys whose signatures are accepted: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKeys(Vec<PublicKey>);

impl TrustedKeys {
    /// These keys, if there are any.
    pub fn new(keys: Vec<PublicKey>) -> Option<Self> {
        if keys.is_empty() { None } else { Some(Self(keys)) }
    }

    /// The keys.
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }

    /// Verifies the signature of a module and returns the key that made it.
    pub fn verify(&self, digest: ModuleDigest, signature: &ModuleSignature) -> Result<PublicKey, SignatureError> {
        let message = message(digest);
        let made = |key: &&PublicKey| UnparsedPublicKey::new(&ED25519, key.0).verify(&message, &signature.0).is_ok();
        self.0.iter().find(made).copied().ok_or(SignatureError::NotTrusted { trusted: self.0.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusting(keys: &[&PrivateKey]) -> TrustedKeys {
        TrustedKeys::new(keys.iter().map(|key| key.public()).collect()).unwrap()
    }

    #[test]
    fn a_signature_is_good_for_these_bytes_and_these_keys_alone() {
        let (one, other) = (PrivateKey::generate().unwrap(), PrivateKey::generate().unwrap());
        let digest = ModuleDigest::of(b"a module");
        let signature = one.sign(digest);
        assert_eq!(signature, one.sign(digest));
        assert_eq!(trusting(&[&other, &one]).verify(digest, &signature), Ok(one.public()));
        let not_trusted = |trusted| Err(SignatureError::NotTrusted { trusted });
        assert_eq!(trusting(&[&other]).verify(digest, &signature), not_trusted(1));
        assert_eq!(trusting(&[&one, &other]).verify(ModuleDigest::of(b"a modulf"), &signature), not_trusted(2));
        for bit in [0, 255, 256, 511] {
            let mut bytes = signature.0;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(trusting(&[&one]).verify(digest, &ModuleSignature(bytes)), not_trusted(1), "bit {bit}");
        }
        // The bare digest is not what is signed.
        let bare: [u8; 64] = one.pair.sign(digest.as_bytes()).as_ref().try_into().unwrap();
        assert_eq!(trusting(&[&one]).verify(digest, &ModuleSignature(bare)), not_trusted(1));
    }

    #[test]
    fn the_format_does_not_change() {
        // As in RFC 8032, section 7.1, test 1, and as signed by version 0.1.0 of this service.
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = PrivateKey::of_seed(seed.try_into().unwrap()).unwrap();
        assert_eq!(hex::encode(key.public().0), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let again: PrivateKey = key.to_text().parse().unwrap();
        assert_eq!(again.public(), key.public());
        let by_hand = key.pair.sign(&[b"ta-bot module signature v1\0".as_slice(), &[7; 32]].concat());
        let digest: ModuleDigest = "07".repeat(32).parse().unwrap();
        assert_eq!(key.sign(digest).0, by_hand.as_ref());
    }

    #[test]
    fn keys_and_signatures_are_read_as_they_are_written_and_in_hex() {
        let key = PrivateKey::generate().unwrap();
        let public = key.public();
        assert_eq!(public.to_string().parse(), Ok(public));
        assert_eq!(format!(" {}\n", hex::encode_upper(public.0)).parse(), Ok(public));
        let signature = key.sign(ModuleDigest::of(b""));
        assert_eq!(signature.to_string().parse(), Ok(signature));
        assert_eq!(hex::encode(signature.0).parse(), Ok(signature));
        for wrong in ["", "AAAA", "not base64!", &hex::encode([1; 31]), &signature.to_string()] {
            assert_eq!(wrong.parse::<PublicKey>(), Err(SignatureError::PublicKey), "{wrong}");
            assert!(wrong.parse::<PrivateKey>().is_err(), "{wrong}");
        }
        for wrong in ["", &public.to_string(), "x"] {
            assert_eq!(wrong.parse::<ModuleSignature>(), Err(SignatureError::Signature), "{wrong}");
        }
    }

    #[test]
    fn a_private_key_is_not_told() {
        let key = PrivateKey::generate().unwrap();
        let secret = key.to_text().trim().strip_prefix(PRIVATE).unwrap().to_owned();
        assert!(!format!("{key:?}").contains(&secret));
        let error = key.to_text().parse::<PublicKey>().unwrap_err();
        assert_eq!(error, SignatureError::PrivateForPublic);
        assert!(!error.to_string().contains(&secret));
    }

    #[test]
    fn a_key_for_which_anybody_can_sign_is_refused() {
        // The neutral element: the signature that is all zeros except for the same element is valid for every message.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let mut forged = [0; 64];
        forged[0] = 1;
        assert!(UnparsedPublicKey::new(&ED25519, neutral).verify(b"anything", &forged).is_ok());
        for point in SMALL_ORDER {
            assert_eq!(point.parse::<PublicKey>(), Err(SignatureError::WeakKey));
            let mut negative: [u8; 32] = hex::decode(point).unwrap().try_into().unwrap();
            negative[31] |= 0x80;
            assert_eq!(hex::encode(negative).parse::<PublicKey>(), Err(SignatureError::WeakKey));
        }
    }
}
