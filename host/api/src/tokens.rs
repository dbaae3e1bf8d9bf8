//! Who may do what: tokens, each with a role.
//!
//! The file holds digests, so reading it does not reveal a usable token. A token is long and random, so a plain SHA-256
//! is enough; a password would need a slow hash.

use std::{fmt, fs, io, path::Path, str::FromStr};

use sha2::{Digest as _, Sha256};
use thiserror::Error;

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
    /// There is no colon.
    #[error("give role:sha256-of-token")]
    Shape,
    /// The role is unknown.
    #[error("the role must be viewer, trader or operator")]
    Role,
    /// The digest is not valid. The error does not repeat it, because it may be a token that was put here by mistake.
    #[error("after the colon must be the SHA-256 of the token, 64 hex digits: printf %s \"$TOKEN\" | sha256sum")]
    Digest,
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
    /// Some lines are invalid; each of them is listed.
    #[error("API_TOKENS_FILE: {}", said(.0))]
    Lines(Vec<(usize, LineProblem)>),
    /// The file holds no tokens, so nobody could do anything.
    #[error(
        "API_TOKENS_FILE holds no token: give at least one line role:sha256-of-token, or unset it to leave the API open"
    )]
    Empty,
}

fn said(lines: &[(usize, LineProblem)]) -> String {
    lines.iter().map(|(line, problem)| format!("line {line}: {problem}")).collect::<Vec<_>>().join("; ")
}

/// The accepted tokens.
#[derive(Clone)]
pub struct Tokens(Vec<(Role, [u8; 32])>);

impl Tokens {
    /// Reads the token file.
    pub fn read(path: &Path) -> Result<Self, TokenFileError> {
        fs::read_to_string(path)?.parse()
    }

    /// The role of a token, or `None` if it is unknown. Every digest is compared in full, even after a match.
    pub fn role_of(&self, token: &str) -> Option<Role> {
        let given: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        self.0.iter().fold(None, |found, (role, digest)| if same(&given, digest) { Some(*role) } else { found })
    }
}

/// Compares without stopping at the first difference.
fn same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let difference = one.iter().zip(other).fold(0, |difference, (a, b)| std::hint::black_box(difference | (a ^ b)));
    difference == 0
}

impl FromStr for Tokens {
    type Err = TokenFileError;

    /// One `role:sha256-of-token` per line; blank lines and lines that start with `#` are ignored.
    fn from_str(text: &str) -> Result<Self, TokenFileError> {
        let mut tokens: Vec<(usize, Role, [u8; 32])> = Vec::new();
        let mut problems = Vec::new();
        let lines = text.lines().map(str::trim).enumerate();
        for (index, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let number = index + 1;
            match token(line) {
                Ok((role, digest)) => match tokens.iter().find(|(_, _, known)| *known == digest) {
                    Some((first, ..)) => problems.push((number, LineProblem::Twice(*first))),
                    None => tokens.push((number, role, digest)),
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
        Ok(Self(tokens.into_iter().map(|(_, role, digest)| (role, digest)).collect()))
    }
}

fn token(line: &str) -> Result<(Role, [u8; 32]), LineProblem> {
    let (role, digest) = line.split_once(':').ok_or(LineProblem::Shape)?;
    let roles = [Role::Viewer, Role::Trader, Role::Operator];
    let role = roles.into_iter().find(|known| known.as_str() == role.trim()).ok_or(LineProblem::Role)?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(digest.trim(), &mut bytes).map_err(|_| LineProblem::Digest)?;
    Ok((role, bytes))
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

    fn line(role: &str, token: &str) -> String {
        format!("{role}:{}\n", hex::encode(Sha256::digest(token)))
    }

    #[test]
    fn a_token_has_the_role_of_its_line() {
        let text =
            format!("# for the desk\n\n{}  {}{}", line("viewer", "v"), line("trader", "t"), line("operator", "o"));
        let tokens: Tokens = text.parse().unwrap();
        assert_eq!(tokens.role_of("v"), Some(Role::Viewer));
        assert_eq!(tokens.role_of("t"), Some(Role::Trader));
        assert_eq!(tokens.role_of("o"), Some(Role::Operator));
        for wrong in ["", "V", "v ", &hex::encode(Sha256::digest("v"))] {
            assert_eq!(tokens.role_of(wrong), None, "{wrong}");
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
    fn a_file_without_tokens_is_refused_since_it_would_lock_everybody_out() {
        assert!(matches!("# nothing\n\n".parse::<Tokens>(), Err(TokenFileError::Empty)));
    }

    #[test]
    fn tokens_do_not_show_what_they_hold() {
        let tokens: Tokens = line("viewer", "v").parse().unwrap();
        assert_eq!(format!("{tokens:?}"), "1 tokens");
    }
}
