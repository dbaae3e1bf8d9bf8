//! The services that read signals, as they read them: plain NATS subscribers, which see what is published while they
//! are connected and nothing else.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_nats::{Client, ConnectOptions, Event, Message};
use futures_util::StreamExt as _;
use serde_json::Value as Json;
use ta_bot_core::Timestamp;
use tokio::task::JoinHandle;

use super::stream::Stored;

/// How much longer than its absence a subscriber may lack what was stored: NATS dies between storing and passing on,
/// and a subscriber that is connected again has not subscribed yet.
const SLACK_MS: i64 = 3_000;
/// How long a signal may take from the stream to a subscriber that is there.
const ON_THE_WAY: Duration = Duration::from_secs(10);

/// Who reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Takes one signal of a symbol and an action in a minute, and never replies.
    Cio,
    /// Keeps each signal under its `intent_id`, and never replies.
    DataManager,
    /// Parses strictly, takes one signal of a strategy, symbol, action and second in ten seconds, and replies.
    TradeEngine,
}

impl Reader {
    /// All readers.
    pub const ALL: [Self; 3] = [Self::Cio, Self::DataManager, Self::TradeEngine];

    /// What it subscribes to.
    const fn subject(self) -> &'static str {
        match self {
            Self::Cio => "cio.intent.trading.>",
            Self::DataManager => "cio.intent.>",
            Self::TradeEngine => "cio.intent.trading.*",
        }
    }

    /// What it takes two signals for the same by, and for how long. Fails if it can't read the signal.
    fn key(self, signal: &Json) -> Result<(String, Option<Duration>), String> {
        let text = |field: &str| signal[field].as_str().map(str::to_owned);
        match self {
            Self::Cio => {
                let action = ["side", "action", "signal_type"].into_iter().find_map(text).ok_or("no action")?;
                let symbol = text("symbol").ok_or("no symbol")?;
                signal["confidence"].as_f64().ok_or("no confidence")?;
                ["current_price", "price"].into_iter().find_map(|field| signal[field].as_f64()).ok_or("no price")?;
                // It takes any other action for a sale.
                match action.as_str() {
                    "buy" | "sell" => Ok((format!("{symbol} {action}"), Some(Duration::from_mins(1)))),
                    other => Err(format!("{other} becomes a sale")),
                }
            }
            Self::DataManager => {
                text("strategy_id").ok_or("no strategy_id")?;
                let timestamp = text("timestamp").ok_or("no timestamp")?;
                timestamp.parse::<Timestamp>().map_err(|error| error.to_string())?;
                Ok((text("intent_id").ok_or("no intent_id")?, None))
            }
            Self::TradeEngine => {
                let second = strict(signal)?;
                let of = ["strategy_id", "symbol", "action"].map(|field| signal[field].to_string());
                Ok((format!("{} {second}", of.join(" ")), Some(Duration::from_secs(10))))
            }
        }
    }
}

/// Parses a signal as the trade engine does. Returns the second of its timestamp.
fn strict(signal: &Json) -> Result<i64, String> {
    for field in ["strategy_id", "symbol", "source", "strategy"] {
        signal[field].as_str().ok_or_else(|| format!("{field} is required"))?;
    }
    for field in ["price", "current_price", "quantity"] {
        signal[field].as_f64().ok_or_else(|| format!("{field} is required"))?;
    }
    let words = [
        ("action", &["buy", "sell", "hold", "close"][..]),
        ("strength", &["weak", "medium", "strong", "extreme"]),
        ("strategy_mode", &["deterministic", "ml_light", "llm_reasoning"]),
        ("order_type", &["market", "limit", "stop", "stop_limit"]),
        ("time_in_force", &["GTC", "IOC", "FOK", "GTX"]),
    ];
    for (field, known) in words {
        let word = signal[field].as_str().unwrap_or_default();
        if !known.contains(&word) {
            return Err(format!("{field} can't be {}", signal[field]));
        }
    }
    let confidence = signal["confidence"].as_f64().ok_or("confidence is required")?;
    if !(0.0..=1.0).contains(&confidence) {
        return Err(format!("confidence can't be {confidence}"));
    }
    for field in ["metadata", "indicators"] {
        if !signal[field].is_object() {
            return Err(format!("{field} is no object"));
        }
    }
    let timestamp = signal["timestamp"].as_str().ok_or("the timestamp is no text")?;
    let timestamp: Timestamp = timestamp.parse().map_err(|error| format!("timestamp: {error}"))?;
    Ok(timestamp.millis() / 1000)
}

/// What a reader has seen.
#[derive(Debug, Default)]
struct Seen {
    /// How often each signal came.
    ids: BTreeMap<String, usize>,
    /// Why signals could not be read.
    unreadable: Vec<String>,
    /// How many came with a subject to reply to.
    with_reply: usize,
    /// How many it took for repetitions of others.
    taken_for_repeated: usize,
    recent: HashMap<String, Instant>,
    /// When it was not connected, in Unix milliseconds. The end of the last one is open while it is not.
    absences: Vec<(i64, i64)>,
}

impl Seen {
    fn note(&mut self, reader: Reader, message: &Message) {
        self.with_reply += usize::from(message.reply.is_some());
        let signal: Json = serde_json::from_slice(&message.payload).unwrap_or_default();
        let Some(id) = signal["signal_id"].as_str() else {
            self.unreadable.push(format!("{}: no signal", message.subject));
            return;
        };
        *self.ids.entry(id.to_owned()).or_default() += 1;
        match reader.key(&signal) {
            Ok((key, within)) => {
                let before = self.recent.insert(key, Instant::now());
                let is_repeated = before.is_some_and(|before| within.is_none_or(|within| before.elapsed() < within));
                self.taken_for_repeated += usize::from(is_repeated);
            }
            Err(problem) => self.unreadable.push(format!("{id}: {problem}")),
        }
    }

    fn comes(&mut self) {
        if let Some(last) = self.absences.last_mut() {
            last.1 = last.1.min(Timestamp::now().millis());
        }
    }

    fn goes(&mut self) {
        self.absences.push((Timestamp::now().millis(), i64::MAX));
    }

    fn was_away(&self, moment: i64) -> bool {
        self.absences.iter().any(|(from, until)| (from - SLACK_MS..=until.saturating_add(SLACK_MS)).contains(&moment))
    }
}

/// A reader that is subscribed.
#[derive(Debug)]
pub struct Neighbour {
    reader: Reader,
    seen: Arc<Mutex<Seen>>,
    client: Client,
    reading: JoinHandle<()>,
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// What a reader has to say at the end of a run.
#[derive(Debug)]
#[allow(missing_docs, reason = "see the fields of `Seen`")]
pub struct Account {
    pub reader: Reader,
    pub received: usize,
    pub with_reply: usize,
    pub taken_for_repeated: usize,
    pub unreadable: Vec<String>,
    /// The signals that came more than once.
    pub repeated: Vec<String>,
    /// The signals that were stored while it was not connected, and did not come.
    pub missed: usize,
    /// The signals that were stored while it was connected, and did not come.
    pub lost: Vec<String>,
}

impl Neighbour {
    /// Subscribes, and stays subscribed.
    pub async fn start(url: &str, reader: Reader) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let told = Arc::clone(&seen);
        let options = ConnectOptions::new().reconnect_delay_callback(|_| Duration::from_millis(20));
        let options = options.event_callback(move |event| {
            let mut seen = told.lock().unwrap_or_else(PoisonError::into_inner);
            match event {
                Event::Connected => seen.comes(),
                Event::Disconnected => seen.goes(),
                _ => {}
            }
            std::future::ready(())
        });
        let client = options.connect(url).await.unwrap();
        let mut signals = client.subscribe(reader.subject()).await.unwrap();
        // The server has taken the subscription once it answers what comes behind it.
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await.unwrap();
        client.publish(inbox, "".into()).await.unwrap();
        answers.next().await.unwrap();
        let (noting, answering) = (Arc::clone(&seen), client.clone());
        let reading = tokio::spawn(async move {
            while let Some(message) = signals.next().await {
                noting.lock().unwrap_or_else(PoisonError::into_inner).note(reader, &message);
                // Whoever replies to an acknowledgement's subject acknowledges in the place of NATS.
                if let Some(reply) = message.reply.filter(|_| reader == Reader::TradeEngine) {
                    let answer = r#"{"status":"processed","signal_id":"rsi","result":{}}"#;
                    let _ = answering.publish(reply, answer.into()).await;
                }
            }
        });
        Self { reader, seen, client, reading }
    }

    /// Starts one of each.
    pub async fn all(url: &str) -> Vec<Self> {
        let mut all = Vec::new();
        for reader in Reader::ALL {
            all.push(Self::start(url, reader).await);
        }
        all
    }

    /// How many signals have come, repetitions included.
    pub fn received(&self) -> usize {
        self.seen.lock().unwrap().ids.values().sum()
    }

    /// Compares what came with what the stream holds. What was passed on may still be on its way for a moment.
    pub async fn account(&self, stored: &[Stored]) -> Account {
        let _ = self.client.flush().await;
        let begun = Instant::now();
        loop {
            let account = self.compare(stored);
            if account.lost.is_empty() || begun.elapsed() > ON_THE_WAY {
                return account;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn compare(&self, stored: &[Stored]) -> Account {
        let seen = self.seen.lock().unwrap();
        let (missed, lost): (Vec<_>, Vec<_>) = stored
            .iter()
            .filter(|stored| !seen.ids.contains_key(&stored.id))
            .partition(|stored| seen.was_away(stored.at));
        let repeated = seen.ids.iter().filter(|(_, count)| **count > 1);
        Account {
            reader: self.reader,
            received: seen.ids.len(),
            with_reply: seen.with_reply,
            taken_for_repeated: seen.taken_for_repeated,
            unreadable: seen.unreadable.clone(),
            repeated: repeated.map(|(id, count)| format!("{id} {count} times")).collect(),
            missed: missed.len(),
            lost: lost.into_iter().map(|stored| stored.id.clone()).collect(),
        }
    }
}

impl Account {
    /// Checks that each signal came at most once, could be read, came without a subject to reply to, and did come if
    /// the reader was there.
    pub fn check(&self, run: &str) {
        let Self { reader, received, missed, taken_for_repeated, .. } = self;
        println!(
            "  {reader:?}: {received} signals, {missed} missed while it or NATS was away, {taken_for_repeated} taken by its \
             own rule for repetitions of others"
        );
        assert_eq!(self.unreadable, [""; 0], "{run}: {reader:?} can't read some signals");
        assert_eq!(self.repeated, [""; 0], "{run}: {reader:?} saw signals more than once");
        assert_eq!(self.with_reply, 0, "{run}: {reader:?} saw subjects to reply to");
        assert_eq!(self.lost, [""; 0], "{run}: {reader:?} was there, and some signals did not come");
    }
}
