//! Files that an operator gives.

use std::{
    fs,
    io::{Cursor, Write as _},
    os::unix::fs::PermissionsExt as _,
};

use ta_bot_api::tokens::Tokens;
use ta_bot_core::{Timeframe, Timestamp};
use ta_bot_drivers::webhooks::receivers;
use ta_bot_engine::{
    market::import,
    signals::actions::PublishedActions,
    supervision::failure::{Failure, contract::failure},
};
use ta_bot_tests::root;
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::mutate::{Inputs, try_all};

/// The head of a file of candles that the project has.
fn candles() -> Vec<u8> {
    let text = fs::read_to_string(root().join("examples/candles/BTCUSDT_15m.csv")).unwrap();
    text.split_inclusive('\n').take(40).collect::<String>().into_bytes()
}

fn zipped(text: &[u8]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("BTCUSDT-15m.csv", SimpleFileOptions::default()).unwrap();
    archive.write_all(text).unwrap();
    archive.finish().unwrap().into_inner()
}

#[test]
fn files_of_candles() {
    let folder = tempfile::tempdir().unwrap();
    let text = candles();
    let binance = b"1766955600000,1,2,0.5,1.5,10,1766956499999,15,3,5,7.5,0\n1766956500000,1,2,0.5,1.5,10,1766957399999,15,3,5,7.5,0\n";
    let seeds = vec![text.clone(), binance.to_vec(), zipped(&text), zipped(binance), b"PAR1".to_vec()];
    let now = Timestamp::now();
    try_all(Inputs::of(1, seeds), |bytes| {
        for name in ["candles.csv", "candles.zip", "candles.parquet"] {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            import::read(&path, Timeframe::M15, now, &mut |_| {}).map_err(|error| error.to_string())?;
        }
        Ok(())
    });
}

#[test]
fn bundles_of_failures() {
    let sound = failure("rsi", b"module", "BTCUSDT", 1).to_json().into_bytes();
    try_all(Inputs::of(2, vec![sound]), |bytes| Failure::read(bytes).map(drop).map_err(|error| error.to_string()));
}

#[test]
fn files_of_tokens() {
    let digest = "9827a5b28ff87948f957e95420113ce081a2da47a6d148bed6b2ac5b3827ffed";
    let sound = format!("# who may\noperator:{digest}\nviewer:{digest}:ann:2030-01-31\n\ntrader:{digest}:cio\n");
    try_all(Inputs::of(3, vec![sound.into_bytes()]), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        text.parse::<Tokens>().map(drop).map_err(|error| error.to_string())
    });
}

#[test]
fn files_of_webhooks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("webhooks.yaml");
    let example = fs::read_to_string(root().join("docs/signals.md")).unwrap();
    let sound =
        example.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap_or("receivers: []\n");
    let seeds = vec![sound.as_bytes().to_vec(), b"receivers: []\n".to_vec()];
    let mut has_ended = 0;
    for bytes in Inputs::of(4, seeds) {
        fs::write(&path, &bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        // Whether it is taken depends on secrets that are not here.
        let read = receivers::read(&path, &PublishedActions::default());
        assert!(read.err().is_none_or(|error| !error.to_string().is_empty()));
        has_ended += 1;
    }
    assert!(has_ended > 0);
}
