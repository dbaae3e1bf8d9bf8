//! Which imports a component may have: the strategy package's own, and the part of WASI that the host virtualises.

/// The packages of WASI 0.2 that the host implements itself, see the module `virtual_wasi`.
const VIRTUALISED: [&str; 5] = ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/"];

/// The imports that a strategy may not have.
pub(crate) fn forbidden(imports: &[String]) -> Vec<String> {
    imports.iter().filter(|name| !is_allowed(name)).cloned().collect()
}

/// The versions of WASI among the imports; empty if nothing is imported from WASI.
pub(crate) fn wasi_versions(imports: &[String]) -> Vec<String> {
    let wasi = imports.iter().filter_map(|name| name.strip_prefix("wasi:")?.split_once('@'));
    let mut versions: Vec<String> = wasi.map(|(_, version)| version.to_owned()).collect();
    versions.sort();
    versions.dedup();
    versions
}

fn is_allowed(name: &str) -> bool {
    let virtualised = name.contains("@0.2.") && VIRTUALISED.iter().any(|package| name.starts_with(package));
    virtualised || name == "ta-bot:strategy/log@1.0.0" || name == "ta-bot:strategy/types@1.0.0"
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn a_strategy_reaches_nothing_outside() {
        for allowed in ["ta-bot:strategy/log@1.0.0", "wasi:clocks/wall-clock@0.2.6", "wasi:cli/environment@0.2.0"] {
            assert!(is_allowed(allowed), "{allowed}");
        }
        for forbidden in [
            "wasi:sockets/tcp@0.2.0",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:clocks/wall-clock@0.3.0",
            "ta-bot:strategy/log@2.0.0",
            "env",
            "wasi:clockspeed/x@0.2.0",
        ] {
            assert!(!is_allowed(forbidden), "{forbidden}");
        }
    }
}
