//! The file of API tokens: whether it can be used, and whether somebody can.

use ta_bot_api::tokens::{KnownToken, Role, TokenBook};
use ta_bot_core::Timestamp;
use ta_bot_engine::support::checkup::{Checkup, Finding, within};

use super::LIMIT;
use crate::environment::Environment;

const FILE: &str = "file";
const VALIDITY: &str = "validity";
const OPERATOR: &str = "operator";

/// The names of the checks, in order.
pub(super) const CHECKS: [&str; 3] = [FILE, VALIDITY, OPERATOR];

/// How long before its end a token is worth a warning.
const SOON_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// Looks at the file of tokens; `None` if there is none.
pub(super) async fn look(environment: &Environment) -> Option<Vec<Finding>> {
    let path = environment.tokens_file.clone()?;
    let looked = within(LIMIT, &CHECKS, "let the disk of API_TOKENS_FILE answer", async |checkup| {
        match tokio::task::spawn_blocking(move || TokenBook::open(&path)).await {
            Ok(Ok(book)) => {
                let tokens = book.current().all();
                checkup.ok(FILE, format!("{} tokens", tokens.len()));
                validity(&tokens, Timestamp::now(), checkup);
            }
            Ok(Err(error)) => {
                let fix = "correct the file; docs/configuration.md says how a line is made (API tokens)";
                checkup.wrong(FILE, error.to_string(), fix);
            }
            Err(_) => checkup.not_checked(FILE, "reading it was given up"),
        }
    });
    Some(looked.await)
}

fn validity(tokens: &[KnownToken], now: Timestamp, checkup: &mut Checkup) {
    let named = |token: &KnownToken| token.name.as_deref().map_or_else(|| "without a name".to_owned(), str::to_owned);
    let is_over = |token: &KnownToken| token.last_day.as_ref().is_some_and(|(_, end)| *end <= now);
    for token in tokens {
        let Some((day, end)) = &token.last_day else { continue };
        let (role, name) = (token.role, named(token));
        if *end <= now {
            checkup.warning(
                VALIDITY,
                format!("the last day of the {role}'s token {name} was {day}"),
                "give its owner a new token, and take this line out of the file",
            );
        } else if end.millis().saturating_sub(now.millis()) < SOON_MS {
            checkup.warning(
                VALIDITY,
                format!("the last day of the {role}'s token {name} is {day}"),
                "add a line with a new token for its owner before that day ends",
            );
        }
    }
    let mut valid = tokens.iter().filter(|token| !is_over(token)).peekable();
    if valid.peek().is_none() {
        checkup.wrong(VALIDITY, "no token is valid any more", "add a line with a new token");
    }
    if !checkup.has(VALIDITY) {
        checkup.ok(VALIDITY, "none ends within a week");
    }
    if valid.any(|token| token.role == Role::Operator) {
        checkup.ok(OPERATOR, "somebody may upload and deploy modules");
    } else {
        checkup.warning(
            OPERATOR,
            "nobody may upload and deploy modules over the API",
            "add a line operator:SHA256:NAME, or change modules with the commands of ta-bot",
        );
    }
}

#[cfg(test)]
mod tests {
    use ta_bot_engine::support::checkup::Verdict;

    use super::*;

    #[test]
    fn what_ends_soon_and_what_has_ended_is_named() {
        let now = Timestamp::from_millis(1_767_226_500_000);
        let token = |role, ends: Option<i64>| KnownToken {
            role,
            name: Some("ann".into()),
            last_day: ends.map(|days| ("2026-01-01".to_owned(), now.plus_millis(days * 86_400_000))),
        };
        let told = |tokens: &[KnownToken]| {
            let mut checkup = Checkup::new(&CHECKS);
            validity(tokens, now, &mut checkup);
            checkup.finish().iter().map(|finding| finding.verdict).skip(1).collect::<Vec<_>>()
        };
        assert_eq!(told(&[token(Role::Operator, None), token(Role::Viewer, Some(8))]), [Verdict::Ok, Verdict::Ok]);
        assert_eq!(told(&[token(Role::Operator, Some(6))]), [Verdict::Warning, Verdict::Ok]);
        assert_eq!(told(&[token(Role::Trader, None)]), [Verdict::Ok, Verdict::Warning]);
        let over = told(&[token(Role::Operator, Some(0))]);
        assert_eq!(over, [Verdict::Warning, Verdict::Wrong, Verdict::Warning]);
    }
}
