//! The page of one strategy.

use std::fmt::Write as _;

use ta_bot_core::{
    Columns, ExtraInput, InputSymbol, InputTimeframe, ParameterSchema, ParameterSpec, StrategyDescription, ValueKind,
};

use super::{
    MARK,
    market::Market,
    scan::{Found, Scan},
    text::{cell, confidence, counted, moment, number, prose, value},
};
use crate::cli::{output::or_dash, strategies::timeframes};

/// The whole page. `rule` is what the strategy's source says about its rule.
pub(super) fn page(description: &StrategyDescription, rule: Option<&str>, scan: &Scan, market: &Market) -> String {
    let StrategyDescription { id, name, schema, .. } = description;
    let mut parts = vec![
        format!("{MARK} (make docs) from the strategy's module and source: change those. -->"),
        format!("# {} (`{id}`)", prose(name)),
        prose(&description.description),
    ];
    parts.extend(rule.into_iter().flat_map(|rule| ["## Rule".to_owned(), rule.to_owned()]));
    parts.extend(["## Parameters".to_owned(), parameters(schema)]);
    parts.extend(["## Data".to_owned(), data(description)]);
    parts.push("## A signal".to_owned());
    match &scan.found {
        Some(found) => parts.extend(signal(description, found, market)),
        None => parts.push(nothing(scan)),
    }
    if scan.found.is_some() {
        parts.push(summary(scan));
    }
    parts.join("\n\n") + "\n"
}

fn parameters(schema: &ParameterSchema) -> String {
    if schema.specs().is_empty() {
        return "It has no parameters.".to_owned();
    }
    let mut table = "| name | type | default | allowed | what |\n|---|---|---|---|---|".to_owned();
    for spec in schema.specs() {
        let ParameterSpec { name, description, default, .. } = spec;
        let optional = if default.is_none() { ", optional" } else { "" };
        let default = or_dash(default.as_ref(), value);
        let row = [
            format!("`{name}`"),
            format!("{}{optional}", kind(spec.kind)),
            default,
            cell(&allowed(spec)),
            cell(description),
        ];
        // Writing to a `String` can't fail.
        write!(table, "\n| {} |", row.join(" | ")).ok();
    }
    table
}

const fn kind(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Boolean => "boolean",
        ValueKind::Integer => "integer",
        ValueKind::Number => "number",
        ValueKind::Text => "text",
    }
}

fn allowed(spec: &ParameterSpec) -> String {
    match (spec.min.map(number), spec.max.map(number)) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) if !spec.choices.is_empty() => {
            spec.choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", ")
        }
        (None, None) if spec.kind == ValueKind::Boolean => "`true`, `false`".to_owned(),
        (None, None) => "any".to_owned(),
    }
}

fn data(description: &StrategyDescription) -> String {
    let StrategyDescription { lookback, columns: read, timeframes: runs_on, extra, .. } = description;
    let extra =
        if extra.is_empty() { "none".to_owned() } else { extra.iter().map(extra_input).collect::<Vec<_>>().join("; ") };
    format!(
        "* **Lookback:** {lookback} candles\n* **Columns:** {}\n* **Timeframes:** {}\n* **Extra inputs:** {extra}",
        columns(*read),
        timeframes(runs_on)
    )
}

fn extra_input(input: &ExtraInput) -> String {
    let symbol = match &input.symbol {
        InputSymbol::Own => "the same symbol",
        InputSymbol::Fixed(symbol) => symbol.as_str(),
    };
    let timeframe = match input.timeframe {
        InputTimeframe::NextHigher => "the next higher timeframe".to_owned(),
        InputTimeframe::Fixed(timeframe) => timeframe.to_string(),
    };
    format!("{} candles of {symbol} on {timeframe} ({})", input.lookback, columns(input.columns))
}

fn columns(columns: Columns) -> String {
    let Columns { open_time, open, high, low, close, volume } = columns;
    let all =
        [("open time", open_time), ("open", open), ("high", high), ("low", low), ("close", close), ("volume", volume)];
    all.into_iter().filter_map(|(name, read)| read.then_some(name)).collect::<Vec<_>>().join(", ")
}

/// The signal that is shown.
fn signal(description: &StrategyDescription, found: &Found, market: &Market) -> Vec<String> {
    let series = market.series(found.series);
    let decision = &found.decision;
    let action = found.signal.action.as_str();
    let place = format!("{} {}", series.symbol, series.timeframe);
    let strength = found.signal.message["strength"].as_str().unwrap_or_default().to_owned();
    let levels = [("entry", "price"), ("stop-loss", "stop_loss"), ("take-profit", "take_profit")].into_iter();
    let levels: Vec<String> =
        levels.filter_map(|(name, field)| Some(format!("{name} {}", number(found.price(field)?)))).collect();
    let chart = format!("![{action} of {place}, candle closed {}]({}.svg)", moment(found.close), description.id);
    let sentence = format!(
        "**{action}** on {place}, candle closed {}: {}, confidence {}, strength {strength}.{}",
        moment(found.close),
        levels.join(", "),
        confidence(found.signal.confidence),
        host_levels(found),
    );
    let mut parts = vec![chart, sentence];
    parts.extend(decision.rationale.as_ref().map(|rationale| format!("> {}", prose(rationale).replace('*', "\\*"))));
    if !decision.metadata.is_empty() {
        let mut table = "| reading | value |\n|---|---|".to_owned();
        for (name, reading) in &decision.metadata {
            write!(table, "\n| `{}` | {} |", cell(name), value(reading)).ok();
        }
        parts.push(table);
    }
    parts
}

/// A sentence about the levels that the host filled in, if any.
fn host_levels(found: &Found) -> &'static str {
    let missing = |given: Option<f64>, name: &str| given.is_none() && found.price(name).is_some();
    let stop = missing(found.decision.stop_loss, "stop_loss");
    match (stop, missing(found.decision.take_profit, "take_profit")) {
        (true, true) => {
            " The strategy sets no stop-loss and no take-profit: these are [the \
             host's](../signals.md#stop-loss-and-take-profit)."
        }
        (true, false) => {
            " The strategy sets no stop-loss: this one is [the host's](../signals.md#stop-loss-and-take-profit)."
        }
        (false, true) => {
            " The strategy sets no take-profit: this one is [the host's](../signals.md#stop-loss-and-take-profit)."
        }
        (false, false) => "",
    }
}

/// Why no signal is shown.
fn nothing(scan: &Scan) -> String {
    if scan.candles == 0 {
        return "None is shown: none of [the candles](README.md#the-signals-shown) fills the windows that it asks for."
            .to_owned();
    }
    let found =
        format!("None was found on {} of [the candles](README.md#the-signals-shown), with the defaults.", scan.candles);
    format!("{found}{}", lost(scan))
}

/// How often the strategy gives signals.
fn summary(scan: &Scan) -> String {
    format!(
        "With the defaults it gave {} signals on {} of [the candles](README.md#the-signals-shown): {}.{}",
        scan.signals.values().sum::<usize>(),
        scan.candles,
        counted(&scan.signals),
        lost(scan)
    )
}

/// The answers that became no signal: dropped decisions and failures.
fn lost(scan: &Scan) -> String {
    let mut lost = String::new();
    if !scan.dropped.is_empty() {
        let reasons = scan.dropped.iter().map(|(reason, count)| format!("{count} × `{reason}`"));
        let reasons = reasons.collect::<Vec<_>>().join(", ");
        write!(lost, " [Dropped by the host](../signals.md#why-a-decision-is-dropped): {reasons}.").ok();
    }
    if scan.failed > 0 {
        write!(lost, " On {} candles it answered that it failed.", scan.failed).ok();
    }
    lost
}
