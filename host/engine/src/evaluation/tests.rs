use ta_bot_core::{ApplicationSettings, CandleWindow, Job, ParameterLevels, ResolvedParameters, Timeframe};
use ta_bot_wasm::{Limits, Sandbox, StrategyModule};

use super::*;
use crate::testing::{BEGIN, falling, settings, strategy, symbol};

struct Case {
    module: StrategyModule,
    parameters: ResolvedParameters,
    job: Job,
    window: CandleWindow,
}

impl Case {
    /// RSI on candles that it buys.
    fn new(count: i64) -> Self {
        let module = StrategyModule::load(&Sandbox::new(Limits::default(), None).unwrap(), &strategy("rsi")).unwrap();
        let parameters = ResolvedParameters::resolve(&module.description().schema, &ParameterLevels::default());
        let timeframe = Timeframe::M15;
        let window = CandleWindow::new(falling(timeframe, count)).unwrap();
        let candle_close = BEGIN.plus_millis(count * timeframe.millis());
        Self { module, parameters, job: Job { symbol: symbol("BTCUSDT"), timeframe, candle_close }, window }
    }

    fn evaluate(&self, settings: &ApplicationSettings) -> EvaluationReport {
        let inputs = Inputs {
            module: &self.module,
            parameters: &self.parameters,
            job: &self.job,
            base: self.window.newest(usize::MAX),
            extra: &[],
            settings,
            origin: Origin::NONE,
        };
        inputs.evaluate()
    }
}

#[test]
fn a_decision_becomes_a_signal_with_its_provenance() {
    let case = Case::new(250);
    let report = case.evaluate(&settings());
    let Outcome::Signal(signal) = report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!((&signal.provenance.module_digest, &signal.job), (&case.module.digest().to_string(), &case.job));
    assert_eq!(signal.provenance.parameter_hash, case.parameters.hash.to_string());
    assert!(report.decision.is_some() && report.usage.memory_bytes > 0);
}

#[test]
fn a_decision_outside_the_bounds_is_dropped_and_told() {
    let strict = ApplicationSettings { min_confidence: 1.0, max_confidence: 1.0, ..settings() };
    let report = Case::new(250).evaluate(&strict);
    assert!(matches!(report.outcome, Outcome::Dropped(..)), "{:?}", report.outcome);
    assert!(report.decision.is_none());
}

#[test]
fn too_few_candles_are_no_failure_of_the_strategy() {
    let report = Case::new(3).evaluate(&settings());
    let Outcome::Error(error) = report.outcome else { panic!("{:?}", report.outcome) };
    assert!(!error.is_failure(), "{error}");
}

#[test]
fn an_extra_window_follows_the_job() {
    use ta_bot_core::{Columns, ExtraInput, InputSymbol, InputTimeframe};
    let job = Case::new(20).job;
    let input = |symbol, timeframe| ExtraInput { symbol, timeframe, lookback: 5, columns: Columns::ALL };
    let own = input(InputSymbol::Own, InputTimeframe::NextHigher);
    assert_eq!(series_of(&own, &job), Some((job.symbol.clone(), job.timeframe.next_higher().unwrap())));
    let fixed = input(InputSymbol::Fixed(symbol("ETHUSDT")), InputTimeframe::Fixed(Timeframe::D1));
    assert_eq!(series_of(&fixed, &job), Some((symbol("ETHUSDT"), Timeframe::D1)));
    let highest = Job { timeframe: Timeframe::W1, ..job };
    assert_eq!(series_of(&own, &highest), None, "there is none above");
}
