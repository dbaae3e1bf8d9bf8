//! Who may do what: tokens, each with a role, a name and a last day; or, without tokens, the key of this machine.
//!
//! The file holds digests, so reading it does not reveal a usable token. A token is long and random, so a plain SHA-256
//! is enough; a password would need a slow hash.

use std::{fmt, io, num::NonZeroU32, str::FromStr, sync::Arc};

use sha2::{Digest as _, Sha256};
use ta_bot_core::Timestamp;
use ta_bot_engine::settings::config_store::MAX_NAME;
use thiserror::Error;

mod book;
mod local_key;

pub use book::{TokenBook, TokensProblem};
pub use local_key::{LocalKey, LocalKeyError};

/// The most requests that a limit may allow in a minute.
pub const MOST_PER_MINUTE: u32 = 1_000_000;

/// What a token allows. Each role may also do everything that the roles before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May read.
    Viewer,
    /// May also change configuration.
    Trader,
    /// May also change modules.
    Operator,
}

impl Role {
    /// The name used in the file and in responses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Trader => "trader",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a line of the file is not a valid token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LineProblem {
    /// There is no colon, or there are too many.
    #[error(
        "give role:sha256-of-token, and after it, if they are wanted, :name, :YYYY-MM-DD and :requests-per-minute, in this \
         order; the date may be empty before the last one"
    )]
    Shape,
    /// The role is unknown.
    #[error("the role must be viewer, trader or operator")]
    Role,
    /// The digest is not valid. The error does not repeat it, because it may be a token that was put here by mistake.
    #[error("after the colon must be the SHA-256 of the token, 64 hex digits: printf %s \"$TOKEN\" | sha256sum")]
    Digest,
    /// The name is empty or can't be shown.
    #[error("the name must have 1 to {MAX_NAME} characters that can be seen, and no colon")]
    Name,
    /// The date is not valid.
    #[error("after the name must be the last day on which the token is valid (UTC), such as 2031-05-04")]
    Day,
    /// The limit is not valid.
    #[error("after the date must be how many requests a minute are allowed, 1 to {MOST_PER_MINUTE}")]
    Limit,
    /// The digest is already on an earlier line.
    #[error("the same token is on line {0} too")]
    Twice(usize),
}

/// Why the token file can't be used.
#[derive(Debug, Error)]
pub enum TokenFileError {
    /// The file can't be read.
    #[error("API_TOKENS_FILE can't be read: {0}")]
    Read(#[from] io::Error),
    /// The file is longer than any file of tokens.
    #[error("API_TOKENS_FILE has more than {most} bytes: it is no file of tokens")]
    TooLarge {
        /// The most bytes.
        most: u64,
    },
    /// Somebody else may write the file, and so give themselves a token.
    #[error(
        "API_TOKENS_FILE: others may write {what} (its mode is {mode:o}), so they could give themselves a token: run \
         chmod go-w on it"
    )]
    Writable {
        /// The file or its folder.
        what: &'static str,
        /// Its permissions.
        mode: u32,
    },
    /// Some lines are invalid; each of them is listed.
    #[error("API_TOKENS_FILE: {}", said(.0))]
    Lines(Vec<(usize, LineProblem)>),
    /// The file holds no tokens, so nobody could do anything.
    #[error(
        "API_TOKENS_FILE holds no token: give at least one line role:sha256-of-token, or unset it to leave the API open"
    )]
    Empty,
}

/// How many lines that are no tokens are told about.
const MOST_TOLD: usize = 10;

fn said(lines: &[(usize, LineProblem)]) -> String {
    let told = lines.iter().take(MOST_TOLD).map(|(line, problem)| format!("line {line}: {problem}"));
    let more = lines.len().saturating_sub(MOST_TOLD);
    let rest = (more > 0).then(|| format!("and {more} more lines"));
    told.chain(rest).collect::<Vec<_>>().join("; ")
}

/// A line of the file.
#[derive(Clone, PartialEq, Eq)]
struct Token {
    role: Role,
    digest: [u8; 32],
    name: Option<Arc<str>>,
    last_day: Option<LastDay>,
    per_minute: Option<NonZeroU32>,
}

/// The last day on which a token is valid.
#[derive(Clone, PartialEq, Eq)]
struct LastDay {
    text: String,
    /// When it is over.
    end: Timestamp,
}

impl FromStr for LastDay {
    type Err = LineProblem;

    fn from_str(text: &str) -> Result<Self, LineProblem> {
        const DAY_MS: i64 = 24 * 60 * 60 * 1000;
        let is_shaped = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let begin: Option<Timestamp> = is_shaped.then(|| Timestamp::from_date(text)).flatten();
        begin.map(|begin| Self { text: text.to_owned(), end: begin.plus_millis(DAY_MS) }).ok_or(LineProblem::Day)
    }
}

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It has this role.
    Valid {
        /// The role.
        role: Role,
        /// The name, if the file gives it one.
        name: Option<Arc<str>>,
        /// How many requests it may make in a minute, if the file says so.
        per_minute: Option<NonZeroU32>,
    },
    /// Its last day is over.
    Expired {
        /// That day.
        last_day: String,
    },
    /// It is none of the file's.
    Unknown,
}

/// The accepted tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens(Vec<Token>);

impl Tokens {
    /// What is known of a token at a moment. Every digest is compared in full, even after a match.
    pub fn find(&self, token: &str, now: Timestamp) -> Found {
        let given: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let found =
            self.0.iter().fold(None, |found, token| if same(&given, &token.digest) { Some(token) } else { found });
        match found {
            None => Found::Unknown,
            Some(Token { last_day: Some(day), .. }) if now >= day.end => Found::Expired { last_day: day.text.clone() },
            Some(Token { role, name, per_minute, .. }) => {
                Found::Valid { role: *role, name: name.clone(), per_minute: *per_minute }
            }
        }
    }
}

/// A token of the file, without its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownToken {
    /// What it allows.
    pub role: Role,
    /// The name, if the file gives it one.
    pub name: Option<Arc<str>>,
    /// The last day on which it is valid, and when that day is over; `None` if it has no end.
    pub last_day: Option<(String, Timestamp)>,
}

impl Tokens {
    /// What the file says of each token, in its order.
    pub fn all(&self) -> Vec<KnownToken> {
        let known = |Token { role, name, last_day, .. }: &Token| KnownToken {
            role: *role,
            name: name.clone(),
            last_day: last_day.as_ref().map(|day| (day.text.clone(), day.end)),
        };
        self.0.iter().map(known).collect()
    }
}

/// Compares without stopping at the first difference.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |difference, (a, b)| std::hint::black_box(difference | (a ^ b)));
    difference == 0
}

impl FromStr for Tokens {
    type Err = TokenFileError;

    /// One `role:sha256-of-token[:name[:YYYY-MM-DD[:requests-per-minute]]]` per line; blank lines and lines that
    /// start with `#` are ignored.
    fn from_str(text: &str) -> Result<Self, TokenFileError> {
        let mut tokens: Vec<(usize, Token)> = Vec::new();
        let mut problems = Vec::new();
        let lines = text.lines().map(str::trim).enumerate();
        for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let number = index + 1;
            match line.parse::<Token>() {
                Ok(token) => match tokens.iter().find(|(_, known)| known.digest == token.digest) {
                    Some((first, _)) => problems.push((number, LineProblem::Twice(*first))),
                    None => tokens.push((number, token)),
                },
                Err(problem) => problems.push((number, problem)),
            }
        }
        if !problems.is_empty() {
            return Err(TokenFileError::Lines(problems));
        }
        if tokens.is_empty() {
            return Err(TokenFileError::Empty);
        }
        Ok(Self(tokens.into_iter().map(|(_, token)| token).collect()))
    }
}

impl FromStr for Token {
    type Err = LineProblem;

    fn from_str(line: &str) -> Result<Self, LineProblem> {
        let parts: Vec<&str> = line.split(':').map(str::trim).collect();
        let (role, digest, rest) = match parts[..] {
            [role, digest, ref rest @ ..] if rest.len() <= 3 => (role, digest, rest),
            _ => return Err(LineProblem::Shape),
        };
        let roles = [Role::Viewer, Role::Trader, Role::Operator];
        let role = roles.into_iter().find(|known| known.as_str() == role).ok_or(LineProblem::Role)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(digest, &mut bytes).map_err(|_| LineProblem::Digest)?;
        let name = rest.first().map(|name| if is_name(name) { Ok(Arc::from(*name)) } else { Err(LineProblem::Name) });
        // Only before a limit may the day be left out.
        let last_day = rest.get(1).filter(|day| !(day.is_empty() && rest.len() == 3)).map(|day| day.parse());
        let per_minute = rest.get(2).map(|limit| limit_of(limit).ok_or(LineProblem::Limit));
        let (name, last_day, per_minute) = (name.transpose()?, last_day.transpose()?, per_minute.transpose()?);
        Ok(Self { role, digest: bytes, name, last_day, per_minute })
    }
}

fn limit_of(text: &str) -> Option<NonZeroU32> {
    let limit: NonZeroU32 = text.parse().ok()?;
    (limit.get() <= MOST_PER_MINUTE).then_some(limit)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control)
}

impl fmt::Debug for Tokens {
    /// Shows neither tokens nor digests.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01T00:15:00Z.
    const NOW: Timestamp = Timestamp::from_millis(1_767_226_500_000);

    fn line(role: &str, token: &str) -> String {
        format!("{role}:{}\n", hex::encode(Sha256::digest(token)))
    }

    #[test]
    fn a_token_has_the_role_of_its_line() {
        let text =
            format!("# for the desk\n\n{}  {}{}", line("viewer", "v"), line("trader", "t"), line("operator", "o"));
        let tokens: Tokens = text.parse().unwrap();
        let role = |token: &str| match tokens.find(token, NOW) {
            Found::Valid { role, name: None, per_minute: None } => Some(role),
            _ => None,
        };
        assert_eq!([role("v"), role("t"), role("o")], [Role::Viewer, Role::Trader, Role::Operator].map(Some));
        for wrong in ["", "V", "v ", &hex::encode(Sha256::digest("v"))] {
            assert_eq!(tokens.find(wrong, NOW), Found::Unknown, "{wrong}");
        }
        assert!(Role::Viewer < Role::Trader && Role::Trader < Role::Operator);
    }

    #[test]
    fn each_wrong_line_is_named_and_none_is_repeated() {
        let secret = "hunter2hunter2";
        let text = format!("viewer {secret}\nadmin:{secret}\n#\nviewer:{secret}\n{0}{0}", line("trader", secret));
        let error = text.parse::<Tokens>().unwrap_err();
        let TokenFileError::Lines(lines) = &error else { panic!("{error}") };
        let expected = [LineProblem::Shape, LineProblem::Role, LineProblem::Digest, LineProblem::Twice(5)];
        assert_eq!(*lines, [1, 2, 4, 6].into_iter().zip(expected).collect::<Vec<_>>());
        let told = format!("{error} {error:?}");
        assert!(told.contains("line 4") && !told.contains(secret), "{told}");
    }

    #[test]
    fn a_token_may_have_a_name_and_a_last_day() {
        let of = |rest: &str| line("trader", "t").trim().to_owned() + rest;
        let find = |rest: &str, now| of(rest).parse::<Tokens>().unwrap().find("t", now);
        let limited = |name: &str, limit: Option<u32>| Found::Valid {
            role: Role::Trader,
            name: Some(name.into()),
            per_minute: limit.map(|limit| limit.try_into().unwrap()),
        };
        let named = |name: &str| limited(name, None);
        assert_eq!(find(":petrosa-cio", NOW), named("petrosa-cio"));
        assert_eq!(find(" : ann b. : 2026-01-01 ", NOW), named("ann b."), "its last day is a whole day");
        assert_eq!(find(":ann:2026-01-01:60", NOW), limited("ann", Some(60)));
        assert_eq!(find(":ann: : 1000000", NOW), limited("ann", Some(1_000_000)));
        let end = Timestamp::from_millis(1_767_312_000_000);
        assert_eq!(find(":ann:2026-01-01", end.plus_millis(-1)), named("ann"));
        let known = of(":ann:2026-01-01").parse::<Tokens>().unwrap().all();
        assert_eq!((known[0].role, known[0].last_day.clone()), (Role::Trader, Some(("2026-01-01".to_owned(), end))));
        assert_eq!(find(":ann:2026-01-01", end), Found::Expired { last_day: "2026-01-01".to_owned() });
        for (rest, problem) in [
            (":", LineProblem::Name),
            (": :2026-01-01", LineProblem::Name),
            (":a\u{1b}[2J", LineProblem::Name),
            (format!(":{}", "x".repeat(MAX_NAME + 1)).as_str(), LineProblem::Name),
            (":ann:", LineProblem::Day),
            (":ann:2026-02-30", LineProblem::Day),
            (":ann:2026-1-1", LineProblem::Day),
            (":ann:1767226500", LineProblem::Day),
            (":ann:2026-01-01:x", LineProblem::Limit),
            (":ann:2026-01-01:", LineProblem::Limit),
            (":ann::0", LineProblem::Limit),
            (":ann::1000001", LineProblem::Limit),
            (":ann:2026-01-01:60:x", LineProblem::Shape),
        ] {
            let Err(TokenFileError::Lines(lines)) = of(rest).parse::<Tokens>() else { panic!("{rest} is taken") };
            assert_eq!(lines, [(1, problem)], "{rest}");
        }
    }

    #[test]
    fn a_file_without_tokens_is_refused_since_it_would_lock_everybody_out() {
        assert!(matches!("# nothing\n\n".parse::<Tokens>(), Err(TokenFileError::Empty)));
    }

    #[test]
    fn tokens_do_not_show_what_they_hold() {
        let tokens: Tokens = line("viewer", "v").parse().unwrap();
        assert_eq!(format!("{tokens:?}"), "1 tokens");
    }
}
