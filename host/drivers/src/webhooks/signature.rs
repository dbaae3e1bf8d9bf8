//! The signature by which a receiver knows that a request is ours and is no repetition: that of the Standard Webhooks
//! specification.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use ring::hmac;
use thiserror::Error;

/// The least bytes of a secret, by the specification.
pub const LEAST_BYTES: usize = 24;
/// What a secret in base64 begins with.
const PREFIX: &str = "whsec_";

/// What the service and a receiver share.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// Why a text is no secret. It does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretError {
    /// What follows the prefix is no base64.
    #[error("after whsec_ must be base64")]
    NoBase64,
    /// It can be guessed.
    #[error("it has fewer than {LEAST_BYTES} bytes: make one with echo whsec_$(openssl rand -base64 32)")]
    TooShort,
}

impl Secret {
    /// Reads `whsec_` with base64, or any other text as it is.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let bytes = match text.strip_prefix(PREFIX) {
            Some(encoded) => BASE64_STANDARD.decode(encoded).map_err(|_| SecretError::NoBase64)?,
            None => text.as_bytes().to_vec(),
        };
        if bytes.len() < LEAST_BYTES { Err(SecretError::TooShort) } else { Ok(Self(bytes)) }
    }

    /// The signature of a message: its id, the moment of the request in seconds, and its body.
    pub fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &self.0));
        context.update(format!("{id}.{seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(context.sign()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector that the libraries of the specification are tested with.
    #[test]
    fn a_message_is_signed_as_the_specification_says() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{secret:?}"), "a secret");
    }

    #[test]
    fn a_secret_is_long_enough() {
        assert!(Secret::parse("a plain text of 24 bytes").is_ok());
        assert_eq!(Secret::parse("a plain text of 23 byte"), Err(SecretError::TooShort));
        assert_eq!(Secret::parse("whsec_c2hvcnQ="), Err(SecretError::TooShort));
        assert_eq!(Secret::parse("whsec_no base64 at all, although it is long"), Err(SecretError::NoBase64));
    }
}
