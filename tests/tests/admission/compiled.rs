//! Compiled code is that of its module, and nothing else is loaded under its name.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use ta_bot_core::ModuleDigest;
use ta_bot_tests::{app, built_in};
use ta_bot_wasm::{Limits, PrecompiledError, Sandbox, StrategyModule};

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

/// What an image brings: two modules that were compiled into a folder.
struct Image {
    temp: tempfile::TempDir,
    modules: Vec<Vec<u8>>,
}

impl Image {
    fn new() -> Self {
        let (temp, modules) = (tempfile::tempdir().unwrap(), ["rsi", "macd"].map(|id| built_in::bytes(id).unwrap()));
        let image = Self { temp, modules: modules.into() };
        Sandbox::precompile(&image.modules, "1.2.3", &image.folder()).unwrap();
        image
    }

    fn folder(&self) -> PathBuf {
        self.temp.path().join("precompiled")
    }

    fn file(&self, module: usize) -> PathBuf {
        self.folder().join(format!("{}.cwasm", ModuleDigest::of(&self.modules[module])))
    }

    /// Whether each module is loaded without compiling it, by a service that begins with an empty volume.
    fn are_ready(&self) -> Result<[bool; 2], PrecompiledError> {
        let bench = Bench { temp: tempfile::tempdir().unwrap() };
        let precompiled = bench.sandbox().precompiled(&self.folder())?;
        let sandbox = bench.sandbox().with_precompiled(precompiled);
        let loaded = [0, 1].map(|index| StrategyModule::load(&sandbox, &self.modules[index]).unwrap());
        assert_eq!(loaded[0].description().id.as_str(), "rsi");
        Ok(loaded.map(|module| module.compile_cost().cached))
    }

    fn refused(&self) -> String {
        self.are_ready().unwrap_err().to_string()
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn modules_that_came_compiled_with_the_image_are_ready_at_once() {
    let image = Image::new();
    assert_eq!(image.are_ready().unwrap(), [true, true]);
    assert!(Sandbox::precompile(&image.modules, "1.2.3", &image.folder()).is_err(), "the folder has to be new");
}

#[test]
fn a_file_that_is_not_the_one_of_the_list_is_not_run() {
    let image = Image::new();
    fs::copy(image.file(1), image.file(0)).unwrap();
    assert_eq!(image.are_ready().unwrap(), [false, true]);
    let mut code = fs::read(image.file(1)).unwrap();
    code.push(0);
    fs::write(image.file(1), code).unwrap();
    fs::remove_file(image.file(0)).unwrap();
    assert_eq!(image.are_ready().unwrap(), [false, false]);
}

#[test]
fn what_others_may_write_is_not_believed() {
    let image = Image::new();
    let list = image.folder().join("precompiled.json");
    for (path, safe, open) in [(image.folder(), 0o755, 0o777), (list.clone(), 0o644, 0o664)] {
        set_mode(&path, open);
        let refused = image.refused();
        assert!(refused.contains(path.to_str().unwrap()) && refused.contains("chmod go-w"), "{refused}");
        set_mode(&path, safe);
    }
    // Whoever may write the folder above can put another folder in its place.
    set_mode(image.temp.path(), 0o777);
    assert!(image.refused().contains("chmod go-w"));
    set_mode(image.temp.path(), 0o755);
    set_mode(&image.file(0), 0o666);
    assert_eq!(image.are_ready().unwrap(), [false, true]);
    fs::write(&list, "{}").unwrap();
    assert!(image.refused().contains("no list of compiled modules"));
    fs::remove_file(&list).unwrap();
    assert!(image.refused().contains("can't be read"));
}

#[test]
fn code_of_another_engine_is_left_alone() {
    let image = Image::new();
    let other = Sandbox::counting_fuel(Limits::default()).unwrap();
    let error = other.precompiled(&image.folder()).unwrap_err();
    assert!(matches!(error, PrecompiledError::OtherEngine(_)), "{error}");
}
