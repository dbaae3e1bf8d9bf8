use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::Value as Json;
use ta_bot_tests::{root, strategies_dir};

use crate::run::{Done, Home, sample};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn inspection_tells_what_a_module_is_without_compiling_it() {
    let home = Home::new();
    let rsi = strategies_dir().join("rsi.wasm");
    let told = home.run(["modules", "inspect", text(&rsi)]).succeeded().stdout;
    for words in ["ta-bot:strategy@1.0.0", "ta-bot:strategy/log@1.0.0", "bytes of code", "AT MOST"] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    let answer = home.json(&["modules", "inspect", text(&rsi)]);
    assert_eq!((&answer["wit_version"], &answer["parts"]["module_instances"]), (&"1.0.0".into(), &3.into()));
    assert_eq!(answer["digest"].as_str().unwrap().len(), 64);
    let text_file = root().join("README.md");
    home.run(["modules", "inspect", text(&text_file)]).failed(1, &["no WebAssembly component", "Give the component"]);
    home.run(["modules", "inspect", "absent.wasm"]).failed(1, &["absent.wasm", "can't be read"]);
}

#[test]
fn both_names_of_check_make_every_check_of_admission() {
    let home = Home::new();
    let rsi = strategies_dir().join("rsi.wasm");
    let told = home.run(["modules", "check", text(&rsi)]).succeeded().stdout;
    for words in ["RSI (rsi)", "Admission, on", "no_memory", "passed", "It is fit to run."] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    let [long, short] = [&["modules", "check"][..], &["check"]].map(|command| {
        let answer = home.json(&[command, &[text(&rsi)]].concat());
        let checks = answer["admission"]["checks"].as_array().unwrap();
        let names: Vec<Json> = checks.iter().map(|check| check["name"].clone()).collect();
        (answer["fit"].clone(), answer["admission"]["admitted"].clone(), answer["digest"].clone(), names)
    });
    assert_eq!(long, short);
    assert_eq!((&long.0, &long.1, long.3.len()), (&true.into(), &true.into(), 9));
}

#[test]
fn a_module_that_is_not_admitted_is_not_fit_and_the_example_is_told() {
    let home = Home::new();
    let faulty = root().join("target/components/faulty_keeps_state.wasm");
    let done = home.run(["modules", "check", text(&faulty)]);
    assert_eq!(done.code, Some(1), "{done:?}");
    for words in ["It is NOT fit to run", "no_memory", "FAILED", "was expected"] {
        assert!(done.stdout.contains(words), "{words:?} is not in {done:?}");
    }
    let answer = home.run(["modules", "check", text(&faulty), "--json"]).json();
    assert_eq!((&answer["fit"], &answer["admission"]["admitted"]), (&false.into(), &false.into()));
    let checks = answer["admission"]["checks"].as_array().unwrap();
    let failed = checks.iter().find(|check| check["name"] == "no_memory").unwrap();
    assert_eq!(failed["outcome"], "failed");
    assert!(failed["example"]["answered"].as_str().unwrap().contains("reading"), "{failed}");
}

#[test]
fn what_is_signed_is_verified_and_nothing_else_is() {
    let home = Home::new();
    let key = home.path().join("release.key");
    let made = home.json(&["modules", "keygen", text(&key)]);
    let public = made["public_key"].as_str().unwrap();
    assert_eq!(fs::read_to_string(home.path().join("release.key.pub")).unwrap().trim(), public);

    let module = home.path().join("rsi.wasm");
    fs::copy(strategies_dir().join("rsi.wasm"), &module).unwrap();
    let told = home.run(["modules", "sign", text(&module), "--key", text(&key)]).succeeded();
    assert!(told.stdout.contains("rsi.wasm.sig") && told.stderr.is_empty(), "{told:?}");
    let verify = |more: &[&str]| home.run([&["modules", "verify", text(&module)], more].concat());
    assert!(verify(&["--key", public]).succeeded().stdout.contains("The signature is good."));
    let trusting = |keys: &str| {
        let mut command = home.command();
        Done::of(command.env("MODULE_TRUSTED_KEYS", keys).args(["modules", "verify", text(&module)]))
    };
    trusting(public).succeeded();
    // Signing again gives the same signature.
    let again = home.json(&["modules", "sign", text(&module), "--key", text(&key)]);
    assert_eq!(fs::read_to_string(home.path().join("rsi.wasm.sig")).unwrap().trim(), again["signature"]);

    let other = home.json(&["modules", "keygen", text(&home.path().join("other.key"))]);
    let other = other["public_key"].as_str().unwrap();
    verify(&["--key", other]).failed(1, &["not signed by a trusted key", "none of the 1 trusted keys"]);
    trusting(&format!("{other},{public}")).succeeded();
    verify(&[]).failed(2, &["no key is trusted", "MODULE_TRUSTED_KEYS"]);
    verify(&["--key", "abc"]).failed(2, &["give a public key"]);
    trusting("abc").failed(2, &["MODULE_TRUSTED_KEYS", "entry 1 is no key"]);
    let mut bytes = fs::read(&module).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&module, bytes).unwrap();
    verify(&["--key", public]).failed(1, &["not signed by a trusted key", "of other bytes"]);
    assert_eq!(trusting(public).code, Some(1));
    fs::write(home.path().join("rsi.wasm.sig"), "x".repeat(100_000)).unwrap();
    verify(&["--key", public]).failed(1, &["rsi.wasm.sig", "64 bytes in base64"]);
}

#[test]
fn a_private_key_is_its_owners_alone_and_never_lost() {
    let home = Home::new();
    let (key, public) = (home.path().join("a.key"), home.path().join("a.key.pub"));
    let done = home.run(["modules", "keygen", text(&key)]).succeeded();
    assert_eq!(mode(&key), 0o600);
    let private = fs::read_to_string(&key).unwrap();
    let secret = private.trim().strip_prefix("ta-bot-private-key:").unwrap();
    assert!(!done.stdout.contains(secret) && !done.stderr.contains(secret), "{done:?}");

    home.run(["modules", "keygen", text(&key)]).failed(1, &["a.key is there already", "never overwritten"]);
    assert_eq!(fs::read_to_string(&key).unwrap(), private);
    // This is also refused if only the public part is in the way, and then no half of a pair is left.
    let (half, taken) = (home.path().join("b.key"), home.path().join("b.key.pub"));
    fs::write(&taken, "another's").unwrap();
    home.run(["modules", "keygen", text(&half)]).failed(1, &["b.key.pub is there already"]);
    assert!(!half.exists());
    assert_eq!(fs::read_to_string(&taken).unwrap(), "another's");
    home.run(["modules", "keygen", "absent/c.key"]).failed(1, &["absent/c.key", "can't be written"]);

    // Nothing is signed without a valid module and key, and no part of a key is repeated.
    let rsi = strategies_dir().join("rsi.wasm");
    let signature = home.path().join("signature");
    let sign = |file: &Path, key: &Path| {
        home.run(["modules", "sign", text(file), "--key", text(key), "--output", text(&signature)])
    };
    sign(&public, &key).failed(1, &["is no strategy"]);
    let wrong = sign(&rsi, &public);
    wrong.failed(1, &["a.key.pub", "no private key"]);
    assert!(!signature.exists());
    let mut command = home.command();
    let told = Done::of(command.env("MODULE_TRUSTED_KEYS", private.trim()).args(["candles", "list"]));
    told.failed(2, &["MODULE_TRUSTED_KEYS", "this is a private key"]);
    assert!(!told.stderr.contains(secret), "{told:?}");

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let told = sign(&rsi, &key).succeeded();
    assert!(told.stderr.contains("warning: others can read the private key"), "{told:?}");
}

#[test]
fn what_a_module_takes_is_measured_and_its_fuel_is_the_same_each_time() {
    let home = Home::new();
    let rsi = strategies_dir().join("rsi.wasm");
    let candles = sample("BTCUSDT", "15m");
    let command = ["modules", "cost", text(&rsi), text(&candles)];
    let (first, again) = (home.json(&command), home.json(&command));
    for exact in ["fuel", "memory_bytes", "bytes_in", "bytes_out", "errors", "evaluations"] {
        assert_eq!(first[exact], again[exact], "{exact}");
    }
    let number = |what: &str, which: &str| first[what][which].as_f64().unwrap();
    for what in ["duration_ms", "fuel", "memory_bytes", "bytes_in"] {
        assert!(number(what, "p50") > 0.0, "{what}: {first}");
        assert!(
            number(what, "p50") <= number(what, "p99") && number(what, "p99") <= number(what, "max"),
            "{what}: {first}"
        );
    }
    assert_eq!(number("memory_bytes", "max") % 65_536.0, 0.0, "{first}");
    // It executes at least one instruction for each number that it reads.
    assert!(number("fuel", "p50") > number("bytes_in", "p50") / 8.0, "{first}");
    let days = first["days"].as_array().unwrap();
    let minutes = days.iter().find(|day| day["timeframe"] == "1m").unwrap();
    assert_eq!(minutes["evaluations"], 1_440_000.0);
    let seconds = minutes["core_seconds"].as_f64().unwrap();
    assert!((seconds - 1440.0 * number("duration_ms", "mean")).abs() < 1e-6 * seconds, "{minutes}");
    assert!(!home.data_dir().exists(), "no database is needed");

    let told = home.run(["modules", "cost", text(&rsi)]).succeeded().stdout;
    for words in ["made-up candles", "fuel", "OF ONE CORE", "1000 symbols"] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    home.run(["modules", "cost", "absent.wasm"]).failed(1, &["absent.wasm", "can't be read"]);
    let too_short = home.path().join("BTCUSDT_15m.csv");
    let lines: Vec<String> = fs::read_to_string(&candles).unwrap().lines().take(5).map(str::to_owned).collect();
    fs::write(&too_short, lines.join("\n")).unwrap();
    home.run(["modules", "cost", text(&rsi), text(&too_short)]).failed(1, &["1 files", "no candle", "longer files"]);
}
