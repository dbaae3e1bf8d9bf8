//! The wheel.

use std::{fs, process::Command};

use ta_bot_tests::root;
use tempfile::TempDir;

use crate::{conformance, in_venv, only_file, readme, run};

fn python() -> Command {
    let mut command = Command::new(in_venv("python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").env_remove("PYTHONPATH");
    command
}

#[test]
fn the_wheel_is_complete_and_passes_its_tests() {
    let folder = TempDir::new().unwrap();
    let (wheels, site) = (folder.path().join("wheels"), folder.path().join("site"));
    let offline = ["--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"];
    let source = root().join("sdk/python");
    let pip = || {
        let mut command = python();
        command.args(["-m", "pip"]);
        command
    };
    run(pip().arg("wheel").args(offline).arg("--no-build-isolation").arg("--wheel-dir").arg(&wheels).arg(&source));
    run(pip().arg("install").args(offline).arg("--target").arg(&site).arg(only_file(&wheels, ".whl")));
    for file in ["py.typed", "wit/strategy.wit", "indicators/trend.py"] {
        assert!(site.join("ta_bot_sdk").join(file).is_file(), "{file} is not in the wheel");
    }
    for tests in [source.join("tests"), root().join("examples/python")] {
        let mut command = python();
        command.args(["-m", "unittest", "discover", "--start-directory"]).arg(&tests);
        command.env("PYTHONPATH", &site).env("TA_BOT_CONFORMANCE", conformance()).current_dir(folder.path());
        let said = run(&mut command);
        assert!(said.contains("OK") && !said.contains("Ran 0 tests"), "{said}");
    }
    let copied = folder.path().join("copied");
    fs::create_dir(&copied).unwrap();
    for (block, name) in readme("python", "python").iter().zip(["breakout.py", "test_breakout.py"]) {
        fs::write(copied.join(name), block).unwrap();
    }
    let said = run(python().args(["-m", "unittest"]).env("PYTHONPATH", &site).current_dir(&copied));
    assert!(said.contains("Ran 2 tests"), "{said}");
    let place = run(python().args(["-c", "import ta_bot_sdk; print(ta_bot_sdk.__file__)"]).env("PYTHONPATH", &site));
    assert!(place.starts_with(&*site.to_string_lossy()), "the tests ran on {place}");
}
