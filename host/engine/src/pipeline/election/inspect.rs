//! What an operator would look at in a register: whether it answers, and who holds the record. Nothing is changed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Register, Word};
use crate::support::checkup::{Checkup, Finding, within};

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(12);
/// How long one call may take.
const CALL: Duration = Duration::from_secs(4);

const ANSWER: &str = "answer";
const HOLDER: &str = "holder";

/// The names of the checks, in order.
pub const CHECKS: [&str; 2] = [ANSWER, HOLDER];

/// Looks at the record of a register. `remedy` is what to do if it can't be read.
pub async fn inspect<R: Register>(register: &R, remedy: &str) -> Vec<Finding> {
    within(LIMIT, &CHECKS, remedy, async |checkup| match register.read(CALL).await {
        Ok(found) => {
            checkup.ok(ANSWER, format!("{} can be read, in {}", R::WHAT, register.place()));
            tell_holder(R::WHAT, found.map(|record| record.word).as_ref(), HOLDER, checkup);
        }
        Err(error) => checkup.wrong(ANSWER, error.to_string(), remedy),
    })
    .await
}

/// Tells who holds the record that is called `what`, as the check `check`.
pub fn tell_holder(what: &str, found: Option<&Word>, check: &'static str, checkup: &mut Checkup) {
    let Some(word) = found else {
        return checkup.ok(check, format!("{what} is not there yet: the first leader makes it"));
    };
    let Some(name) = &word.holder else { return checkup.ok(check, "nobody leads at the moment") };
    let Some(renewed) = word.renewed else {
        return checkup.ok(check, format!("{name}, which has not renewed it yet"));
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let age = i64::try_from(now.as_micros()).unwrap_or(i64::MAX).saturating_sub(renewed);
    let found = format!("{name} renewed it {:.0} s ago", age as f64 / 1_000_000.0);
    // A holder that is too late once may be back at the next try.
    let late = i64::try_from(2 * word.duration.as_micros()).unwrap_or(i64::MAX);
    if age > late {
        let fix = "start a replica, or let those that run reach the server: each takes it over by itself";
        checkup.warning(check, format!("{found}, and no replica has taken it over"), fix);
    } else {
        checkup.ok(check, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        pipeline::election::{
            contract::{Site as _, Way},
            memory::Memory,
        },
        support::checkup::Verdict,
    };

    #[tokio::test]
    async fn who_holds_the_record_is_told_and_who_stopped_is_a_warning() {
        let site = Memory::default();
        let register = site.register().await;
        let look = async || {
            let found = inspect(&register, "start it").await;
            (found[1].verdict, found[1].found.clone())
        };
        assert_eq!(look().await, (Verdict::Ok, "the record is not there yet: the first leader makes it".to_owned()));
        let mut word = Word::first("a", Duration::from_secs(6));
        let record = register.create(&word, CALL).await.unwrap().unwrap();
        assert_eq!(look().await, (Verdict::Ok, "a renewed it 0 s ago".to_owned()));
        word.renewed = word.renewed.map(|at| at - 13_000_000);
        let record = register.replace(&record, &word, CALL).await.unwrap().unwrap();
        let (verdict, found) = look().await;
        assert!(verdict == Verdict::Warning && found.contains("no replica has taken it over"), "{found}");
        register.replace(&record, &word.released(), CALL).await.unwrap().unwrap();
        assert_eq!(look().await, (Verdict::Ok, "nobody leads at the moment".to_owned()));
        site.disturb(0, Way::Refused).await;
        let found = inspect(&register, "start it").await;
        assert_eq!([found[0].verdict, found[1].verdict], [Verdict::Wrong, Verdict::NotChecked]);
        assert_eq!(found[0].fix.as_deref(), Some("start it"));
    }
}
