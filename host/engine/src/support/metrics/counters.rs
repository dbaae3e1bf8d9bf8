//! A counter with a very large number of series.
//!
//! A thousand symbols on two timeframes with thirty strategies are more than a hundred thousand series. The prometheus
//! crate uses about a kilobyte for each, and as much again during a scrape. Here a series takes about forty bytes, and
//! a scrape is written piece by piece.

use std::{
    fmt::Write as _,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use indexmap::{IndexMap, IndexSet};
use prometheus::proto::{Counter, LabelPair, Metric, MetricFamily, MetricType};

/// The number of series in one piece of a scrape.
const PIECE: usize = 1000;

/// A counter with `N` labels.
pub(super) struct Counters<const N: usize> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
    state: RwLock<State<N>>,
}

/// The series of a counter. They are only ever added, so each keeps its index.
struct State<const N: usize> {
    /// The distinct label values.
    texts: IndexSet<Box<str>>,
    /// The counters, by the indices of their label values.
    series: IndexMap<[u32; N], AtomicU64>,
}

impl<const N: usize> State<N> {
    fn find(&self, values: [&str; N]) -> Option<&AtomicU64> {
        let mut key = [0; N];
        for (place, value) in key.iter_mut().zip(values) {
            *place = self.texts.get_index_of(value)? as u32;
        }
        self.series.get(&key)
    }

    fn find_or_make(&mut self, values: [&str; N]) -> &AtomicU64 {
        let key = values.map(|value| {
            debug_assert!(!value.contains(['"', '\\', '\n']), "{value:?} is no identifier");
            let known = self.texts.get_index_of(value);
            known.unwrap_or_else(|| self.texts.insert_full(value.into()).0) as u32
        });
        self.series.entry(key).or_default()
    }
}

impl<const N: usize> Counters<N> {
    /// Creates a counter without series. `labels` must be in alphabetical order, as the other instruments write them.
    pub(super) fn new(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Arc<Self> {
        let state = RwLock::new(State { texts: IndexSet::new(), series: IndexMap::new() });
        Arc::new(Self { name, help, labels, state })
    }

    /// Adds to a series, which starts at zero. The label values must be identifiers: they are written without escaping.
    pub(super) fn add(&self, values: [&str; N], count: u64) {
        if let Some(counter) = self.state.read().unwrap_or_else(PoisonError::into_inner).find(values) {
            counter.fetch_add(count, Ordering::Relaxed);
            return;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.find_or_make(values).fetch_add(count, Ordering::Relaxed);
    }

    /// Renders all series in Prometheus' text format, in pieces. The lock is not held between two pieces.
    pub(super) fn render(self: Arc<Self>) -> impl Iterator<Item = String> {
        let head = format!("# HELP {0} {1}\n# TYPE {0} counter\n", self.name, self.help);
        let mut from = 0;
        let pieces = std::iter::from_fn(move || {
            let piece = self.piece(from);
            from += PIECE;
            (!piece.is_empty()).then_some(piece)
        });
        std::iter::once(head).chain(pieces)
    }

    /// All series, in pieces. The lock is not held between two pieces.
    pub(super) fn families(self: Arc<Self>) -> impl Iterator<Item = MetricFamily> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let piece = self.metrics(from);
            from += PIECE;
            let mut family = MetricFamily::default();
            family.set_name(self.name.to_owned());
            family.set_help(self.help.to_owned());
            family.set_field_type(MetricType::COUNTER);
            (!piece.is_empty()).then(|| {
                family.set_metric(piece);
                family
            })
        })
    }

    fn metrics(&self, from: usize) -> Vec<Metric> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let piece = state.series.iter().skip(from).take(PIECE);
        let metric = |(places, count): (&[u32; N], &AtomicU64)| {
            let labels = self.labels.iter().zip(places).map(|(label, place)| {
                let mut pair = LabelPair::default();
                pair.set_name((*label).to_owned());
                pair.set_value(state.texts.get_index(*place as usize).map_or_else(String::new, ToString::to_string));
                pair
            });
            let mut metric = Metric::from_label(labels.collect());
            let mut counter = Counter::default();
            counter.set_value(count.load(Ordering::Relaxed) as f64);
            metric.set_counter(counter);
            metric
        };
        piece.map(metric).collect()
    }

    fn piece(&self, from: usize) -> String {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (places, count) in state.series.iter().skip(from).take(PIECE) {
            text += self.name;
            for (index, (label, place)) in self.labels.iter().zip(places).enumerate() {
                let value = state.texts.get_index(*place as usize).map_or("", AsRef::as_ref);
                let before = if index == 0 { '{' } else { ',' };
                // Writing to a string can't fail.
                let _ = write!(text, "{before}{label}=\"{value}\"");
            }
            let _ = writeln!(text, "}} {}", count.load(Ordering::Relaxed));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters() -> Arc<Counters<2>> {
        Counters::new("signals_total", "Signals", ["action", "symbol"])
    }

    #[test]
    fn a_series_stands_once_with_what_was_added() {
        let counters = counters();
        counters.add(["buy", "BTCUSDT"], 0);
        counters.add(["sell", "BTCUSDT"], 2);
        counters.add(["sell", "BTCUSDT"], 3);
        let text: String = counters.render().collect();
        assert_eq!(
            text,
            "# HELP signals_total Signals\n# TYPE signals_total counter\n\
             signals_total{action=\"buy\",symbol=\"BTCUSDT\"} 0\n\
             signals_total{action=\"sell\",symbol=\"BTCUSDT\"} 5\n"
        );
    }

    #[test]
    fn series_that_come_during_a_scrape_disturb_nothing() {
        let counters = counters();
        let symbol = |index: usize| format!("S{index}");
        (0..2500).for_each(|index| counters.add(["buy", &symbol(index)], index as u64));
        let mut pieces = Arc::clone(&counters).render();
        let mut text = pieces.by_ref().take(2).collect::<String>();
        (2500..4000).for_each(|index| counters.add(["buy", &symbol(index)], index as u64));
        text.extend(pieces);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        assert_eq!(lines.len(), 4000);
        for (index, line) in lines.into_iter().enumerate() {
            assert_eq!(line, format!("signals_total{{action=\"buy\",symbol=\"S{index}\"}} {index}"));
        }
    }

    #[test]
    fn many_that_count_at_once_lose_nothing() {
        let counters = counters();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|index| counters.add(["buy", &format!("S{}", index % 7)], 1)));
            }
        });
        let text: String = counters.render().collect();
        let sum: u64 = text.lines().skip(2).map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!((text.lines().count(), sum), (9, 4000));
    }
}
