//! What a receiver gets.

use std::{fmt::Write as _, str::FromStr};

use serde_json::{Value as Json, json};
use ta_bot_core::{cut, visible};
use ta_bot_engine::signals::outbox::StoredSignal;

/// How many bytes of the strategy's words a chat gets.
const MOST_WORDS: usize = 1000;

/// The shape of a request's body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// The message, byte for byte.
    Signal,
    /// What Telegram's `sendMessage` takes.
    Telegram {
        /// The chat: a number, or the name of a channel.
        chat: Json,
    },
    /// What an incoming webhook of Slack takes.
    Slack,
}

/// The names of the shapes in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FormatName {
    /// `signal`.
    #[default]
    Signal,
    /// `telegram`.
    Telegram,
    /// `slack`.
    Slack,
}

impl FromStr for FormatName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "signal" => Ok(Self::Signal),
            "telegram" => Ok(Self::Telegram),
            "slack" => Ok(Self::Slack),
            _ => Err(()),
        }
    }
}

impl Format {
    /// The body for a signal.
    pub fn body(&self, signal: &StoredSignal) -> String {
        match self {
            Self::Signal => signal.message.clone(),
            Self::Telegram { chat } => json!({"chat_id": chat, "text": line(&signal.json())}).to_string(),
            Self::Slack => json!({"text": escaped(&line(&signal.json()))}).to_string(),
        }
    }
}

/// A signal in one line. The words of the strategy are those of a stranger.
fn line(message: &Json) -> String {
    let text = |name: &str| visible(message[name].as_str().unwrap_or("?")).into_owned();
    let made_up = if message["simulated"] == true { "SIMULATED " } else { "" };
    let mut line = format!("{made_up}{} {} {}", text("symbol"), text("timeframe"), text("action").to_uppercase());
    let numbers =
        [("price", "at"), ("stop_loss", "stop"), ("take_profit", "target"), ("confidence", "confidence")].into_iter();
    for (index, (name, shown)) in numbers.filter(|(name, _)| message[*name].is_number()).enumerate() {
        let before = if index == 0 { " " } else { ", " };
        // Writing into a text does not fail.
        write!(line, "{before}{shown} {}", message[name]).ok();
    }
    write!(line, " ({})", text("strategy")).ok();
    if let Some(words) = message["rationale"].as_str() {
        write!(line, ": {}", cut(&visible(words), MOST_WORDS)).ok();
    }
    line
}

/// Slack takes these for the beginning of a mention, a link or an entity.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use ta_bot_core::{Timeframe, Timestamp};

    use super::*;

    fn signal(message: &Json) -> StoredSignal {
        StoredSignal {
            sequence: 1,
            id: "ab".repeat(32),
            strategy: "rsi".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            timeframe: Timeframe::M15,
            action: "buy".to_owned(),
            message: format!(" {message} "),
            candle_close: Timestamp::from_millis(0),
            created_at: Timestamp::from_millis(0),
            published_at: None,
            expired_at: None,
            withheld_at: None,
        }
    }

    fn buy() -> Json {
        json!({"strategy": "rsi", "symbol": "BTCUSDT", "timeframe": "15m", "action": "buy", "price": 50000.5,
            "stop_loss": 49000.0, "take_profit": null, "confidence": 0.74,
            "rationale": "up <!channel> & \u{202e}away\n*now*"})
    }

    #[test]
    fn the_message_is_sent_byte_for_byte() {
        let signal = signal(&buy());
        assert_eq!(Format::Signal.body(&signal), signal.message);
    }

    #[test]
    fn a_chat_gets_a_line_without_orders_of_strangers() {
        let read =
            |format: Format, message: &Json| -> Json { serde_json::from_str(&format.body(&signal(message))).unwrap() };
        let line = "BTCUSDT 15m BUY at 50000.5, stop 49000.0, confidence 0.74 (rsi): \
                    up <!channel> & \\u{202e}away\\n*now*";
        let chat = json!(-100_123);
        let expected = json!({"chat_id": chat, "text": line});
        assert_eq!(read(Format::Telegram { chat }, &buy()), expected);
        let escaped = line.replace('&', "&amp;").replace("<!channel>", "&lt;!channel&gt;");
        assert_eq!(read(Format::Slack, &buy()), json!({"text": escaped}));
        let mut made_up = buy();
        made_up["simulated"] = json!(true);
        made_up["rationale"] = Json::Null;
        let expected = "SIMULATED BTCUSDT 15m BUY at 50000.5, stop 49000.0, confidence 0.74 (rsi)";
        assert_eq!(read(Format::Slack, &made_up), json!({"text": expected}));
        made_up["rationale"] = json!("<".repeat(5000));
        assert!(read(Format::Slack, &made_up)["text"].as_str().unwrap().len() < 4096);
    }
}
