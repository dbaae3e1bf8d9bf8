//! Which candles become jobs.
//!
//! An event is a hint to look now; the sweep is the guarantee. Both end in the same look: the closed candles of a timeframe
//! that have no finished job. Only a leader looks.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ta_bot_core::{CandleEvent, Job, Symbol, Timeframe, Timestamp};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::{
    bus::Bus, candles::CandleStore, leadership::Leadership, metrics::Metrics, outbox::Outbox, pipeline::Queue,
    settings::SettingsBook, store::StoreError,
};

/// The sweep looks at least this often.
const SWEEP: Duration = Duration::from_secs(15);
/// How long after a timeframe's close the sweep looks: the extractor needs a moment to write.
const GRACE_MS: i64 = 2_000;
/// How long events are gathered before one look serves them all.
const GATHER: Duration = Duration::from_millis(10);
/// How many candles a look goes back behind what was seen, for candles that came late.
const RECHECK: i64 = 8;
/// How many candles of a series are caught up on at most when the service comes back; older ones are let go, since
/// what they say is no longer news.
const CATCH_UP: i64 = 1_000;

type Series = (Symbol, Timeframe);

/// What events named since the last look, with the newest trace of each symbol.
type Hints = HashMap<Timeframe, HashMap<Symbol, Option<String>>>;

/// What the schedule needs.
pub struct Schedule {
    /// Where candles are looked for.
    pub candles: Arc<dyn CandleStore>,
    /// Where finished jobs are known.
    pub outbox: Arc<dyn Outbox>,
    /// Where events come from.
    pub bus: Arc<dyn Bus>,
    /// What is scheduled.
    pub settings: Arc<SettingsBook>,
    /// Where jobs go.
    pub queue: Arc<Queue>,
    /// Whether to look at all.
    pub leadership: Leadership,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl Schedule {
    /// Looks until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut events = self.bus.candle_events();
        let mut seen = HashMap::new();
        loop {
            self.metrics.is_leader.set(i64::from(self.leadership.term().is_some()));
            self.look_at_all(&Hints::new(), &mut seen).await;
            let next_sweep = tokio::time::sleep(self.until_next_sweep(Timestamp::now()));
            tokio::pin!(next_sweep);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = &mut next_sweep => break,
                    event = events.recv() => {
                        let hints = match event {
                            Ok(body) => self.gather(body, &mut events).await,
                            Err(RecvError::Lagged(missed)) => {
                                tracing::warn!(missed, "candle events came too fast; the sweep looks instead");
                                break;
                            }
                            Err(RecvError::Closed) => return,
                        };
                        self.look_at(&hints, &mut seen).await;
                    }
                }
            }
        }
    }

    /// Reads an event and those that come right behind it.
    async fn gather(&self, first: Vec<u8>, events: &mut tokio::sync::broadcast::Receiver<Vec<u8>>) -> Hints {
        let mut hints = Hints::new();
        self.read_event(&first, &mut hints);
        tokio::time::sleep(GATHER).await;
        while let Ok(body) = events.try_recv() {
            self.read_event(&body, &mut hints);
        }
        hints
    }

    fn read_event(&self, body: &[u8], hints: &mut Hints) {
        let outcome = match CandleEvent::parse(body) {
            Ok(event) => {
                let settings = self.settings.current();
                let of_timeframe = hints.entry(event.timeframe).or_default();
                let scheduled = event.symbols.into_iter();
                let scheduled = scheduled.filter(|symbol| settings.settings.schedules(symbol, event.timeframe));
                let before = of_timeframe.len();
                of_timeframe.extend(scheduled.map(|symbol| (symbol, event.traceparent.clone())));
                if of_timeframe.len() > before { "taken" } else { "not_scheduled" }
            }
            Err(error) => {
                tracing::warn!(%error, bytes = body.len(), "candle event refused");
                "refused"
            }
        };
        self.metrics.events.with_label_values(&[outcome]).inc();
    }

    async fn look_at_all(&self, hints: &Hints, seen: &mut HashMap<Series, Timestamp>) {
        let settings = self.settings.current();
        for timeframe in &settings.settings.timeframes {
            self.look_or_warn(*timeframe, hints.get(timeframe), seen).await;
        }
    }

    async fn look_at(&self, hints: &Hints, seen: &mut HashMap<Series, Timestamp>) {
        for (timeframe, symbols) in hints.iter().filter(|(_, symbols)| !symbols.is_empty()) {
            self.look_or_warn(*timeframe, Some(symbols), seen).await;
        }
    }

    async fn look_or_warn(
        &self,
        timeframe: Timeframe,
        hinted: Option<&HashMap<Symbol, Option<String>>>,
        seen: &mut HashMap<Series, Timestamp>,
    ) {
        if let Err(error) = self.look(timeframe, hinted, seen).await {
            tracing::warn!(%timeframe, %error, "candles can't be looked for; the next sweep tries again");
        }
    }

    /// Makes jobs of the closed candles of `timeframe` that have none. With hints, only of the symbols hinted at.
    async fn look(
        &self,
        timeframe: Timeframe,
        hinted: Option<&HashMap<Symbol, Option<String>>>,
        seen: &mut HashMap<Series, Timestamp>,
    ) -> Result<(), StoreError> {
        let settings = self.settings.current();
        let now = Timestamp::now();
        let mut newest = self.candles.newest_closes(timeframe, now).await?;
        newest.retain(|(symbol, _)| {
            settings.settings.schedules(symbol, timeframe) && hinted.is_none_or(|hinted| hinted.contains_key(symbol))
        });
        let from = self.beginnings(timeframe, &newest, now, seen).await?;
        let from: Vec<_> = from.into_iter().collect();
        let closed = self.candles.closed_between(timeframe, &from, now).await?;
        let finished: HashSet<_> = self.outbox.finished(timeframe, &closed).await?.into_iter().collect();
        for (symbol, candle_close) in closed {
            if finished.contains(&(symbol.clone(), candle_close)) {
                continue;
            }
            // Read again at each effect: a leader that no longer leads adds nothing.
            if self.leadership.term().is_none() {
                return Ok(());
            }
            let traceparent = hinted.and_then(|hinted| hinted.get(&symbol)?.clone());
            self.queue.push(Job { symbol, timeframe, candle_close }, traceparent).await;
        }
        seen.extend(newest.into_iter().map(|(symbol, close)| ((symbol, timeframe), close)));
        Ok(())
    }

    /// After which candle close each series is looked at: where the service began with it, or a little behind what
    /// was seen already.
    async fn beginnings(
        &self,
        timeframe: Timeframe,
        newest: &[(Symbol, Timestamp)],
        now: Timestamp,
        seen: &HashMap<Series, Timestamp>,
    ) -> Result<HashMap<Symbol, Timestamp>, StoreError> {
        let mut begun: HashMap<Symbol, Timestamp> = self.outbox.begun(timeframe).await?.into_iter().collect();
        let new = newest.iter().filter(|(symbol, _)| !begun.contains_key(symbol));
        let new: Vec<_> =
            new.map(|(symbol, close)| (symbol.clone(), timeframe, begin_at(*close, timeframe, now))).collect();
        if !new.is_empty() {
            self.outbox.begin(&new).await?;
            begun = self.outbox.begun(timeframe).await?.into_iter().collect();
        }
        let length = timeframe.millis();
        let from = newest.iter().filter_map(|(symbol, close)| {
            let begun = *begun.get(symbol)?;
            let back = match seen.get(&(symbol.clone(), timeframe)) {
                Some(seen) => seen.plus_millis(-RECHECK * length),
                None => close.plus_millis(-CATCH_UP * length),
            };
            if back > begun && !seen.contains_key(&(symbol.clone(), timeframe)) {
                tracing::warn!(%symbol, %timeframe, from = %back, "too much was missed to catch up on all of it");
            }
            Some((symbol.clone(), back.max(begun)))
        });
        Ok(from.collect())
    }

    /// Until the next close of a scheduled timeframe plus grace, and never longer than the sweep's own interval.
    fn until_next_sweep(&self, now: Timestamp) -> Duration {
        let settings = self.settings.current();
        let graced = now.plus_millis(-GRACE_MS);
        let waits = settings.settings.timeframes.iter().map(|timeframe| {
            let close = timeframe.close_of(timeframe.open_of(graced));
            Duration::from_millis((close.millis() - graced.millis()).max(0) as u64)
        });
        waits.min().map_or(SWEEP, |wait| wait.min(SWEEP))
    }
}

/// Where the service begins with a series that it sees for the first time: at the newest candle if that one has just closed,
/// else behind it, since an old candle is no news.
fn begin_at(newest: Timestamp, timeframe: Timeframe, now: Timestamp) -> Timestamp {
    let fresh = now.millis() - newest.millis() <= timeframe.millis();
    if fresh { newest.plus_millis(-timeframe.millis()) } else { newest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_candle_is_no_news() {
        let hour = Timeframe::H1.millis();
        let newest = Timestamp::from_millis(10 * hour);
        assert_eq!(begin_at(newest, Timeframe::H1, newest.plus_millis(5)), newest.plus_millis(-hour));
        assert_eq!(begin_at(newest, Timeframe::H1, newest.plus_millis(3 * hour)), newest);
    }
}
