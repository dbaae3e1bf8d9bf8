//! Says what the service has to answer, given only which rows were written, and when.
//!
//! It follows `docs/candles.md` and uses nothing that the service uses to sort out rows, to make candles or to find
//! gaps. Only the strategies are the same, on the windows that are put together here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ta_bot_core::{
    ApplicationSettings, Candle, CandleSlice, CandleWindow, ClosedCandles, DerivedCandles, Job, MessageRules,
    ParameterLevels, ResolvedParameters, Symbol, Timeframe, Timestamp,
};
use ta_bot_engine::evaluation::{Inputs, Origin, Outcome, SeriesKey, WindowRequest, extra_windows};
use ta_bot_wasm::StrategyModule;

use super::{GAP_WINDOW, LONG, PATIENCE, SHORT, extractor::Row};

/// A row as it is in a table: the numbers, and when they were written.
type Written = (Candle, Timestamp);

/// What there is of a candle.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Slot {
    /// Its own row.
    Own(Candle),
    /// Shorter candles that make it.
    Made(Candle),
    /// Rows that can't be used, and why.
    Unusable(&'static str),
    /// No row.
    Missing,
}

impl Slot {
    const fn candle(self) -> Option<Candle> {
        match self {
            Self::Own(candle) | Self::Made(candle) => Some(candle),
            Self::Unusable(_) | Self::Missing => None,
        }
    }
}

/// What has become of a job.
enum End {
    /// It was decided, with these signals.
    Decided(Vec<(String, String)>),
    /// It is given up, for this reason.
    Dead(&'static str),
}

/// What the service has to answer at a moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Answer {
    /// The jobs that were decided.
    pub(crate) decided: BTreeSet<Job>,
    /// The jobs that were given up, with the code of the reason.
    pub(crate) dead: BTreeMap<Job, String>,
    /// The state and the message of each signal, by its id.
    pub(crate) signals: BTreeMap<String, (String, String)>,
}

/// What is right.
pub(crate) struct Oracle {
    modules: Arc<Vec<StrategyModule>>,
    settings: ApplicationSettings,
    parameter_store: &'static str,
    begin: Timestamp,
    /// The rows of each candle, by their names.
    rows: BTreeMap<SeriesKey, BTreeMap<Timestamp, BTreeMap<&'static str, Written>>>,
    /// The longer candles that were made of shorter ones for a window.
    made: BTreeSet<(SeriesKey, Timestamp)>,
    /// How often a strategy could not be asked.
    pub(crate) gaps: usize,
    answer: Answer,
}

impl Oracle {
    /// An oracle for a service that runs `modules` with their default parameters and begins at `begin`.
    pub(crate) fn new(
        modules: Arc<Vec<StrategyModule>>,
        settings: ApplicationSettings,
        parameter_store: &'static str,
        begin: Timestamp,
    ) -> Self {
        let (rows, made, answer) = (BTreeMap::new(), BTreeSet::new(), Answer::default());
        Self { modules, settings, parameter_store, begin, rows, made, gaps: 0, answer }
    }

    /// Takes note of rows that were written.
    pub(crate) fn written(&mut self, rows: &[Row]) {
        for row in rows {
            let series = self.rows.entry((row.symbol.clone(), row.timeframe)).or_default();
            series.entry(row.candle.open_time).or_default().insert(row.copy, (row.candle, row.written));
        }
    }

    /// What the service has to answer once it has done all that it can do at `now`.
    pub(crate) fn answer(&mut self, now: Timestamp) -> &Answer {
        for job in self.jobs(now) {
            if self.answer.decided.contains(&job) {
                continue;
            }
            match self.end(&job, now) {
                Some(End::Decided(signals)) => {
                    let is_late = now >= job.timeframe.close_of(job.candle_close);
                    let state = |message: &str| match is_trade(message) {
                        false => "withheld",
                        true if is_late => "expired",
                        true => "published",
                    };
                    self.answer.dead.remove(&job);
                    self.answer.decided.insert(job);
                    let signals = signals.into_iter().map(|(id, message)| (id, (state(&message).to_owned(), message)));
                    self.answer.signals.extend(signals);
                }
                Some(End::Dead(code)) => {
                    self.answer.dead.insert(job, code.to_owned());
                }
                None => {}
            }
        }
        &self.answer
    }

    /// Every candle that has closed since the service began, whether it has a job or not.
    pub(crate) fn jobs(&self, now: Timestamp) -> Vec<Job> {
        let mut jobs = Vec::new();
        for timeframe in [SHORT, LONG] {
            for symbol in &self.settings.symbols {
                let mut candle_close = self.begin;
                while candle_close <= now {
                    jobs.push(Job { symbol: symbol.clone(), timeframe, candle_close });
                    candle_close = timeframe.close_of(candle_close);
                }
            }
        }
        jobs
    }

    /// How many candles of the longer timeframe were made of shorter ones.
    pub(crate) fn made(&self) -> usize {
        self.made.iter().filter(|((_, timeframe), _)| *timeframe == LONG).count()
    }

    /// What has become of a job, if anything has.
    fn end(&mut self, job: &Job, now: Timestamp) -> Option<End> {
        let is_awaited = now < job.candle_close.plus_millis(PATIENCE);
        let Job { symbol, timeframe, candle_close } = job;
        let open = candle_close.plus_millis(-timeframe.millis());
        let code = match self.slot(symbol, *timeframe, open) {
            Slot::Own(_) | Slot::Made(_) if is_awaited && self.waits_for_longer(job) => return None,
            Slot::Own(_) | Slot::Made(_) => return Some(End::Decided(self.decide(job))),
            Slot::Unusable(code) => code,
            // There was a job, since all parts have rows. One of them is no candle.
            Slot::Missing if self.has_rows_of_parts(symbol, *timeframe, open) => "missing",
            Slot::Missing => return None,
        };
        (!is_awaited).then_some(End::Dead(code))
    }

    /// Whether a strategy reads a longer series whose candle closes with the job's and is late. One that was missing
    /// before that is not waited for.
    fn waits_for_longer(&self, job: &Job) -> bool {
        let extra = self.modules.iter().filter(|module| module.description().runs_on(job.timeframe));
        let extra = extra.flat_map(|module| extra_windows(module.description(), job)).filter_map(|(series, _)| series);
        let mut closing = extra.filter(|(_, timeframe)| timeframe.open_of(job.candle_close) == job.candle_close);
        closing.any(|(symbol, timeframe)| {
            let open = |back: i64| job.candle_close.plus_millis(-back * timeframe.millis());
            let is_there = |open| self.slot(&symbol, timeframe, open).candle().is_some();
            !is_there(open(1)) && is_there(open(2))
        })
    }

    /// The signals of a candle, as ids and messages.
    fn decide(&mut self, job: &Job) -> Vec<(String, String)> {
        let mut signals = Vec::new();
        for module in Arc::clone(&self.modules).iter().filter(|module| module.description().runs_on(job.timeframe)) {
            let own = (Some((job.symbol.clone(), job.timeframe)), module.description().lookback);
            let extra = extra_windows(module.description(), job);
            let base = self.window(&own, job.candle_close);
            let windows: Vec<CandleWindow> = extra.iter().map(|wanted| self.window(wanted, job.candle_close)).collect();
            let has_stopped = extra.iter().zip(&windows).any(|(wanted, window)| is_not_up_to_date(wanted, window, job));
            let with_series = [&own].into_iter().chain(&extra).zip([&base].into_iter().chain(&windows));
            if has_stopped || with_series.into_iter().any(|(wanted, window)| has_hole(wanted, window)) {
                self.gaps += 1;
                continue;
            }
            let extra: Vec<CandleSlice<'_>> = windows.iter().map(|window| window.newest(usize::MAX)).collect();
            let parameters = ResolvedParameters::resolve(&module.description().schema, &ParameterLevels::default());
            let inputs = Inputs {
                module,
                parameters: &parameters,
                job,
                base: base.newest(usize::MAX),
                extra: &extra,
                settings: &self.settings,
                // The market of this test is simulated, and signals say so.
                origin: Origin {
                    parameter_store: self.parameter_store,
                    rules: MessageRules { is_simulated: true, ..MessageRules::default() },
                    ..Origin::NONE
                },
            };
            match inputs.evaluate().outcome {
                Outcome::Signal(signal) => signals.push((signal.id.to_string(), signal.message.to_string())),
                Outcome::None | Outcome::Dropped(..) => {}
                other => panic!("{job}: {other:?}"),
            }
        }
        signals
    }

    /// The newest candles of a series that had closed at `until`, as many as are wanted and there.
    fn window(&mut self, (series, count): &WindowRequest, until: Timestamp) -> CandleWindow {
        let Some((symbol, timeframe)) = series else { return CandleWindow::default() };
        let oldest = [*timeframe, SHORT].into_iter().filter_map(|timeframe| {
            self.rows.get(&(symbol.clone(), timeframe))?.first_key_value().map(|(open, _)| *open)
        });
        let Some(oldest) = oldest.min() else { return CandleWindow::default() };
        let mut candles = Vec::new();
        let mut made = Vec::new();
        let mut open = timeframe.open_of(until).plus_millis(-timeframe.millis());
        while open >= oldest && candles.len() < *count as usize {
            let slot = self.slot(symbol, *timeframe, open);
            candles.extend(slot.candle());
            if matches!(slot, Slot::Made(_)) {
                made.push(open);
            }
            open = open.plus_millis(-timeframe.millis());
        }
        candles.reverse();
        made.reverse();
        self.made.extend(made.iter().map(|open| ((symbol.clone(), *timeframe), *open)));
        let derived = (!made.is_empty()).then_some(DerivedCandles { source: SHORT, open_times: made });
        ClosedCandles { candles, derived, ..ClosedCandles::default() }.try_into().unwrap()
    }

    /// What there is of the candle that opened at `open`. A missing or unfinished one is made of shorter ones if all of
    /// them are there.
    fn slot(&self, symbol: &Symbol, timeframe: Timeframe, open: Timestamp) -> Slot {
        let own = self.own(symbol, timeframe, open);
        if !matches!(own, Slot::Missing | Slot::Unusable("unfinished")) || timeframe == SHORT {
            return own;
        }
        let parts = opens_of_parts(timeframe, open).map(|open| self.own(symbol, SHORT, open).candle());
        let Some(parts) = parts.collect::<Option<Vec<Candle>>>() else { return own };
        let volume: f64 = parts.iter().map(|part| part.volume).sum();
        Slot::Made(Candle {
            open_time: open,
            open: parts[0].open,
            high: parts.iter().map(|part| part.high).reduce(f64::max).unwrap(),
            low: parts.iter().map(|part| part.low).reduce(f64::min).unwrap(),
            close: parts[parts.len() - 1].close,
            volume: format!("{volume:.8}").parse().unwrap(),
        })
    }

    /// What the rows of a candle say.
    fn own(&self, symbol: &Symbol, timeframe: Timeframe, open: Timestamp) -> Slot {
        let Some(rows) = self.rows_of(symbol, timeframe, open) else { return Slot::Missing };
        let close = timeframe.close_of(open);
        let usable = || rows.values().filter(|(candle, written)| *written >= close && is_sound(candle));
        let Some(last) = usable().map(|(_, written)| *written).max() else {
            let all_sound = rows.values().all(|(candle, _)| is_sound(candle));
            return Slot::Unusable(if all_sound { "unfinished" } else { "unsound" });
        };
        let mut newest = usable().filter(|(_, written)| *written == last).map(|(candle, _)| *candle);
        let candle = newest.next().unwrap();
        if newest.all(|other| other == candle) { Slot::Own(candle) } else { Slot::Unusable("contradicted") }
    }

    fn has_rows_of_parts(&self, symbol: &Symbol, timeframe: Timeframe, open: Timestamp) -> bool {
        let has_row = |open| self.rows_of(symbol, SHORT, open).is_some();
        timeframe != SHORT && opens_of_parts(timeframe, open).all(has_row)
    }

    fn rows_of(
        &self,
        symbol: &Symbol,
        timeframe: Timeframe,
        open: Timestamp,
    ) -> Option<&BTreeMap<&'static str, Written>> {
        self.rows.get(&(symbol.clone(), timeframe))?.get(&open)
    }
}

/// Whether a signal is a buy or a sell: no other is published.
fn is_trade(message: &str) -> bool {
    [r#""action":"buy""#, r#""action":"sell""#].iter().any(|action| message.contains(action))
}

/// When the shorter candles open that a longer one consists of.
fn opens_of_parts(timeframe: Timeframe, open: Timestamp) -> impl Iterator<Item = Timestamp> {
    (0..timeframe.millis() / SHORT.millis()).map(move |index| open.plus_millis(index * SHORT.millis()))
}

/// Whether the numbers are those of a candle.
fn is_sound(candle: &Candle) -> bool {
    let Candle { open, high, low, close, volume, .. } = *candle;
    let are_numbers = [open, high, low, close, volume].iter().all(|number| number.is_finite());
    let encloses = low <= open && low <= close && high >= open && high >= close;
    are_numbers && low > 0.0 && volume >= 0.0 && encloses
}

/// Whether an extra series is missing, has stopped, or is shorter than the strategy declares.
fn is_not_up_to_date((series, count): &WindowRequest, window: &CandleWindow, job: &Job) -> bool {
    let Some((_, timeframe)) = series else { return false };
    let opens = window.newest(usize::MAX).open_time;
    let expected = timeframe.open_of(job.candle_close).plus_millis(-timeframe.millis());
    opens.last() != Some(&(expected.millis() as f64)) || opens.len() < *count as usize
}

/// Whether candles are missing among the newest ones of a window.
fn has_hole((series, _): &WindowRequest, window: &CandleWindow) -> bool {
    let Some((_, timeframe)) = series else { return false };
    let newest = window.newest(GAP_WINDOW as usize).open_time;
    newest.windows(2).any(|pair| pair[1] - pair[0] != timeframe.millis() as f64)
}
