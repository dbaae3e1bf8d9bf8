//! Compiled code is that of its module, and nothing else is loaded under its name.

use std::{fs, path::PathBuf};

use ta_bot_core::ModuleDigest;
use ta_bot_tests::{app, built_in};
use ta_bot_wasm::{Limits, Sandbox, StrategyModule};

/// A folder of compiled modules, and a sandbox as the service has it.
struct Bench {
    temp: tempfile::TempDir,
}

impl Bench {
    fn folder(&self) -> PathBuf {
        self.temp.path().join("compiled")
    }

    fn sandbox(&self) -> Sandbox {
        Sandbox::new(Limits::default(), Some(self.folder())).unwrap().with_children(app::children())
    }

    /// The file of a module.
    fn file(&self, bytes: &[u8]) -> PathBuf {
        let digest = ModuleDigest::of(bytes).to_string();
        let files = fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().path());
        let mut found = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&digest));
        found.next().unwrap_or_else(|| panic!("{digest} is not compiled"))
    }
}

#[test]
fn the_code_of_another_module_under_a_digests_name_is_not_run() {
    let bench = Bench { temp: tempfile::tempdir().unwrap() };
    let [rsi, macd] = ["rsi", "macd"].map(|id| built_in::bytes(id).unwrap());
    for bytes in [&rsi, &macd] {
        assert!(!StrategyModule::load(&bench.sandbox(), bytes).unwrap().compile_cost().cached);
        assert!(StrategyModule::load(&bench.sandbox(), bytes).unwrap().compile_cost().cached);
    }
    fs::copy(bench.file(&macd), bench.file(&rsi)).unwrap();
    let module = StrategyModule::load(&bench.sandbox(), &rsi).unwrap();
    assert_eq!(module.description().id.as_str(), "rsi", "the code of macd would sign as rsi");
    assert!(!module.compile_cost().cached, "it is compiled anew");
    assert!(StrategyModule::load(&bench.sandbox(), &rsi).unwrap().compile_cost().cached, "and kept");
}

#[test]
fn a_child_compiles_what_this_process_would() {
    let bench = Bench { temp: tempfile::tempdir().unwrap() };
    let rsi = built_in::bytes("rsi").unwrap();
    StrategyModule::load(&bench.sandbox(), &rsi).unwrap();
    // The engine is the same, so the code is found.
    let here = Sandbox::new(Limits::default(), Some(bench.folder())).unwrap();
    assert!(StrategyModule::load(&here, &rsi).unwrap().compile_cost().cached);
    let apart = bench.sandbox().inspect(&mut rsi.as_slice(), rsi.len() as u64).unwrap();
    assert_eq!(apart, ta_bot_wasm::inspect(&rsi).unwrap());
}
