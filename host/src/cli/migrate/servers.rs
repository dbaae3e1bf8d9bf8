//! What a start of the service does to tables and streams, as JSON and as text.

use std::fmt;

use serde::Serialize;

use crate::{
    app::found::{Stream, StreamStep, Tables},
    cli::output::one_line,
};

#[derive(Serialize)]
pub(super) struct TablesView {
    /// How many rows of `signals` are none of ours.
    older_signals: Option<i64>,
    newest_older_signal: Option<String>,
    /// Whether a start of the service adds columns to `signals`.
    adds_columns: bool,
    /// Whether the service's own tables are there.
    has_own: bool,
    /// The timeframes whose tables of candles a start of the service makes.
    makes_candles: Vec<String>,
}

impl TablesView {
    pub(super) fn new(tables: &Tables) -> Self {
        let newest = tables.signals.and_then(|(_, newest)| newest);
        Self {
            older_signals: tables.signals.map(|(rows, _)| rows),
            newest_older_signal: newest.map(|moment| moment.to_string()),
            adds_columns: tables.adds_columns,
            has_own: tables.has_own,
            makes_candles: tables.makes_candles.iter().map(|timeframe| timeframe.as_str().to_owned()).collect(),
        }
    }
}

impl fmt::Display for TablesView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.older_signals, &self.newest_older_signal) {
            (None, _) => write!(f, "MySQL: there is no table signals yet.")?,
            (Some(0), _) => write!(f, "MySQL: signals holds no rows of an older service.")?,
            (Some(rows), newest) => {
                write!(f, "MySQL: signals holds {rows} rows of an older service")?;
                if let Some(newest) = newest {
                    write!(f, ", the newest of {newest}")?;
                }
                write!(f, ". They have no signal_id, are not read and stay as they are.")?;
            }
        }
        if self.older_signals.is_some() && self.adds_columns {
            write!(f, " A start of the service adds nullable columns to it; both may write to it.")?;
        }
        if !self.has_own {
            write!(f, " It makes its own tables, too.")?;
        }
        if !self.makes_candles.is_empty() {
            write!(f, " It makes empty tables of candles for {}.", self.makes_candles.join(", "))?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
pub(super) struct StreamView {
    stream: String,
    /// `nothing`, `make`, `change`, `of_others` or `only_part`.
    step: &'static str,
    /// The subjects that it takes now, if they change.
    before: Vec<String>,
    /// Those that it gives up.
    given_up: Vec<String>,
    /// The subjects that it takes afterwards.
    subjects: Vec<String>,
    passes_on_to: Option<String>,
    /// Streams of others that take a part of the subject.
    partly: Vec<String>,
    /// Streams of others that store what readers get, each with the ways in which it may lose that.
    copies: Vec<(String, Vec<String>)>,
}

impl StreamView {
    pub(super) fn new(stream: &Stream) -> Self {
        let (step, before, given_up, partly) = match stream.step.clone() {
            StreamStep::Nothing => ("nothing", vec![], vec![], vec![]),
            StreamStep::Make => ("make", vec![], vec![], vec![]),
            StreamStep::Change { before, given_up } => ("change", before, given_up, vec![]),
            StreamStep::OfOthers => ("of_others", vec![], vec![], vec![]),
            StreamStep::OnlyPart(names) => ("only_part", vec![], vec![], names),
        };
        let Stream { name, subjects, passes_on_to, copies, .. } = stream.clone();
        Self { stream: name, step, before, given_up, subjects, passes_on_to, partly, copies }
    }

    /// What has to be done with the stream before an older service runs again.
    pub(super) fn way_back(&self) -> String {
        format!(
            "nothing for a service that publishes without a stream; {} may stay, and nobody publishes into it any more. A \
             TA Bot before 2.0.0 that had a subject for each strategy gets it back by one start of this service with \
             NATS_SIGNAL_DELIVERY=direct.",
            self.stream
        )
    }

    fn happens(&self) -> String {
        let (stream, subjects) = (&self.stream, self.subjects.join(", "));
        match self.step {
            "make" => format!("a start of the service makes the stream {stream}, which takes {subjects}"),
            "change" => format!(
                "a start of the service changes the stream {stream} in one step: it takes {}, and then {subjects}. What \
                 it holds stays, and so do the ids that it knows",
                self.before.join(", ")
            ),
            "of_others" => {
                format!("signals go to the stream {stream} of somebody else, which stays as it is ({subjects})")
            }
            "only_part" => format!(
                "the streams {} take only a part of the subject of signals: add the subject to one of them",
                self.partly.join(", ")
            ),
            _ => format!("the stream {stream} is as it has to be and takes {subjects}"),
        }
    }
}

impl fmt::Display for StreamView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NATS: {}.", self.happens())?;
        if let Some(subject) = &self.passes_on_to {
            write!(f, " It passes signals on to {subject}.")?;
        }
        if !self.given_up.is_empty() {
            write!(
                f,
                " An earlier version of TA Bot that publishes to {} can't do so any more from then on. If it has to, \
                 start this one with NATS_SIGNAL_DELIVERY=direct until it has ended.",
                self.given_up.join(", ")
            )?;
        }
        for (name, losses) in &self.copies {
            write!(f, "\nThe stream {name} of somebody else stores what readers get, of both services, and stays.")?;
            for loss in losses {
                write!(f, " It may lose some: {}.", one_line(loss))?;
            }
        }
        write!(
            f,
            "\nWhile both services run, readers hear both. Until the older one has ended, let this one publish where nobody \
             reads (NATS_TOPIC_INTENTS=trial.intents); then give it the subject of the older one and start it again, which \
             moves the stream."
        )
    }
}
