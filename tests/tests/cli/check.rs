use std::{fs, path::Path};

use ta_bot_tests::{root, strategies_dir};

use crate::run::{Done, Home};

fn check(home: &Home, file: &Path) -> Done {
    home.run(["check".as_ref(), file.as_os_str()])
}

#[test]
fn a_built_in_strategy_is_fit() {
    let home = Home::new();
    let rsi = strategies_dir().join("rsi.wasm");
    let text = check(&home, &rsi).succeeded().stdout;
    for word in ["RSI (rsi)", "ta-bot:strategy@1.0.0", "ta-bot:strategy/log@1.0.0", "250 made-up", "It is fit to run."]
    {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
    let answer = home.json(&["check", rsi.to_str().unwrap()]);
    assert_eq!((&answer["fit"], &answer["problem"]), (&true.into(), &().into()));
    assert_eq!((&answer["evaluation"]["candles"], &answer["evaluation"]["status"]), (&250.into(), &"success".into()));
    assert_eq!(answer["size_bytes"], fs::metadata(&rsi).unwrap().len());
    assert!(!home.data_dir().exists(), "a check keeps nothing");
}

#[test]
fn every_unfit_file_says_what_to_do() {
    let home = Home::new();
    let sockets = wat::parse_file(root().join("tests/guests/hostile/sockets.wat")).unwrap();
    let cases: [(&str, &[u8], &str, &str); 5] = [
        ("text", b"fn main() {}", "not_a_component", "Give the component"),
        ("truncated", b"\0asm\x0d\0\x01\0\xff", "not_a_component", "whole and unpacked"),
        ("core", b"\0asm\x01\0\0\0", "core_module", "wasm-tools component new"),
        ("empty", b"\0asm\x0d\0\x01\0", "wrong_exports", "world strategy-module"),
        ("sockets", &sockets, "forbidden_imports", "Remove what reaches outside"),
    ];
    for (name, bytes, kind, advice) in cases {
        let file = home.path().join(format!("{name}.wasm"));
        fs::write(&file, bytes).unwrap();
        check(&home, &file).failed(1, &["is no strategy", advice]);
        let error = home.json(&["check", file.to_str().unwrap()]);
        assert_eq!(
            (&error["error"]["code"], &error["error"]["details"]["kind"]),
            (&"unfit_module".into(), &kind.into())
        );
    }
    check(&home, &home.path().join("absent.wasm")).failed(1, &["absent.wasm", "can't be read"]);
}
