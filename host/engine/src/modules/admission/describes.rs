//! Whether the module describes itself in the same way each time.

use ta_bot_core::{StrategyDescription, Timestamp};
use ta_bot_wasm::LoadError;

use super::{CheckOutcome, Example, Subject, Unfinished};

/// How much of a field an example shows, in characters.
const FIELD_CHARS: usize = 200;

/// Asks two instances twice each, with different clocks and random seeds.
pub(super) fn check(subject: &Subject<'_>) -> Result<CheckOutcome, Unfinished> {
    let expected = subject.description();
    // The moment at which modules are loaded, and one in a year that no module can know when it is built.
    for (now, seed) in [(0, [0; 32]), (2_000_000_000_000, [0xa5; 32])] {
        subject.count(2);
        let answers = match subject.module.describe_again(Timestamp::from_millis(now), seed) {
            Ok(answers) => answers,
            Err(LoadError::NoRoom(reason)) => return Err(Unfinished(reason)),
            Err(error) => {
                return Ok(CheckOutcome::Failed {
                    problem: format!(
                        "it described itself when it was loaded, and not when it was asked again: {error}"
                    ),
                    example: None,
                });
            }
        };
        for answer in &answers {
            if let Some(example) = difference(expected, answer) {
                return Ok(CheckOutcome::failed(
                    "describe() does not always answer the same: let it answer fixed values, with nothing counted, drawn \
                     or read from a clock",
                    example,
                ));
            }
        }
    }
    Ok(CheckOutcome::passed("the same four times more, in two instances, whatever their clock and chance"))
}

/// The first field that differs.
fn difference(expected: &StrategyDescription, answer: &StrategyDescription) -> Option<Example> {
    // Compared as text, since a bound that is NaN is not equal to itself.
    let fields = |of: &StrategyDescription| {
        [
            ("id", format!("{:?}", of.id.as_str())),
            ("name", format!("{:?}", of.name)),
            ("version", format!("{:?}", of.version)),
            ("description", format!("{:?}", of.description)),
            ("lookback", of.lookback.to_string()),
            ("columns", format!("{:?}", of.columns)),
            ("timeframes", format!("{:?}", of.timeframes)),
            ("extra", format!("{:?}", of.extra)),
            ("parameters", format!("{:?}", of.schema.specs())),
        ]
    };
    let cut = |text: &str| text.chars().take(FIELD_CHARS).collect::<String>();
    let different = fields(expected).into_iter().zip(fields(answer)).find(|(one, other)| one != other);
    different.map(|((name, expected), (_, answered))| Example {
        at: format!("describe(), the field {name}"),
        expected: Some(cut(&expected)),
        answered: cut(&answered),
    })
}
