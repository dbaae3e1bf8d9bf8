//! Windows on which a careless rule panics, divides by zero or runs for ever. None of them holds NaN: no store of this
//! service holds such a candle.

use ta_bot_core::{Candle, CandleWindow, EvaluationError, Job, StrategyDescription, Symbol, Timeframe, Timestamp};

use super::{
    CheckOutcome, Recorded, Subject, Unfinished,
    ask::{Outcome, example},
    recorded::flat,
};
use crate::market::history::View;

/// The dates on which markets stand still, in years after the recorded candles: a rule may work well until some date.
const YEARS: [i64; 4] = [-50, 0, 1, 15];
const YEAR_MS: i64 = 365 * 86_400_000;
/// For how many candles a market stands still at the end of a window.
const STILL: [usize; 8] = [1, 2, 3, 5, 14, 20, 50, 200];

/// A market that nobody would trade.
struct Market {
    name: String,
    candles: Vec<Candle>,
    /// Whether its numbers are of a size that occurs, so that the answer has to hold numbers as well.
    sound: bool,
}

/// What the extra series of a hostile window hold.
#[derive(Clone, Copy)]
enum Extra {
    /// The same candles as the base, as many as are wanted.
    Base,
    None,
    One,
}

/// Asks about each market. Any answer is fine, unless the module is stopped in the middle or answers what no strategy
/// may answer.
pub(super) fn check(subject: &Subject<'_>, recorded: &Recorded) -> Result<CheckOutcome, Unfinished> {
    let description = subject.description();
    let Some((symbol, timeframe, ordinary)) = ordinary(description, recorded) else {
        return Err(Unfinished(format!("among the {} there is no series on which it runs", recorded.origin())));
    };
    let mut asked = 0;
    for Market { name, candles, sound } in markets(&ordinary, description.lookback as usize, timeframe) {
        // The candles are in order because of the way they are made. A market whose candles are not is left out.
        let Ok(window) = CandleWindow::new(candles) else { continue };
        let kinds: &[Extra] =
            if description.extra.is_empty() { &[Extra::Base] } else { &[Extra::Base, Extra::None, Extra::One] };
        for kind in kinds {
            let view = view(description, (&symbol, timeframe), &window, *kind);
            let outcome = subject.ask(&view)?.outcome;
            asked += 1;
            if let Some(problem) = problem(&outcome, sound) {
                let mut example = example(&view, &outcome);
                example.at = format!("{name}: {}", example.at);
                return Ok(CheckOutcome::failed(problem, example));
            }
        }
    }
    Ok(CheckOutcome::passed(format!("{asked} windows of markets that nobody would trade")))
}

/// What is wrong with the answer to such a window.
const fn problem(outcome: &Outcome, sound: bool) -> Option<&'static str> {
    match outcome {
        Err(EvaluationError::Trap(_) | EvaluationError::Timeout { .. } | EvaluationError::Limit(_)) => Some(
            "it is stopped in the middle on a market that it may meet: let it answer, or say that it has no signal",
        ),
        Err(EvaluationError::InvalidDecision(_)) if sound => Some(
            "it answers what no strategy may answer, on a market that it may meet: a division by what may be zero is the \
             usual cause",
        ),
        _ => None,
    }
}

/// The newest candles of a series on which the strategy runs.
fn ordinary(description: &StrategyDescription, recorded: &Recorded) -> Option<(Symbol, Timeframe, Vec<Candle>)> {
    let series = recorded.history().series().iter().filter(|series| description.runs_on(series.timeframe));
    let series = series.max_by_key(|series| series.len()).filter(|series| !series.is_empty())?;
    let from = series.len().saturating_sub(description.lookback as usize);
    Some((series.symbol.clone(), series.timeframe, series.span(from..series.len()).candles().collect()))
}

fn view<'a>(
    description: &StrategyDescription,
    (symbol, timeframe): (&Symbol, Timeframe),
    window: &'a CandleWindow,
    kind: Extra,
) -> View<'a> {
    let base = window.newest(description.lookback as usize);
    let open = base.open_time.last().map_or(Timestamp::from_millis(0), |open| Timestamp::from_millis(*open as i64));
    let job = Job { symbol: symbol.clone(), timeframe, candle_close: timeframe.close_of(open) };
    let wanted = |lookback: u32| match kind {
        Extra::Base => lookback as usize,
        Extra::None => 0,
        Extra::One => 1,
    };
    let extra = description.extra.iter().map(|input| window.newest(wanted(input.lookback))).collect();
    View { job, base, extra }
}

/// All markets, most of them with as many candles as the strategy wants.
fn markets(ordinary: &[Candle], lookback: usize, timeframe: Timeframe) -> Vec<Market> {
    let make = Make { ordinary, lookback, timeframe };
    let mut markets = make.still();
    markets.extend(make.short());
    markets.extend(make.shapes());
    markets.extend(make.sizes());
    markets
}

struct Make<'a> {
    ordinary: &'a [Candle],
    lookback: usize,
    timeframe: Timeframe,
}

impl Make<'_> {
    fn newest(&self) -> Candle {
        self.ordinary.last().copied().unwrap_or_else(|| flat(Timestamp::from_millis(0), 100.0, 1.0))
    }

    /// The open time of the candle that is `before` candles before the newest.
    fn open(&self, before: usize) -> Timestamp {
        self.newest().open_time.plus_millis(-self.timeframe.millis() * before as i64)
    }

    /// A market of `count` candles. `candle` makes each of them from its place, counted from the oldest.
    fn by(&self, name: &str, count: usize, candle: impl Fn(usize) -> [f64; 5]) -> Market {
        let candles = (0..count).map(|place| {
            let [open, high, low, close, volume] = candle(place);
            Candle { open_time: self.open(count - 1 - place), open, high, low, close, volume }
        });
        Market { name: name.to_owned(), candles: candles.collect(), sound: true }
    }

    /// The ordinary candles, some of them changed.
    fn changed(&self, name: &str, change: impl Fn(usize, Candle) -> Candle) -> Market {
        let candles = self.ordinary.iter().enumerate().map(|(place, candle)| change(place, *candle)).collect();
        Market { name: name.to_owned(), candles, sound: true }
    }

    /// Markets in which nothing moves: for ever, at the end, until the end, and at other times.
    fn still(&self) -> Vec<Market> {
        let mut markets = Vec::new();
        for years in YEARS {
            for volume in [0.0, 1.0] {
                let name = format!("flat candles of volume {volume}");
                let mut market = self.by(&name, self.lookback, |_| [100.0, 100.0, 100.0, 100.0, volume]);
                let later = self.timeframe.open_of(Timestamp::from_millis(years * YEAR_MS)).millis();
                market.candles.iter_mut().for_each(|candle| candle.open_time = candle.open_time.plus_millis(later));
                markets.push(market);
            }
        }
        let last = self.ordinary.len().saturating_sub(1);
        for count in STILL {
            let from = self.ordinary.len().saturating_sub(count);
            let price = self.ordinary.get(from.saturating_sub(1)).map_or(100.0, |candle| candle.close);
            markets.push(self.changed(&format!("the last {count} candles flat"), |place, candle| {
                if place >= from { flat(candle.open_time, price, 0.0) } else { candle }
            }));
        }
        markets.push(self.changed("flat until the newest candle", |place, candle| {
            if place == last { candle } else { flat(candle.open_time, 100.0, 0.0) }
        }));
        markets.push(self.changed("flat but for the oldest candle", |place, candle| {
            if place == 0 { candle } else { flat(candle.open_time, candle.open, 1.0) }
        }));
        markets
    }

    /// Young markets.
    fn short(&self) -> Vec<Market> {
        let full = self.lookback;
        let mut lengths = vec![0, 1, 2, 3, 5, 10, 14, 15, 20, 26, 35, 50, 100, full / 2, full - 1];
        lengths.retain(|length| *length <= full);
        lengths.sort_unstable();
        lengths.dedup();
        let of = |length: usize| {
            let from = self.ordinary.len().saturating_sub(length);
            let young = Market {
                name: format!("a market of {length} candles"),
                candles: self.ordinary[from..].to_vec(),
                sound: true,
            };
            [young, self.by(&format!("a flat market of {length} candles"), length, |_| [1.0, 1.0, 1.0, 1.0, 0.0])]
        };
        lengths.into_iter().flat_map(of).collect()
    }

    fn shapes(&self) -> Vec<Market> {
        let full = self.lookback;
        let last = self.ordinary.len().saturating_sub(1);
        // Prices change by a factor of a million from one end of the window to the other.
        let step = 1e6_f64.powf(1.0 / full as f64);
        let run = |place: usize, step: f64| {
            let (open, close) = (100.0 * step.powi(place as i32), 100.0 * step.powi(place as i32 + 1));
            [open, open.max(close), open.min(close), close, 10.0]
        };
        let scaled = |candle: Candle, by: f64| Candle {
            open: candle.open * by,
            high: candle.high * by,
            low: candle.low * by,
            close: candle.close * by,
            ..candle
        };
        let hours = 1000 * self.timeframe.millis();
        vec![
            self.by("every candle rises", full, |place| run(place, step)),
            self.by("every candle falls", full, |place| run(place, 1.0 / step)),
            self.by("up and down between two prices", full, |place| {
                if place % 2 == 0 { [100.0, 110.0, 100.0, 110.0, 5.0] } else { [110.0, 110.0, 100.0, 100.0, 5.0] }
            }),
            self.by("every candle closes where it opened", full, |_| [100.0, 101.0, 99.0, 100.0, 5.0]),
            self.by("every candle is the same", full, |_| [100.0, 103.0, 98.0, 102.0, 5.0]),
            self.by("every candle closes at its high", full, |_| [98.0, 102.0, 98.0, 102.0, 5.0]),
            self.by("every candle closes at its low", full, |_| [102.0, 102.0, 98.0, 98.0, 5.0]),
            self.changed("a newest candle a thousand times as high", |place, candle| {
                if place == last { scaled(candle, 1000.0) } else { candle }
            }),
            self.changed("a newest candle a thousand times as low", |place, candle| {
                if place == last { scaled(candle, 0.001) } else { candle }
            }),
            self.changed("an oldest candle a thousand times as high", |place, candle| {
                if place == 0 { scaled(candle, 1000.0) } else { candle }
            }),
            // The older half is moved further back, so that the order holds.
            self.changed("a gap of a thousand candles in the middle", |place, candle| {
                let back = if place < last / 2 { hours } else { 0 };
                Candle { open_time: candle.open_time.plus_millis(-back), ..candle }
            }),
            Market {
                name: "every third candle missing".to_owned(),
                candles: self
                    .ordinary
                    .iter()
                    .enumerate()
                    .filter(|(place, _)| place % 3 != 1)
                    .map(|(_, one)| *one)
                    .collect(),
                sound: true,
            },
        ]
    }

    /// Prices and volumes of every size.
    fn sizes(&self) -> Vec<Market> {
        let priced = |name: &str, by: f64, sound: bool| Market {
            sound,
            ..self.changed(name, |_, candle| Candle {
                open: candle.open * by,
                high: candle.high * by,
                low: candle.low * by,
                close: candle.close * by,
                ..candle
            })
        };
        let traded = |name: &str, volume: f64| self.changed(name, |_, candle| Candle { volume, ..candle });
        vec![
            priced("prices of a billionth", 1e-10, true),
            priced("prices of billions", 1e10, true),
            priced("prices near the least number", 1e-300, false),
            priced("prices near the greatest number", 1e300, false),
            traded("no volume", 0.0),
            traded("a volume of a trillionth", 1e-12),
            traded("a volume of quintillions", 1e18),
            self.changed("a volume in the newest candle only", |place, candle| Candle {
                volume: if place + 1 == self.ordinary.len() { 1e9 } else { 0.0 },
                ..candle
            }),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::made_up::walk;

    #[test]
    fn sound_markets_hold_candles_and_every_window_is_ordered() {
        for lookback in [1, 2, 50, 250, 10_000] {
            let symbol: Symbol = "BTCUSDT".parse().unwrap();
            let opens = (0..lookback as i64).map(|index| Timestamp::from_millis(1_699_999_200_000 + index * 3_600_000));
            let ordinary = walk(&symbol, opens, 100.0);
            let markets = markets(&ordinary, lookback, Timeframe::H1);
            assert!(markets.len() > 40, "{}", markets.len());
            for Market { name, candles, sound } in markets {
                assert!(candles.len() <= lookback, "{name}");
                if sound {
                    let wrong = candles.iter().find_map(|candle| candle.check(Timeframe::H1).err());
                    assert_eq!(wrong, None, "{name} of {lookback}");
                }
                assert!(CandleWindow::new(candles).is_ok(), "{name} of {lookback}");
            }
        }
    }
}
