//! Where the service reads candles.

use std::sync::Arc;

use ta_bot_engine::{
    market::{
        cache::CandleCache,
        candle_store::CandleStore,
        candles::{Candles, Sources},
        clock::MarketClock,
        revisions::Revisions,
    },
    settings::application::SettingsBook,
    support::metrics::Metrics,
};

use crate::environment::Environment;

/// The candles and their clock.
pub(super) struct Market {
    /// The candles without the cache, which may remember some that are gone.
    pub(super) stored: Arc<Candles>,
    pub(super) cache: Arc<CandleCache>,
    /// The candles, read through the cache.
    pub(super) candles: Arc<Candles>,
    pub(super) clock: MarketClock,
}

impl Market {
    /// Puts the door and the cache in front of the store.
    pub(super) fn open(
        environment: &Environment,
        (store, revisions): (&Arc<dyn CandleStore>, &Arc<Revisions>),
        settings: Arc<SettingsBook>,
        metrics: &Arc<Metrics>,
    ) -> Self {
        let clock = MarketClock::default();
        let stored = door(environment, store, settings, metrics).noting(Arc::clone(revisions)).on(clock.clone());
        let cache = Arc::new(CandleCache::new(Arc::clone(store), Arc::clone(revisions)));
        let candles = Arc::new(stored.through(Arc::clone(&cache) as _));
        Self { stored: Arc::new(stored), cache, candles, clock }
    }
}

/// The door through which the candles of a store come in.
pub(super) fn door(
    environment: &Environment,
    store: &Arc<dyn CandleStore>,
    settings: Arc<SettingsBook>,
    metrics: &Arc<Metrics>,
) -> Candles {
    let scheduled = move || settings.current().settings.timeframes.clone();
    let sources = Sources::new(environment.candle_sources.clone(), scheduled);
    Candles::new(Arc::clone(store), environment.candle_patience, Arc::clone(metrics)).derived_from(sources)
}
