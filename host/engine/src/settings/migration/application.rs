//! The application's settings as the older service stored them, each with what it means here.

use std::{fmt::Display, str::FromStr};

use serde_json::{Map, Value as Json};
use ta_bot_core::{ApplicationSettings, Series, StrategyId, Symbol, Timeframe};

/// What a stored setting means.
#[derive(Debug, Clone, PartialEq)]
pub enum SettingMeaning {
    /// It counts.
    Counts,
    /// It counts without these, each with the reason.
    Without(Vec<(Json, String)>),
    /// There is no such setting.
    Ignored,
}

/// One stored setting.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingPlan {
    /// Its name.
    pub name: String,
    /// What is stored.
    pub stored: Json,
    /// What is in use; `None` if there is no such setting.
    pub in_use: Option<Json>,
    /// What it means.
    pub meaning: SettingMeaning,
}

/// What a document says of itself, and of where it came from.
const ABOUT_ITSELF: [&str; 9] =
    ["_id", "config_type", "created_at", "created_by", "metadata", "parameters", "updated_at", "updated_by", "version"];

/// Judges the fields of a document of settings. `in_use` is what the service makes of it, `known` are the strategies
/// that there are modules of.
pub fn judge_settings(
    fields: &Map<String, Json>,
    in_use: &ApplicationSettings,
    known: &[StrategyId],
) -> Vec<SettingPlan> {
    // What was changed here lies beside what the older service stored, and takes its place.
    let counting = fields.get("parameters").and_then(Json::as_object).unwrap_or(fields);
    let judged = counting.iter().filter(|(name, _)| !ABOUT_ITSELF.contains(&name.as_str()));
    judged.map(|(name, stored)| setting(name, stored, in_use, known)).collect()
}

fn setting(name: &str, stored: &Json, in_use: &ApplicationSettings, known: &[StrategyId]) -> SettingPlan {
    let used = serde_json::to_value(in_use).unwrap_or_default();
    let field = if name == "candle_periods" { "timeframes" } else { name };
    let used = used.get(field).cloned();
    let left_out = match field {
        "symbols" => unusable::<Symbol>(stored),
        "timeframes" => unusable::<Timeframe>(stored),
        "accepted_holes" => unusable::<Series>(stored),
        "enabled_strategies" => without_module(stored, known),
        _ => Vec::new(),
    };
    let meaning = match &used {
        None => SettingMeaning::Ignored,
        Some(_) if left_out.is_empty() => SettingMeaning::Counts,
        Some(_) => SettingMeaning::Without(left_out),
    };
    SettingPlan { name: name.to_owned(), stored: stored.clone(), in_use: used, meaning }
}

/// The entries of a list that are no `T`, each with the reason.
fn unusable<T: FromStr<Err: Display>>(list: &Json) -> Vec<(Json, String)> {
    let entries = list.as_array().into_iter().flatten();
    let unusable = entries.filter_map(|entry| Some((entry.clone(), entry.as_str()?.parse::<T>().err()?.to_string())));
    unusable.collect()
}

/// The strategies of a list that there is no module of.
fn without_module(list: &Json, known: &[StrategyId]) -> Vec<(Json, String)> {
    let is_known = |entry: &Json| known.iter().any(|id| entry.as_str() == Some(id.as_str()));
    let without = list.as_array().into_iter().flatten().filter(|entry| !is_known(entry));
    without.map(|entry| (entry.clone(), "there is no module of this strategy: it never runs".to_owned())).collect()
}
