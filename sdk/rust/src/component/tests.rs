//! Tests what the host sees of a strategy that uses everything.

use super::*;
use crate::testing::{self, Candles as Made, context, evaluate_with};
use crate::{log, parameters};

parameters! {
    struct Parameters {
        /// Least close of the higher timeframe, in price.
        floor: f64 = 10.0,
    }
}

struct Both;

impl Strategy for Both {
    type Parameters = Parameters;

    const ID: &'static str = "both";
    const NAME: &'static str = "Both";
    const VERSION: &'static str = "1.2.3";
    const DESCRIPTION: &'static str = "Reads the next higher timeframe and BTCUSDT.";
    const LOOKBACK: u32 = 2;
    const COLUMNS: &'static [Column] = &[Column::Close];
    const TIMEFRAMES: &'static [&'static str] = &["15m", "1h"];
    const EXTRA: &'static [Input] = &[
        Input::next_higher_timeframe(3).columns(&[Column::Close, Column::Volume]),
        Input::timeframe("1h", 1).symbol("BTCUSDT"),
    ];

    fn check(parameters: &Parameters) -> Result<(), String> {
        if parameters.floor < 0.0 { Err("floor must not be below 0".into()) } else { Ok(()) }
    }

    fn evaluate(
        context: &Context,
        window: Window<'_>,
        extra: &[Window<'_>],
        parameters: &Parameters,
    ) -> Result<Option<Signal>, Fault> {
        let [higher, leader] = extra else { return Err(Fault::failed("two extra series")) };
        log::debug!("{} candles of {}", window.len(), context.symbol);
        assert!(window.high().is_empty(), "not asked for, so not filled");
        assert!(higher.open().is_empty(), "not asked for, so not filled");
        let seen = window.len() + 10 * higher.volume().len() + 100 * leader.open_time().len();
        let bought = higher.close().last().is_some_and(|&close| close >= parameters.floor);
        Ok(bought.then(|| Signal::buy(0.7).metadata("seen", seen as f64)))
    }
}

export!(Both);

fn made(len: usize) -> Made {
    Made::from_closes(&vec![10.0; len])
}

#[test]
fn a_rule_sees_the_series_and_columns_that_it_declared_and_no_more() {
    let base = made(5);
    let signal = evaluate_with::<Both>(&context(&base), &base, &[made(5), made(5)], &[]).unwrap().unwrap();
    assert_eq!(signal.reading("seen"), Some(&Value::Number(132.0)), "2 base, 3 higher and 1 of the leader");
}

#[test]
fn parameters_are_checked_before_the_rule_runs() {
    let base = made(2);
    let evaluated =
        |floor: f64| evaluate_with::<Both>(&context(&base), &base, &[made(3), made(1)], &[("floor", floor.into())]);
    assert_eq!(evaluated(11.0), Ok(None));
    assert_eq!(evaluated(-1.0), Err(Fault::InvalidParameters("floor must not be below 0".into())));
    assert_eq!(testing::check::<Both>(&[("floor", (-1.0).into())]), Err("floor must not be below 0".into()));
    assert_eq!(testing::check::<Both>(&[("floor", "x".into())]), Err("floor = \"x\" must be a number".into()));
}

#[test]
fn a_series_too_few_or_uneven_columns_are_a_fault_and_no_panic() {
    let base = made(2);
    let missing = evaluate_with::<Both>(&context(&base), &base, &[made(3)], &[]);
    assert_eq!(missing, Err(Fault::Failed("1 extra series where 2 are declared".into())));

    let columns = |close, volume| Candles {
        open_time: Vec::new(),
        open: Vec::new(),
        high: Vec::new(),
        low: Vec::new(),
        close: vec![10.0; close],
        volume: vec![1.0; volume],
    };
    let uneven = evaluate::<Both>(&context(&base), &columns(2, 0), &[columns(3, 2), columns(0, 0)], &[]);
    assert_eq!(uneven, Err(Fault::Failed("extra 1: column volume has 2 entries where another has 3".into())));
}

#[test]
fn the_description_says_everything_that_was_declared() {
    let description = describe::<Both>();
    assert_eq!((description.id.as_str(), description.name.as_str()), ("both", "Both"));
    assert_eq!((description.version.as_str(), description.lookback), ("1.2.3", 2));
    assert_eq!(description.timeframes, ["15m", "1h"]);
    assert_eq!(description.columns, Columns::CLOSE);
    let [higher, leader] = &description.extra[..] else { panic!("two extra series") };
    assert!(matches!(higher.symbol, InputSymbol::Own) && matches!(higher.timeframe, InputTimeframe::NextHigher));
    assert_eq!((higher.lookback, higher.columns), (3, Columns::CLOSE | Columns::VOLUME));
    assert_eq!(leader.symbol, InputSymbol::Fixed("BTCUSDT".into()));
    assert_eq!(leader.timeframe, InputTimeframe::Fixed("1h".into()));
    assert_eq!(leader.columns, Columns::empty(), "all");
    assert_eq!(description.parameters[0].description, "Least close of the higher timeframe, in price.");
}
