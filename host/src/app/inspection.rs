//! Looks at what the environment names, without starting anything: each part by itself, so that one that is away hides
//! no other. Nothing is made and nothing changes.

use std::{sync::Arc, time::Duration};

use ta_bot_core::{ApplicationSettings, Symbol, Timeframe, Timestamp};
use ta_bot_drivers::sqlite;
use ta_bot_engine::{
    market::{candle_store::CandleStore, feeds::Feeds},
    settings::config_store::{ConfigKey, ConfigStore},
    support::checkup::{Checkup, Finding, within},
};

use super::drivers;
use crate::environment::Environment;

/// How long reading what is stored may take.
const LIMIT: Duration = Duration::from_secs(12);
/// How many series or levels are named.
const MOST: usize = 10;

const SETTINGS: &str = "settings";
const LEVELS: &str = "levels";
const AGE: &str = "age";
const FILE: &str = "file";

/// The checks of the stored configuration.
pub const CONFIGURATION: [&str; 2] = [SETTINGS, LEVELS];
/// The checks of the candles.
pub const CANDLES: [&str; 1] = [AGE];
/// The checks of the file of receivers.
pub const WEBHOOKS: [&str; 1] = [FILE];

/// The checks of each part that the drivers look at, by its name.
#[cfg(all(feature = "kubernetes", feature = "mongodb", feature = "mysql", feature = "nats"))]
pub const SERVERS: [(&str, &[&str]); 6] = [
    ("sqlite", &sqlite::inspect::CHECKS),
    ("mysql", &ta_bot_drivers::mysql::inspect::CHECKS),
    ("mongodb", &ta_bot_drivers::mongodb::inspect::CHECKS),
    ("nats", &ta_bot_drivers::nats::inspect::CHECKS),
    ("lease", &ta_bot_drivers::kubernetes::lease::inspect::CHECKS),
    ("election", &ta_bot_engine::pipeline::election::inspect::CHECKS),
];

/// Looks at the embedded database.
pub async fn sqlite(environment: &Environment) -> Vec<Finding> {
    sqlite::inspect::inspect(&environment.data_dir).await
}

/// Looks at MySQL; `None` if the environment names none. So with the others.
pub async fn mysql(environment: &Environment) -> Option<Vec<Finding>> {
    Some(drivers::inspect_mysql(environment.mysql.as_ref()?, environment).await)
}

/// Looks at MongoDB.
pub async fn mongodb(environment: &Environment) -> Option<Vec<Finding>> {
    Some(drivers::inspect_mongodb(environment.mongo.as_ref()?, environment).await)
}

/// Looks at NATS.
pub async fn nats(environment: &Environment) -> Option<Vec<Finding>> {
    Some(drivers::inspect_nats(environment.nats.as_ref()?, environment).await)
}

/// Looks at what the leader is elected in: the subject, and what was found about it.
pub async fn election(environment: &Environment) -> Option<(&'static str, Vec<Finding>)> {
    Some(drivers::inspect_election(environment.election.as_ref()?, environment).await)
}

/// Looks at the file of receivers.
pub async fn webhooks(environment: &Environment) -> Option<Vec<Finding>> {
    let file = environment.webhooks.as_ref()?;
    let remedy = "let the disk of WEBHOOKS_FILE answer";
    let looked =
        within(LIMIT, &WEBHOOKS, remedy, async |checkup| match drivers::inspect_webhooks(file, environment).await {
            Ok(receivers) => checkup.ok(FILE, format!("{receivers} receivers")),
            Err(problem) => checkup.wrong(FILE, problem, "correct the file of WEBHOOKS_FILE, see docs/signals.md"),
        });
    Some(looked.await)
}

/// Looks at what is stored of parameters and settings, and at the candles of what is scheduled by them.
pub async fn stored(environment: &Environment) -> (Vec<Finding>, Vec<Finding>) {
    let drivers::AsTheyAre { config, candles } = drivers::as_they_are(environment);
    let mut settings = None;
    let configuration = within(LIMIT, &CONFIGURATION, "have the store answer", async |checkup| {
        settings = scheduled(config.as_deref(), environment, checkup).await;
        levels(config.as_deref(), checkup).await;
    });
    let configuration = configuration.await;
    let candles = within(LIMIT, &CANDLES, "have the store answer", async |checkup| match (&settings, &candles) {
        (None, _) => checkup.not_checked(AGE, "it is not known what is scheduled"),
        (_, None) => checkup.not_checked(AGE, "there is no store of candles yet"),
        (Some(settings), Some(candles)) => ages(candles, settings, checkup).await,
    });
    (configuration, candles.await)
}

/// What is scheduled: by what is stored, or else by the environment.
async fn scheduled(
    config: Option<&dyn ConfigStore>,
    environment: &Environment,
    checkup: &mut Checkup,
) -> Option<ApplicationSettings> {
    let stored = match config {
        Some(config) => config.settings().await,
        None => Ok(None),
    };
    match stored {
        Ok(Some(stored)) => {
            checkup.ok(SETTINGS, format!("version {} is stored and counts", stored.version));
            Some(stored.settings)
        }
        Ok(None) => {
            checkup.ok(SETTINGS, "none are stored: those of the environment count");
            Some(environment.settings.clone())
        }
        Err(error) => {
            checkup.not_checked(SETTINGS, error.to_string());
            None
        }
    }
}

async fn levels(config: Option<&dyn ConfigStore>, checkup: &mut Checkup) {
    let Some(config) = config else { return checkup.ok(LEVELS, "none are stored yet") };
    match config.all().await {
        Ok(levels) => {
            for (ConfigKey { strategy, symbol }, problem) in levels.unreadable.iter().take(MOST) {
                let of = symbol.as_ref().map_or_else(String::new, |symbol| format!(" {symbol}"));
                checkup.wrong(
                    LEVELS,
                    format!("the parameters of {strategy}{of} can't be read, so it does not run there: {problem}"),
                    "correct or delete the document, or write the level anew (PUT /api/v1/strategies/ID/config)",
                );
            }
            if levels.unreadable.is_empty() {
                checkup.ok(LEVELS, format!("{} can be read", levels.readable.len()));
            }
        }
        Err(error) => checkup.not_checked(LEVELS, error.to_string()),
    }
}

/// How old the newest candles are, measured as the leader measures it.
async fn ages(candles: &Arc<dyn CandleStore>, settings: &ApplicationSettings, checkup: &mut Checkup) {
    let feeds = Feeds::default();
    for timeframe in &settings.timeframes {
        match candles.newest_closes(*timeframe, &settings.symbols, Timestamp::now()).await {
            Ok(newest) => drop(feeds.note(*timeframe, &settings.symbols, &newest)),
            Err(error) => return checkup.not_checked(AGE, error.to_string()),
        }
    }
    let all = feeds.all();
    let behind: Vec<_> = all.iter().filter(|feed| feed.is_behind()).collect();
    if behind.is_empty() {
        let oldest = all.iter().filter_map(|feed| feed.age_ms).max().unwrap_or_default() / 1000;
        return checkup.ok(AGE, format!("{} series, none is behind; the oldest is {oldest} s old", all.len()));
    }
    let is_one_fresh = behind.len() < all.len();
    for feed in behind.iter().take(MOST) {
        let (symbol, timeframe): &(Symbol, Timeframe) = &feed.series;
        let found = match feed.newest {
            Some(newest) => format!("the newest candle of {symbol} {timeframe} closed at {newest}"),
            None => format!("there is no candle of {symbol} {timeframe}"),
        };
        let fix = if is_one_fresh {
            "look why the Data Extractor does not write this series, or take it out of what is scheduled \
             (SUPPORTED_SYMBOLS, SUPPORTED_TIMEFRAMES, or POST /api/v1/config/application)"
        } else {
            "start what writes the candles (the Data Extractor, `ta-bot candles import`), and look at its log"
        };
        checkup.wrong(AGE, found, fix);
    }
    if behind.len() > MOST {
        let more = behind.len() - MOST;
        checkup.wrong(AGE, format!("{more} more series are behind"), "the same");
    }
}
