use ta_bot_core::{ApplicationSettings, CandleWindow, Hole, Job, ParameterLevels, ResolvedParameters, Timeframe};
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

    /// The same market without `missing` candles, which are older than the newest `newer` ones.
    fn without(mut self, missing: usize, newer: usize) -> Self {
        let all: Vec<_> = self.window.newest(usize::MAX).candles().collect();
        let until = all.len() - newer;
        self.window = CandleWindow::new([&all[..until - missing], &all[until..]].concat()).unwrap();
        self
    }

    fn inputs<'a>(&'a self, settings: &'a ApplicationSettings) -> Inputs<'a> {
        Inputs {
            module: &self.module,
            parameters: &self.parameters,
            job: &self.job,
            base: self.window.newest(usize::MAX),
            extra: &[],
            settings,
            origin: Origin::NONE,
        }
    }

    fn evaluate(&self, settings: &ApplicationSettings) -> EvaluationReport {
        self.inputs(settings).evaluate()
    }
}

fn signal(report: EvaluationReport) -> ta_bot_core::Signal {
    let Outcome::Signal(signal) = report.outcome else { panic!("{:?}", report.outcome) };
    *signal
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

#[test]
fn a_hole_among_the_newest_candles_keeps_the_strategy_from_being_asked_and_an_older_one_is_told() {
    let settings = settings();
    for missing in [1, 2, 30] {
        for newer in [1, 2, 9, 10, 11, 48, 49, 50, 51, 120] {
            let case = Case::new(250).without(missing, newer);
            let until = case.job.candle_close.plus_millis(-(newer as i64) * case.job.timeframe.millis());
            let from = until.plus_millis(-(missing as i64) * case.job.timeframe.millis());
            let hole = Hole { from, until, missing: missing as u64 };
            for gap_window in [0, 1, 10, 50, 10_000] {
                let report = case.inputs(&settings).ask(gap_window);
                let told: Vec<&Hole> = report.holes.iter().flat_map(|holes| &holes.newest).collect();
                assert_eq!(told, [&hole], "{missing} {newer} {gap_window}");
                if newer < gap_window as usize {
                    let Outcome::Gap(gap) = report.outcome else {
                        panic!("{newer} {gap_window}: {:?}", report.outcome)
                    };
                    assert_eq!(gap, Gap::Hole { series: (case.job.symbol.clone(), case.job.timeframe), hole });
                    assert!(report.duration.is_zero());
                } else {
                    assert_eq!(signal(report).provenance.holes[0].newest, [hole]);
                }
            }
        }
    }
}

#[test]
fn an_accepted_hole_keeps_nothing_back_and_the_signal_names_it() {
    let case = Case::new(250).without(3, 5);
    let accepting = |names: &[&str]| {
        let accepted_holes = names.iter().map(|name| name.parse().unwrap()).collect();
        ApplicationSettings { accepted_holes, ..settings() }
    };
    let others = accepting(&["BTCUSDT 1h", "ETHUSDT 15m"]);
    assert!(matches!(case.inputs(&others).ask(50).outcome, Outcome::Gap(_)));
    let accepted = signal(case.inputs(&accepting(&["BTCUSDT 15m"])).ask(50));
    let holes = &accepted.message["metadata"]["provenance"]["holes"];
    let from = case.job.candle_close.plus_millis(-8 * case.job.timeframe.millis()).millis();
    let until = from + 3 * case.job.timeframe.millis();
    let newest = serde_json::json!([{"from": from, "until": until, "missing": 3}]);
    assert_eq!(*holes, serde_json::json!([{"symbol": "BTCUSDT", "timeframe": "15m", "missing": 3, "newest": newest}]));
    // What is accepted is no part of the signal.
    assert_eq!(signal(case.evaluate(&settings())).message, accepted.message);
    let whole = signal(Case::new(250).inputs(&settings()).ask(50));
    assert_eq!(whole.message["metadata"]["provenance"].get("holes"), None);
}

#[test]
fn signals_of_the_first_version_say_nothing_of_holes() {
    let (case, settings) = (Case::new(250).without(3, 5), settings());
    let origin = Origin { host_version: FIRST_HOST_VERSION, ..Origin::NONE };
    let first = signal(Inputs { origin, ..case.inputs(&settings) }.evaluate());
    assert_eq!(first.message["metadata"]["provenance"].get("holes"), None);
}
