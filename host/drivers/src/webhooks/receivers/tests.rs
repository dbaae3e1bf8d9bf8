use std::os::unix::fs::PermissionsExt as _;

use ta_bot_core::Timestamp;

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// What must never be shown: the path of a URL, its query, a user and a password, a secret.
const HIDDEN: [&str; 6] = ["T0K3N", "qu3ry", "us3r", "p4ss", "short-s3cret", SECRET];

fn parse(text: &str) -> Result<Vec<Receiver>, Vec<String>> {
    read::receivers(text, &PublishedActions::default())
}

/// A receiver with these fields beside a name and a URL.
fn with(fields: &str) -> String {
    format!(r#"[{{"name": "desk", "url": "https://example.com/T0K3N", {fields}}}]"#)
}

fn at(url: &str, allow_private: bool) -> String {
    format!(r#"[{{"name": "desk", "url": "{url}", "allow_private": {allow_private}}}]"#)
}

#[test]
fn a_receiver_is_what_its_fields_say() {
    let one = parse(r#"[{"name": "desk", "url": "https://example.com:8443/T0K3N?a=qu3ry"}]"#).unwrap().remove(0);
    assert_eq!((one.name.as_str(), one.host(), one.reader().as_str()), ("desk", "example.com", "webhook:desk"));
    assert_eq!((one.secret, one.format, one.allow_private, one.takes_late), (None, Format::Signal, false, false));
    assert_eq!(one.filter.actions, PublishedActions::default());
    let text = format!(
        r#"[{{"name": "a-1", "url": "http://10.0.0.5/", "allow_private": true, "secret": "{SECRET}", "late": "send",
             "strategies": ["rsi"], "symbols": ["BTCUSDT"], "timeframes": ["15m"], "actions": ["hold"]}},
            {{"name": "b", "url": "https://api.telegram.org/botT0K3N/sendMessage", "format": "telegram", "chat_id": -1}},
            {{"name": "c", "url": "https://hooks.slack.com/services/T0K3N", "format": "slack", "secret": null}}]"#
    );
    let all = parse(&text).unwrap();
    let shown = format!("{all:?}");
    assert_eq!(shown, "[a-1 at 10.0.0.5, b at api.telegram.org, c at hooks.slack.com]");
    assert!(all[0].secret.is_some() && all[0].takes_late && all[0].guard().is_plain);
    assert!(matches!(all[1].format, Format::Telegram { .. }) && all[2].format == Format::Slack);
    assert_eq!(parse("[]").unwrap(), []);
}

#[test]
fn a_filter_lets_through_what_it_names() {
    let signal = |symbol: &str, action: &str| StoredSignal {
        sequence: 1,
        id: String::new(),
        strategy: "rsi".parse().unwrap(),
        symbol: symbol.parse().unwrap(),
        timeframe: Timeframe::M15,
        action: action.to_owned(),
        message: String::new(),
        candle_close: Timestamp::from_millis(0),
        created_at: Timestamp::from_millis(0),
        published_at: None,
        expired_at: None,
        withheld_at: None,
    };
    let includes =
        |fields: &str, symbol, action| parse(&with(fields)).unwrap()[0].filter.includes(&signal(symbol, action));
    assert!(includes(r#""late": "skip""#, "BTCUSDT", "buy") && !includes(r#""late": "skip""#, "BTCUSDT", "hold"));
    assert!(
        includes(r#""actions": ["hold"]"#, "BTCUSDT", "hold") && !includes(r#""actions": ["hold"]"#, "BTCUSDT", "buy")
    );
    assert!(!includes(r#""symbols": ["ETHUSDT"]"#, "BTCUSDT", "buy"));
    assert!(includes(r#""symbols": ["ETHUSDT", "BTCUSDT"], "strategies": ["rsi"]"#, "BTCUSDT", "buy"));
    assert!(!includes(r#""strategies": ["macd"]"#, "BTCUSDT", "buy"));
    assert!(!includes(r#""timeframes": ["5m", "1h"]"#, "BTCUSDT", "buy"));
}

#[test]
fn each_mistake_says_what_to_do_and_shows_no_secret() {
    let cases = [
        (String::new(), "no JSON"),
        ("{\"name\": \"T0K3N\"}".to_owned(), "a JSON array"),
        ("[7]".to_owned(), "entry 1: give an object"),
        ("[{\"url\": \"https://example.com/T0K3N\"}]".to_owned(), "it has no name"),
        ("[{\"name\": \"desk\"}]".to_owned(), "it has no url"),
        ("[{\"name\": \"The Desk\", \"url\": \"https://example.com\"}]".to_owned(), "\"The Desk\" is no name"),
        (format!("[{{\"name\": \"{}\", \"url\": \"https://a.b\"}}]", "x".repeat(65)), "is no name: give 1 to 64"),
        (with(r#""filter": 1"#), "\"filter\" is no field"),
        (with(r#""secret": "short-s3cret""#), "fewer than 24 bytes"),
        (with(r#""secret": "whsec_T0K3N""#), "after whsec_ must be base64"),
        (with(r#""secret": 7"#), "secret: give a text"),
        (with(r#""format": "teams""#), "\"teams\" is none of signal, telegram and slack"),
        (with(r#""format": "telegram""#), "chat_id: telegram needs"),
        (with(r#""format": "telegram", "chat_id": true"#), "chat_id: telegram needs"),
        (with(r#""chat_id": 7"#), "only telegram has chats"),
        (with(r#""strategies": []"#), "strategies: [] is no list"),
        (with(r#""strategies": ["R S I"]"#), "\"R S I\" is none of them"),
        (with(r#""symbols": "BTCUSDT""#), "\"BTCUSDT\" is no list"),
        (with(r#""timeframes": ["7m"]"#), "\"7m\" is none of them"),
        (with(r#""actions": ["short"]"#), "give some of buy, sell, hold and close"),
        (with(r#""allow_private": "yes""#), "\"yes\" is neither true nor false"),
        (with(r#""late": "drop""#), "\"drop\" is neither skip nor send"),
        (at("T0K3N", false), "url: it can't be read"),
        (at("https://", false), "url: it can't be read"),
        (at("ftp://example.com/T0K3N", true), "its scheme is ftp"),
        (at("https://us3r:p4ss@example.com/T0K3N?qu3ry", false), "example.com has a user"),
        (at("https://us3r@example.com", false), "example.com has a user"),
        (at("http://example.com/T0K3N", false), "http to example.com is not encrypted"),
        (at("http://8.8.8.8/T0K3N", true), "8.8.8.8 is public"),
        (at("https://127.0.0.1/T0K3N", false), "127.0.0.1 is not public"),
        (at("https://2130706433/T0K3N", false), "127.0.0.1 is not public"),
        (at("https://0x7f.1/T0K3N", false), "127.0.0.1 is not public"),
        (at("https://017700000001/T0K3N", false), "127.0.0.1 is not public"),
        (at("https://169.254.169.254/T0K3N", false), "169.254.169.254 is not public"),
        (at("https://[::1]/T0K3N", false), "::1 is not public"),
        (at("https://[::ffff:10.0.0.1]/T0K3N", false), "is not public"),
        (at("https://[fd00::1]/T0K3N?qu3ry", false), "fd00::1 is not public"),
    ];
    for (text, says) in cases {
        let problems = parse(&text).unwrap_err();
        let told = ReceiversError::Problems(problems.clone()).to_string();
        assert!(problems.len() == 1 && told.contains(says), "{text}: {told}");
        assert!(!HIDDEN.iter().any(|hidden| told.contains(hidden)), "{told}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = r#"[{"name": "A", "url": "http://example.com/", "late": 1}, 3,
                   {"name": "b", "url": "https://a.b"}, {"name": "b", "url": "https://a.b"}]"#;
    let problems = parse(text).unwrap_err();
    assert_eq!(problems.len(), 5, "{problems:#?}");
    assert!(problems[3].starts_with("entry 2") && problems[4].contains("the name b is another receiver's too"));
    let many = vec![r#"{"name": "b", "url": "https://a.b"}"#; MOST_RECEIVERS + 1].join(",");
    assert!(parse(&format!("[{many}]")).unwrap_err()[0].contains("give 64 at most"));
}

#[test]
fn a_file_that_others_may_read_or_write_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("webhooks.json");
    fs::write(&path, "[]").unwrap();
    let set_mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let opened = || super::read(&path, &PublishedActions::default()).map_err(|error| error.to_string());
    for (mode, says) in [(0o644, "others may read the file"), (0o604, "read"), (0o620, "write"), (0o602, "write")] {
        set_mode(&path, mode);
        let error = opened().unwrap_err();
        assert!(error.contains(says) && error.contains("chmod go-w,o-r"), "{mode:o}: {error}");
    }
    for mode in [0o600, 0o400, 0o640, 0o440] {
        set_mode(&path, mode);
        assert_eq!(opened(), Ok(Vec::new()), "{mode:o}");
    }
    set_mode(folder.path(), 0o777);
    assert!(opened().unwrap_err().contains("its folder"));
    set_mode(folder.path(), 0o1777);
    assert!(opened().is_ok(), "in such a folder nobody replaces what is another's");
    set_mode(folder.path(), 0o700);
    fs::write(&path, "#".repeat(2 << 20)).unwrap();
    assert!(opened().unwrap_err().contains("no file of receivers"));
    fs::remove_file(&path).unwrap();
    assert!(opened().unwrap_err().contains("can't be read"));
}
