use std::sync::LazyLock;

use axum::body::Body;
use tempfile::TempDir;

use super::*;

const NETWORK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// The folder with the key of all these tests.
static DATA: LazyLock<(TempDir, LocalKey)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let key = LocalKey::in_folder(folder.path()).unwrap();
    (folder, key)
});

/// Tokens `v`, `t` and `o` of the three roles, the last with a name, and one that is over.
fn tokens() -> Secrets {
    use sha2::Digest as _;
    let line =
        |role: &str, token: &str, rest: &str| format!("{role}:{}{rest}\n", hex::encode(sha2::Sha256::digest(token)));
    let lines = [line("viewer", "v", ""), line("trader", "t", ""), line("operator", "o", ":ann"), old_line(line)];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    std::fs::write(&path, lines.concat()).unwrap();
    Secrets::Tokens(TokenBook::open(&path).unwrap())
}

fn old_line(line: impl Fn(&str, &str, &str) -> String) -> String {
    line("operator", "over", ":bob:2020-02-29")
}

fn local_key() -> Secrets {
    Secrets::LocalKey(DATA.1.clone())
}

fn access(secrets: Secrets, header: Option<&'static str>, anonymous: Option<Role>) -> Access {
    let hosts = "bot.example.com".parse().unwrap();
    Access::new(secrets, header.map(HeaderName::from_static), anonymous, hosts)
}

/// A request to `localhost`, unless the headers say otherwise.
fn request(headers: &[(&'static str, &str)]) -> Request {
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert("host", "localhost".parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// The highest role that a request may have; `None` if none.
fn allowed(access: &Access, headers: &[(&'static str, &str)]) -> Option<Role> {
    let roles = [Role::Operator, Role::Trader, Role::Viewer];
    roles.into_iter().find(|role| access.caller(*role, &request(headers)).is_ok())
}

#[test]
fn a_token_may_come_in_either_header_and_an_empty_one_is_none() {
    let with = access(tokens(), Some("x-internal-token"), Some(Role::Viewer));
    let of = |headers: &[(&'static str, &str)]| allowed(&with, headers);
    assert_eq!(of(&[]), Some(Role::Viewer), "the role of those without a token");
    assert_eq!(of(&[("x-internal-token", "")]), Some(Role::Viewer));
    assert_eq!(of(&[("x-internal-token", " t ")]), Some(Role::Trader));
    assert_eq!(of(&[("authorization", "Bearer o")]), Some(Role::Operator));
    assert_eq!(of(&[("authorization", "Bearer v"), ("x-internal-token", "o")]), Some(Role::Viewer));
    // A wrong token is not the same as none: whoever sends one believes that it counts.
    assert_eq!(of(&[("x-internal-token", "wrong")]), None);
    assert_eq!(of(&[("authorization", "Bearer wrong")]), None);
    let plain = access(tokens(), None, None);
    assert_eq!(allowed(&plain, &[("x-internal-token", "o")]), None, "nobody named this header");
}

#[test]
fn without_tokens_only_the_key_makes_an_operator() {
    let key = LocalKey::text_in(DATA.0.path()).unwrap();
    for anonymous in [None, Some(Role::Viewer), Some(Role::Trader)] {
        let open = access(local_key(), Some("x-internal-token"), anonymous);
        assert_eq!(allowed(&open, &[]), anonymous);
        assert!(matches!(open.caller(Role::Operator, &request(&[])), Err(ApiError::LocalOnly)));
        assert_eq!(allowed(&open, &[("authorization", &format!("Bearer {key}"))]), Some(Role::Operator));
        assert_eq!(allowed(&open, &[("x-internal-token", &key)]), Some(Role::Operator));
        // What else a neighbour sends means nothing here.
        for other in ["wrong", &key[1..], &key.to_uppercase()[..]] {
            assert_eq!(allowed(&open, &[("authorization", &format!("Bearer {other}"))]), anonymous, "{other}");
        }
    }
}

#[test]
fn with_tokens_neither_a_missing_one_nor_the_key_makes_an_operator() {
    let key = LocalKey::text_in(DATA.0.path()).unwrap();
    let with = access(tokens(), None, Some(Role::Trader));
    assert_eq!(allowed(&with, &[]), Some(Role::Trader));
    assert_eq!(allowed(&with, &[("authorization", &format!("Bearer {key}"))]), None);
}

/// DNS rebinding: a page that has made its own name mean this machine.
#[test]
fn without_a_token_only_known_names_are_answered() {
    let key = format!("Bearer {}", LocalKey::text_in(DATA.0.path()).unwrap());
    for (secrets, good) in [(local_key(), key.as_str()), (tokens(), "Bearer o")] {
        let open = access(secrets, None, Some(Role::Trader));
        assert_eq!(allowed(&open, &[("host", "bot.example.com:8080")]), Some(Role::Trader));
        assert_eq!(allowed(&open, &[("host", "evil.example")]), None);
        let error = open.caller(Role::Viewer, &request(&[("host", "evil.example")])).unwrap_err();
        let told = error.to_string();
        assert!(told.contains("evil.example") && told.contains("HTTP_ALLOWED_HOSTS"), "{told}");
        // A page does not know a secret, so whoever has one may use any name.
        assert_eq!(allowed(&open, &[("host", "evil.example"), ("authorization", good)]), Some(Role::Operator));
    }
    let mut without = request(&[]);
    without.headers_mut().remove("host");
    assert!(access(local_key(), None, Some(Role::Trader)).caller(Role::Viewer, &without).is_err());
}

#[test]
fn a_token_has_the_name_that_the_file_gives_it_until_its_last_day() {
    let with = access(tokens(), None, None);
    let caller = |token: &str| with.caller(Role::Viewer, &request(&[("authorization", &format!("Bearer {token}"))]));
    assert_eq!((caller("o").unwrap().name(), caller("t").unwrap().name()), ("ann", "trader"));
    assert_eq!((caller("o").unwrap().token_name(), caller("t").unwrap().token_name()), (Some("ann"), None));
    let told = caller("over").unwrap_err().to_string();
    assert!(told.contains("2020-02-29"), "{told}");
    assert_eq!(Caller::default().name(), "api");
}

#[test]
fn a_service_of_the_network_that_nobody_may_call_does_not_start() {
    let error = Access::check(false, None, NETWORK).unwrap_err().to_string();
    assert!(error.contains("API_TOKENS_FILE") && error.contains("API_ANONYMOUS_ROLE"), "{error}");
    assert!(Access::check(false, None, LOOPBACK).is_ok());
    assert!(Access::check(true, None, NETWORK).is_ok());
    assert!(Access::check(false, Some(Role::Viewer), NETWORK).is_ok());
}
