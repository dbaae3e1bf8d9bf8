//! Reads a golden: a header, a line for each window and strategy that had an answer, and a footer with the counts.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{BufRead as _, BufReader},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};

/// A window: the index of its newest candle, and how many candles it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) candle: usize,
    pub(crate) length: usize,
}

/// What was recorded for a window and a strategy. There is no answer if the strategy had nothing to say.
#[derive(Debug)]
pub(crate) enum Answer {
    Signal(Recorded),
    /// The strategy failed, so it said nothing.
    Failed,
}

/// A recorded signal, as the strategy returned it.
#[derive(Debug, Deserialize)]
pub(crate) struct Recorded {
    #[serde(rename = "a")]
    pub(crate) action: String,
    #[serde(rename = "c")]
    pub(crate) confidence: f64,
    #[serde(rename = "p")]
    pub(crate) price: f64,
    #[serde(rename = "sl")]
    pub(crate) stop_loss: Option<f64>,
    #[serde(rename = "tp")]
    pub(crate) take_profit: Option<f64>,
    #[serde(rename = "st")]
    pub(crate) strength: String,
    #[serde(rename = "m")]
    pub(crate) metadata: Map<String, Json>,
}

/// The recorded answers of one series.
pub(crate) struct Golden {
    pub(crate) file: String,
    /// The name of the series.
    pub(crate) series: String,
    /// The ids of the strategies that were asked.
    pub(crate) strategies: Vec<String>,
    /// The parameters that were set, by the id of the strategy.
    pub(crate) parameters: BTreeMap<String, Map<String, Json>>,
    header: Header,
    answers: HashMap<(Place, String), Answer>,
}

#[derive(Deserialize)]
struct Header {
    series: String,
    sha256: String,
    n_candles: usize,
    window: Windows,
    first_t: usize,
    stride: usize,
    evaluations: usize,
    params: Option<BTreeMap<String, Map<String, Json>>>,
    strategies: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Windows {
    One(usize),
    Several(Vec<usize>),
}

impl Golden {
    /// All goldens of the folder, each checked against the candles that it was recorded on.
    pub(crate) fn all(folder: &Path) -> Result<Vec<Self>> {
        let mut paths: Vec<_> =
            folder.join("golden").read_dir()?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        paths.retain(|path| path.to_string_lossy().ends_with(".jsonl.gz"));
        paths.sort();
        let read = |path: &std::path::PathBuf| Self::read(folder, path).with_context(|| path.display().to_string());
        paths.iter().map(read).collect()
    }

    fn read(folder: &Path, path: &Path) -> Result<Self> {
        let mut lines = BufReader::new(GzDecoder::new(File::open(path)?)).lines();
        let header: Header = serde_json::from_str(&lines.next().context("it is empty")??)?;
        let candles = std::fs::read(folder.join("candles").join(&header.series)).context(header.series.clone())?;
        let same = hex::encode(Sha256::digest(candles)) == header.sha256;
        ensure!(same, "{} has changed since this was recorded", header.series);
        // If parameters of a strategy were set, only that strategy's answers were recorded.
        let parameters = header.params.clone().unwrap_or_default();
        let asked = |id: &String| parameters.is_empty() || parameters.contains_key(id);
        let mut golden = Self {
            file: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            series: header.series.trim_end_matches(".csv").to_owned(),
            strategies: header.strategies.iter().filter(|id| asked(id)).cloned().collect(),
            parameters: parameters.clone(),
            header,
            answers: HashMap::new(),
        };
        for line in lines {
            golden.add(&line?)?;
        }
        let places = golden.places().len();
        ensure!(places == golden.header.evaluations, "{places} windows, not {}", golden.header.evaluations);
        Ok(golden)
    }

    fn add(&mut self, line: &str) -> Result<()> {
        let json: Map<String, Json> = serde_json::from_str(line)?;
        if json.contains_key("kind") {
            return Ok(());
        }
        let number = |key| json.get(key).and_then(Json::as_u64).map(|number| number as usize);
        let length = match &self.header.window {
            Windows::One(length) => *length,
            Windows::Several(_) => number("w").context("no w")?,
        };
        let place = Place { candle: number("t").context("no t")?, length };
        let strategy = json.get("s").and_then(Json::as_str).context("no s")?.to_owned();
        let answer = if json.contains_key("err") {
            Answer::Failed
        } else {
            Answer::Signal(serde_json::from_value(Json::Object(json)).context(line.to_owned())?)
        };
        self.answers.insert((place, strategy), answer);
        Ok(())
    }

    /// Every window that was evaluated.
    pub(crate) fn places(&self) -> Vec<Place> {
        let Header { n_candles, first_t, stride, window, .. } = &self.header;
        let lengths = match window {
            Windows::One(length) => vec![*length],
            Windows::Several(lengths) => lengths.clone(),
        };
        let at = |candle| lengths.iter().map(move |&length| Place { candle, length });
        (*first_t..*n_candles).step_by(*stride).flat_map(at).collect()
    }

    /// The recorded answer of a strategy for a window.
    pub(crate) fn answer(&self, place: Place, strategy: &str) -> Option<&Answer> {
        self.answers.get(&(place, strategy.to_owned()))
    }
}
