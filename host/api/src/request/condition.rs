//! Conditional writes: `If-Match` and `If-None-Match`, compared with stored versions.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, header, request::Parts},
};

use crate::error::ApiError;

/// The condition of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The write is unconditional.
    None,
    /// This version must be stored; 0 means that nothing is stored.
    Version(i64),
    /// Some version must be stored.
    Stored,
}

impl Condition {
    /// The version that must be stored, or `None` for an unconditional write. `current` reads the stored version and is
    /// only called if that is needed.
    pub(crate) async fn expected(
        self,
        current: impl AsyncFnOnce() -> Result<i64, ApiError>,
    ) -> Result<Option<i64>, ApiError> {
        match self {
            Self::None => Ok(None),
            Self::Version(version) => Ok(Some(version)),
            // If nothing is stored, no version may match; -1 is never a stored version.
            Self::Stored => Ok(Some(match current().await? {
                0 => -1,
                version => version,
            })),
        }
    }

    fn read(headers: &HeaderMap) -> Result<Self, ApiError> {
        let text = |name: &HeaderName| match headers.get(name) {
            Some(value) => value.to_str().map(Some).map_err(|_| malformed(name)),
            None => Ok(None),
        };
        match (text(&header::IF_MATCH)?, text(&header::IF_NONE_MATCH)?) {
            (Some(tag), _) if tag.trim() == "*" => Ok(Self::Stored),
            (Some(tag), _) => version(tag).map(Self::Version).ok_or_else(|| malformed(&header::IF_MATCH)),
            (None, Some(tag)) if tag.trim() == "*" => Ok(Self::Version(0)),
            (None, Some(_)) => Err(malformed(&header::IF_NONE_MATCH)),
            (None, None) => Ok(Self::None),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Condition {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::read(&parts.headers)
    }
}

fn malformed(name: &HeaderName) -> ApiError {
    let allowed = if *name == header::IF_MATCH { "the ETag of an answer, such as \"3\", or *" } else { "*" };
    ApiError::Malformed(format!("{name} must be {allowed}"))
}

/// Parses the version of an `ETag`: quoted digits, strong or weak. Bare digits are accepted too.
fn version(tag: &str) -> Option<i64> {
    let tag = tag.trim();
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let digits = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).unwrap_or(tag);
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(name: HeaderName, value: &'static str) -> Result<Condition, ApiError> {
        Condition::read(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]))
    }

    #[test]
    fn reads_versions_of_strong_and_weak_tags() {
        for tag in ["\"3\"", "W/\"3\"", " \"3\" ", "3"] {
            assert_eq!(read(header::IF_MATCH, tag).unwrap(), Condition::Version(3), "{tag}");
        }
        assert_eq!(read(header::IF_MATCH, "*").unwrap(), Condition::Stored);
        assert_eq!(read(header::IF_NONE_MATCH, "*").unwrap(), Condition::Version(0));
        assert_eq!(Condition::read(&HeaderMap::new()).unwrap(), Condition::None);
    }

    #[test]
    fn refuses_what_names_no_version() {
        for tag in ["", "\"\"", "\"abc\"", "\"3", "-1", "\"3\", \"4\"", "99999999999999999999"] {
            assert!(read(header::IF_MATCH, tag).is_err(), "{tag}");
        }
        assert!(read(header::IF_NONE_MATCH, "\"3\"").is_err());
    }

    #[tokio::test]
    async fn a_star_takes_whatever_is_stored_and_never_nothing() {
        let expected = async |condition: Condition, current| condition.expected(async || Ok(current)).await.unwrap();
        assert_eq!(expected(Condition::Stored, 7).await, Some(7));
        assert_eq!(expected(Condition::Stored, 0).await, Some(-1));
        assert_eq!(expected(Condition::Version(2), 7).await, Some(2));
        assert_eq!(expected(Condition::None, 7).await, None);
    }
}
