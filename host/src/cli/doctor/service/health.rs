//! What a service says of itself in `/health`. Another version may say more or less; what it does not say is not
//! checked.

use serde_json::Value as Json;
use ta_bot_engine::support::checkup::Checkup;

use super::{ABILITIES, FEEDS, FILES, LEADER, MODULES, PARAMETERS, STORES, VERSION};

const NOT_TOLD: &str = "this version of the service does not say";

/// The document of `/health`.
pub(super) struct Health(Json);

impl Health {
    /// The document, if it is one of TA Bot.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let read: Json = serde_json::from_slice(body).ok()?;
        (read["service"] == "ta-bot" && read["status"].is_string()).then_some(Self(read))
    }

    /// Says what is wrong by it.
    pub(super) fn tell(&self, checkup: &mut Checkup) {
        self.version(checkup);
        self.abilities(checkup);
        self.stores(checkup);
        self.leader(checkup);
        self.feeds(checkup);
        self.modules(checkup);
        self.parameters(checkup);
        self.files(checkup);
    }

    fn version(&self, checkup: &mut Checkup) {
        let ours = env!("CARGO_PKG_VERSION");
        let build = self.0["build"]["commit"].as_str().map_or_else(String::new, |commit| format!(" of {commit}"));
        match self.0["version"].as_str() {
            Some(theirs) if theirs == ours => checkup.ok(VERSION, format!("{theirs}{build}")),
            Some(theirs) => checkup.warning(
                VERSION,
                format!("the service is {theirs}{build}, and this doctor is {ours}"),
                "finish the upgrade, or ask the service by its own binary (kubectl exec … ta-bot doctor)",
            ),
            None => checkup.not_checked(VERSION, NOT_TOLD),
        }
    }

    fn abilities(&self, checkup: &mut Checkup) {
        let Some(abilities) = self.0["abilities"].as_object() else { return checkup.not_checked(ABILITIES, NOT_TOLD) };
        for (name, ability) in abilities {
            let text = |field: &str| ability[field].as_str();
            match ability["ok"].as_bool() {
                Some(true) => {}
                Some(false) => checkup.wrong(
                    ABILITIES,
                    format!("{name} is missing: {}", text("error").unwrap_or("the service does not say why")),
                    text("remedy").unwrap_or("see docs/operating.md, When the service is not healthy"),
                ),
                None => checkup.warning(
                    ABILITIES,
                    format!("{name} was not tried yet"),
                    "ask again in ten seconds: the service tries it by itself",
                ),
            }
        }
        if !checkup.has(ABILITIES) {
            checkup.ok(ABILITIES, "a candle that closes now becomes a published signal");
        }
    }

    fn stores(&self, checkup: &mut Checkup) {
        for name in ["mysql", "mongodb", "nats"] {
            let part = &self.0[name];
            if part["status"] == "disconnected" {
                let found =
                    format!("{name} does not answer: {}", part["error"].as_str().unwrap_or("it does not say why"));
                checkup.wrong(STORES, found, format!("have {name} answer; the service goes on by itself"));
            }
        }
        if !checkup.has(STORES) {
            checkup.ok(STORES, "all answer the service");
        }
    }

    fn leader(&self, checkup: &mut Checkup) {
        let election = &self.0["leader_election"];
        match (election["is_leader"].as_bool(), election["leader_id"].as_str()) {
            (Some(true), _) => checkup.ok(LEADER, "this one leads"),
            (Some(false), Some(leader)) => checkup.ok(LEADER, format!("{leader} leads")),
            (Some(false), None) => checkup.wrong(
                LEADER,
                "nobody leads, so closed candles become no jobs",
                "let a replica reach the Kubernetes API with the rights of k8s/base/rbac.yaml; its log names what fails",
            ),
            (None, _) => checkup.not_checked(LEADER, NOT_TOLD),
        }
    }

    fn feeds(&self, checkup: &mut Checkup) {
        let feeds = &self.0["feeds"];
        let Some(scheduled) = feeds["scheduled"].as_u64() else { return checkup.not_checked(FEEDS, NOT_TOLD) };
        for feed in feeds["oldest"].as_array().into_iter().flatten() {
            let (symbol, timeframe) =
                (feed["symbol"].as_str().unwrap_or("?"), feed["timeframe"].as_str().unwrap_or("?"));
            let found = match feed["newest_close"].as_str() {
                Some(close) => format!("the newest candle of {symbol} {timeframe} closed at {close}"),
                None => format!("there is no candle of {symbol} {timeframe}"),
            };
            checkup.wrong(FEEDS, found, "start what writes the candles (the Data Extractor), and look at its log");
        }
        if !checkup.has(FEEDS) {
            let found = if scheduled == 0 {
                "another replica leads and knows".to_owned()
            } else {
                format!("{scheduled} series, none is behind")
            };
            checkup.ok(FEEDS, found);
        }
    }

    fn modules(&self, checkup: &mut Checkup) {
        let modules = &self.0["modules"];
        for failed in modules["failed"].as_array().into_iter().flatten().filter_map(Json::as_str) {
            checkup.wrong(MODULES, failed, "put a module there that `ta-bot modules check FILE` passes, and restart");
        }
        match (modules["status"].as_str(), modules["ready"].as_u64()) {
            _ if checkup.has(MODULES) => {}
            (Some("loading"), _) => {
                checkup.warning(MODULES, "they are still being compiled", "ask again in a minute");
            }
            (Some(_), Some(ready)) => checkup.ok(MODULES, format!("{ready} are ready")),
            _ => checkup.not_checked(MODULES, NOT_TOLD),
        }
    }

    fn parameters(&self, checkup: &mut Checkup) {
        let parameters = &self.0["parameters"];
        let Some(is_stale) = parameters["stale"].as_bool() else { return checkup.not_checked(PARAMETERS, NOT_TOLD) };
        if is_stale {
            let since = parameters["since"].as_str().unwrap_or("an unknown moment");
            checkup.warning(
                PARAMETERS,
                format!("the last known ones are in use, as they were read at {since}"),
                "have the store of the configuration answer; the service reads them again by itself",
            );
        }
        for misfit in parameters["misconfigured"].as_array().into_iter().flatten() {
            let strategy = misfit["strategy"].as_str().unwrap_or("a strategy");
            let symbol = misfit["symbol"].as_str().map_or_else(String::new, |symbol| format!(" {symbol}"));
            let reason = misfit["reason"].as_str().unwrap_or("the service does not say why");
            checkup.wrong(
                PARAMETERS,
                format!("what is stored for {strategy}{symbol} does not fit, so it does not run there: {reason}"),
                "correct the level (GET /api/v1/strategies/ID/config says what does not fit)",
            );
        }
        if !checkup.has(PARAMETERS) {
            checkup.ok(PARAMETERS, "what is stored is in use, and fits");
        }
    }

    /// The files that the service reads again when they change.
    fn files(&self, checkup: &mut Checkup) {
        for (name, variable) in [("tokens", "API_TOKENS_FILE"), ("webhooks", "WEBHOOKS_FILE")] {
            if self.0[name]["stale"] == true {
                let error = self.0[name]["error"].as_str().unwrap_or("the service does not say why");
                let found = format!("{variable} has changed and can't be used, so what it held before counts: {error}");
                checkup.wrong(FILES, found, format!("correct the file of {variable}; it is read again by itself"));
            }
        }
        for receiver in self.0["webhooks"]["receivers"].as_array().into_iter().flatten() {
            if let (Some(name), Some(trouble)) = (receiver["name"].as_str(), receiver["trouble"].as_str()) {
                let fix = "see docs/operating.md, A receiver of webhooks lags";
                checkup.warning(FILES, format!("the receiver {name} takes no signals: {trouble}"), fix);
            }
        }
        if !checkup.has(FILES) {
            checkup.ok(FILES, "those that are given are in use");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use ta_bot_engine::support::checkup::{Finding, Verdict};

    use super::*;
    use crate::cli::doctor::service::CHECKS;

    fn told(health: Json) -> Vec<Finding> {
        let mut checkup = Checkup::new(&CHECKS);
        Health(health).tell(&mut checkup);
        checkup.finish()
    }

    #[test]
    fn what_another_version_does_not_say_is_not_checked() {
        let found = told(json!({"service": "ta-bot", "status": "healthy"}));
        let of = |check: &str| found.iter().find(|finding| finding.check == check).unwrap().verdict;
        for check in [VERSION, ABILITIES, LEADER, FEEDS, MODULES, PARAMETERS] {
            assert_eq!(of(check), Verdict::NotChecked, "{check}");
        }
        assert!(Health::read(b"[1, 2]").is_none() && Health::read(b"{\"status\": \"ok\"}").is_none());
    }

    #[test]
    fn each_trouble_is_told_with_what_to_do() {
        let found = told(json!({
            "version": "0.0.1",
            "abilities": {
                "commit": {"ok": false, "error": "disk full", "remedy": "free space"}, "queue": {"ok": null},
            },
            "nats": {"status": "disconnected", "error": "refused"},
            "leader_election": {"is_leader": false, "leader_id": null},
            "feeds": {"scheduled": 2, "oldest": [{"symbol": "A", "timeframe": "1m", "newest_close": null}]},
            "modules": {"status": "incomplete", "ready": 1, "failed": ["x.wasm is no strategy"]},
            "parameters": {"stale": true, "since": "then", "misconfigured": [{"strategy": "rsi", "symbol": null}]},
            "tokens": {"stale": true, "error": "line 1"},
            "webhooks": {"stale": false, "receivers": [{"name": "desk", "trouble": "timeout"}]},
        }));
        let of = |verdict| found.iter().filter(|finding| finding.verdict == verdict).count();
        assert_eq!((of(Verdict::Wrong), of(Verdict::Warning)), (7, 4), "{found:#?}");
        assert!(found.iter().all(|finding| finding.fix.is_some() || finding.verdict == Verdict::NotChecked));
        assert!(found.iter().any(|finding| finding.fix.as_deref() == Some("free space")));
    }
}
