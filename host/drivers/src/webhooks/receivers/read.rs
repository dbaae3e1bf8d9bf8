//! Reading the text of the file. All problems are found at once, and none repeats a secret.

use std::{fmt::Display, str::FromStr};

use http::Uri;
use serde_json::{Map, Value as Json};
use ta_bot_core::{Action, cut, visible};
use ta_bot_engine::signals::actions::PublishedActions;
use url::Url;

use super::{Filter, MOST_RECEIVERS, Receiver, literal};
use crate::webhooks::{
    format::{Format, FormatName},
    guard::Guard,
    signature::Secret,
};

const FIELDS: [&str; 11] = [
    "name",
    "url",
    "secret",
    "format",
    "chat_id",
    "strategies",
    "symbols",
    "timeframes",
    "actions",
    "allow_private",
    "late",
];
const LONGEST_NAME: usize = 64;
/// The names of channels are much shorter.
const LONGEST_CHAT: usize = 100;

/// The receivers of a text, or everything that is wrong with it.
pub(super) fn receivers(text: &str, published: &PublishedActions) -> Result<Vec<Receiver>, Vec<String>> {
    let shape = "give a JSON array of receivers, such as [{\"name\": \"desk\", \"url\": \"https://…\"}]";
    // The error of the parser says where it stopped, and not at what.
    let read = serde_json::from_str::<Json>(text);
    let document = read.map_err(|error| vec![format!("it is no JSON ({error}): {shape}")])?;
    let Json::Array(entries) = document else { return Err(vec![shape.to_owned()]) };
    let mut problems = Vec::new();
    if entries.len() > MOST_RECEIVERS {
        problems.push(format!("it has {} receivers: give {MOST_RECEIVERS} at most", entries.len()));
    }
    let mut receivers: Vec<Receiver> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let Json::Object(fields) = entry else {
            problems.push(format!("entry {}: give an object with the fields of a receiver", index + 1));
            continue;
        };
        let mut entry = Entry { number: index + 1, fields, problems: &mut problems };
        if let Some(receiver) = entry.receiver(published) {
            if receivers.iter().any(|other| other.name == receiver.name) {
                entry.refuse(format!("the name {} is another receiver's too: give each its own", receiver.name));
            }
            receivers.push(receiver);
        }
    }
    if problems.is_empty() { Ok(receivers) } else { Err(problems) }
}

/// One receiver of the file.
struct Entry<'a> {
    number: usize,
    fields: &'a Map<String, Json>,
    problems: &'a mut Vec<String>,
}

/// A value as it may be shown: short, and harmless.
fn shown(value: &Json) -> String {
    cut(&visible(&value.to_string()), 80).into_owned()
}

impl Entry<'_> {
    fn refuse(&mut self, problem: impl Display) {
        self.problems.push(format!("entry {}: {problem}", self.number));
    }

    /// The value of a field, unless it is absent or null.
    fn given(&self, name: &str) -> Option<&Json> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// The receiver, unless one of its fields is wrong. Every field is read in any case.
    fn receiver(&mut self, published: &PublishedActions) -> Option<Receiver> {
        let unknown: Vec<String> =
            self.fields.keys().filter(|name| !FIELDS.contains(&name.as_str())).cloned().collect();
        for name in unknown {
            let name = shown(&Json::String(name));
            self.refuse(format!("{name} is no field of a receiver: there are {}", FIELDS.join(", ")));
        }
        let name = self.name();
        let allow_private = self.switch("allow_private");
        let url = self.url(allow_private);
        let secret = self.secret();
        let format = self.format();
        let filter = self.filter(published);
        let takes_late = self.takes_late();
        let (url, uri) = url?;
        let (name, format) = (name?, format?);
        Some(Receiver { name, url, uri, secret, format, filter, allow_private, takes_late })
    }

    fn name(&mut self) -> Option<String> {
        let rule = format!("1 to {LONGEST_NAME} letters from a to z, digits and dashes");
        let Some(given) = self.given("name") else {
            self.refuse(format!("it has no name: give {rule}"));
            return None;
        };
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let fits = |name: &&str| (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(is_allowed);
        let name = given.as_str().filter(fits).map(str::to_owned);
        if name.is_none() {
            let given = shown(given);
            self.refuse(format!("{given} is no name: give {rule}"));
        }
        name
    }

    fn switch(&mut self, name: &str) -> bool {
        match self.given(name) {
            None => false,
            Some(Json::Bool(value)) => *value,
            Some(other) => {
                let other = shown(other);
                self.refuse(format!("{name}: {other} is neither true nor false"));
                false
            }
        }
    }

    /// Only the scheme, the host and the port of a wrong URL are shown.
    fn url(&mut self, allow_private: bool) -> Option<(Url, Uri)> {
        let Some(text) = self.given("url").and_then(Json::as_str) else {
            self.refuse("it has no url: give one, such as https://example.com/signals");
            return None;
        };
        let url = match text.parse::<Url>() {
            Ok(url) => url,
            Err(error) => {
                self.refuse(format!("url: it can't be read ({error}): give one, such as https://example.com/signals"));
                return None;
            }
        };
        if let Some(problem) = problem_of(&url, allow_private) {
            self.refuse(format!("url: {problem}"));
            return None;
        }
        let uri = url.as_str().parse::<Uri>();
        let uri = uri.map_err(|_| self.refuse("url: it has characters that must be percent-encoded")).ok()?;
        Some((url, uri))
    }

    /// The secret, if there is one. A wrong one is a problem, and the file does not count.
    fn secret(&mut self) -> Option<Secret> {
        let parsed = match self.given("secret")? {
            Json::String(text) => Secret::parse(text).map_err(|error| error.to_string()),
            _ => Err("give a text".to_owned()),
        };
        parsed.map_err(|problem| self.refuse(format!("secret: {problem}"))).ok()
    }

    fn format(&mut self) -> Option<Format> {
        let named = |given: &Json| given.as_str().and_then(|text| text.parse::<FormatName>().ok());
        let Some(name) = self.given("format").map_or(Some(FormatName::default()), named) else {
            let given = self.given("format").map(shown).unwrap_or_default();
            self.refuse(format!("format: {given} is none of signal, telegram and slack"));
            return None;
        };
        let chat = self.given("chat_id").cloned();
        match (name, chat) {
            (FormatName::Telegram, Some(chat)) if is_chat(&chat) => Some(Format::Telegram { chat }),
            (FormatName::Telegram, _) => {
                self.refuse("chat_id: telegram needs the number of a chat, or the name of a channel, such as @signals");
                None
            }
            (_, Some(_)) => {
                self.refuse("chat_id: only telegram has chats: set \"format\": \"telegram\", or leave it away");
                None
            }
            (FormatName::Signal, None) => Some(Format::Signal),
            (FormatName::Slack, None) => Some(Format::Slack),
        }
    }

    fn filter(&mut self, published: &PublishedActions) -> Filter {
        let actions: Option<Vec<Action>> = self.list("actions", "some of buy, sell, hold and close");
        let actions = actions.map(|actions| actions.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(","));
        Filter {
            strategies: self.list("strategies", "ids of strategies, such as rsi"),
            symbols: self.list("symbols", "symbols, such as BTCUSDT"),
            timeframes: self.list("timeframes", "timeframes, such as 15m"),
            actions: actions.and_then(|actions| actions.parse().ok()).unwrap_or_else(|| published.clone()),
        }
    }

    /// A list of a filter. An empty one would let nothing through, which nobody means.
    fn list<T: FromStr>(&mut self, name: &str, allowed: &str) -> Option<Vec<T>> {
        let given = self.given(name)?;
        let entries = given.as_array().filter(|entries| !entries.is_empty()).cloned();
        let Some(entries) = entries else {
            let given = shown(given);
            self.refuse(format!("{name}: {given} is no list: give {allowed}, or leave it away for all"));
            return None;
        };
        let mut list = Vec::new();
        for entry in entries {
            match entry.as_str().and_then(|text| text.parse().ok()) {
                Some(value) => list.push(value),
                None => self.refuse(format!("{name}: {} is none of them: give {allowed}", shown(&entry))),
            }
        }
        Some(list)
    }

    fn takes_late(&mut self) -> bool {
        match self.given("late").map(|given| given.as_str().ok_or(given)) {
            None | Some(Ok("skip")) => false,
            Some(Ok("send")) => true,
            Some(_) => {
                let given = self.given("late").map(shown).unwrap_or_default();
                self.refuse(format!("late: {given} is neither skip nor send"));
                false
            }
        }
    }
}

/// What is wrong with a URL that can be read, without its path and query.
fn problem_of(url: &Url, allow_private: bool) -> Option<String> {
    let is_plain = match url.scheme() {
        "https" => false,
        "http" => true,
        other => return Some(format!("its scheme is {}: give https", cut(other, 20))),
    };
    let host = url.host_str().unwrap_or_default();
    if !url.username().is_empty() || url.password().is_some() {
        return Some(format!("that of {host} has a user or a password in it: take them away, and sign with secret"));
    }
    if is_plain && !allow_private {
        return Some(format!(
            "http to {host} is not encrypted: give https; http is for addresses that are not public, with \
             \"allow_private\": true"
        ));
    }
    let address = literal(url)?;
    Guard { allow_private, is_plain }.check(address).err().map(|error| error.to_string())
}

fn is_chat(chat: &Json) -> bool {
    chat.is_i64() || chat.as_str().is_some_and(|text| (1..=LONGEST_CHAT).contains(&text.len()))
}
