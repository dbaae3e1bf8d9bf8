//! Modules that a command uploads, accepted in the same way as by a service.

use std::{collections::HashMap, fs, path::PathBuf, process::Command};

use serde_json::{Value as Json, json};
use sqlx::{Connection as _, SqliteConnection};
use ta_bot_core::ModuleDigest;
use ta_bot_drivers::sqlite::{Database, modules::SqliteModules};
use ta_bot_engine::modules::module_store::ModuleStore as _;
use ta_bot_tests::{binary, root, strategies_dir};

use crate::run::{Done, Home};

/// The path of a component that `make guests` built.
pub(crate) fn component(name: &str) -> String {
    let path = root().join(format!("target/components/{name}.wasm"));
    assert!(path.exists(), "{} is not there: run make guests", path.display());
    path.display().to_string()
}

/// Uploads a component that is admitted. Returns its digest.
pub(crate) fn upload(home: &Home, name: &str) -> String {
    let taken = home.json(&["modules", "upload", &component(name)]);
    assert_eq!(taken["state"], "admitted", "{taken}");
    taken["digest"].as_str().unwrap().to_owned()
}

fn failure(done: &Done) -> (Option<i32>, Json) {
    (done.code, done.json()["error"]["code"].clone())
}

#[test]
fn an_upload_is_checked_at_once_and_judged_once() {
    let home = Home::new();
    let file = component("versions_v1");
    let told = home.run(["modules", "upload", &file, "--by", "ann"]).succeeded().stdout;
    for words in ["by ann", "no_memory", "passed", "ADMITTED: ta-bot modules activate versions "] {
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
    let again = home.json(&["modules", "upload", &file, "--by", "ben"]);
    let expected = json!([false, "admitted", "ann", "versions", "1.0.0", "1.0.0"]);
    let fields = ["is_new", "state", "uploaded_by", "strategy", "version", "wit_version"];
    assert_eq!(json!(fields.map(|field| again[field].clone())), expected, "{again}");
    assert_eq!(again["verdict"]["checks"].as_array().unwrap().len(), 9);

    let digest = again["digest"].as_str().unwrap();
    assert_eq!(digest, ModuleDigest::of(&fs::read(&file).unwrap()).to_string());
    let listed = home.json(&["modules", "list"]);
    assert_eq!(listed["modules"].as_array().unwrap().len(), 1);
    let line = home.run(["modules", "list"]).succeeded().stdout;
    assert!(line.contains(&digest[..12]) && line.contains("admitted"), "{line}");
    for name in [digest, &digest[..6], &digest[..20].to_uppercase()] {
        let shown = home.json(&["modules", "show", name]);
        assert_eq!((&shown, &shown["checked_at"]), (&listed["modules"][0], &again["checked_at"]), "{name}");
    }
}

#[test]
fn what_is_refused_is_kept_and_says_why() {
    let home = Home::new();
    let none = home.run(["modules", "list"]).succeeded().stdout;
    assert!(none.contains("ta-bot modules upload"), "{none}");
    let done = home.run(["modules", "upload", &component("faulty_keeps_state")]);
    assert_eq!(done.code, Some(1), "{done:?}");
    for words in ["REFUSED: the check no_memory failed", "was expected", "FAILED"] {
        assert!(done.stdout.contains(words), "{words:?} is not in {done:?}");
    }
    // A module that describes itself differently each time can't even be asked.
    let changes = home.run(["modules", "upload", &component("faulty_describe_changes"), "--json"]);
    assert_eq!((changes.code, &changes.json()["state"]), (Some(1), &"refused".into()), "{changes:?}");
    assert_eq!(home.json(&["modules", "list"])["modules"].as_array().unwrap().len(), 2);

    // A file that would not be compiled is not kept.
    let readme = root().join("README.md").display().to_string();
    home.run(["modules", "upload", &readme]).failed(1, &["is no strategy", "Give the component"]);
    home.run(["modules", "upload", "absent.wasm"]).failed(1, &["absent.wasm", "can't be read"]);
    let long = "x".repeat(201);
    home.run(["modules", "upload", &readme, "--by", &long]).failed(2, &["at most 200"]);
    assert_eq!(home.json(&["modules", "list"])["modules"].as_array().unwrap().len(), 2);
}

#[test]
fn a_signature_is_taken_from_beside_the_module_where_one_is_asked_for() {
    let home = Home::new();
    let at = |name: &str| home.path().join(name).display().to_string();
    let [key, other, module, elsewhere] = ["a.key", "b.key", "m.wasm", "elsewhere"].map(at);
    let public = home.json(&["modules", "keygen", &key])["public_key"].as_str().unwrap().to_owned();
    home.run(["modules", "keygen", &other]).succeeded();
    fs::copy(component("versions_v1"), &module).unwrap();
    let trusting = |more: &[&str]| {
        let mut command = home.command();
        command.env("MODULE_TRUSTED_KEYS", &public).args(["modules", "upload", &module]).args(more);
        Done::of(&mut command)
    };
    trusting(&[]).failed(1, &["need a signature", "ta-bot modules sign"]);
    assert_eq!(failure(&trusting(&["--json"])), (Some(1), "not_signed".into()));
    home.run(["modules", "sign", &module, "--key", &other]).succeeded();
    trusting(&[]).failed(1, &["m.wasm is not signed by a trusted key", "none of the 1 trusted keys"]);
    trusting(&["--signature", &elsewhere]).failed(1, &["elsewhere", "can't be read"]);
    assert_eq!(home.json(&["modules", "list"])["modules"], json!([]));
    home.run(["modules", "sign", &module, "--key", &key, "--output", &elsewhere]).succeeded();
    let taken = trusting(&["--signature", &elsewhere, "--json"]).succeeded().json();
    assert_eq!((&taken["signed_by"], &taken["is_new"]), (&json!(public), &true.into()));
    home.run(["modules", "sign", &module, "--key", &key]).succeeded();
    assert_eq!(trusting(&["--json"]).succeeded().json()["is_new"], false);
    // If no signature is required, a broken one does no harm.
    fs::write(format!("{module}.sig"), "broken").unwrap();
    home.run(["modules", "upload", &module]).succeeded();
}

#[test]
fn the_bytes_come_back_and_overwrite_nothing() {
    let home = Home::new();
    let (file, digest) = (component("versions_v1"), upload(&home, "versions_v1"));
    let output = home.path().join("back.wasm").display().to_string();
    let given = home.json(&["modules", "download", &digest[..8], "--output", &output]);
    assert_eq!((&given["digest"], &given["file"]), (&json!(digest), &json!(output)));
    assert_eq!(fs::read(&output).unwrap(), fs::read(&file).unwrap());
    fs::write(&output, "mine").unwrap();
    let again = ["modules", "download", &digest, "--output", &output];
    home.run(again).failed(1, &["back.wasm is there already", "never overwritten"]);
    assert_eq!(fs::read_to_string(&output).unwrap(), "mine");
    let nowhere = home.path().join("absent/back.wasm").display().to_string();
    home.run(["modules", "download", &digest, "--output", &nowhere]).failed(1, &["can't be written"]);
}

#[tokio::test]
async fn a_damaged_module_is_whole_again_after_an_upload() {
    let home = Home::new();
    let (file, digest) = (component("versions_v1"), upload(&home, "versions_v1"));
    let database = home.data_dir().join("ta-bot.sqlite").display().to_string();
    let mut connection = SqliteConnection::connect(&database).await.unwrap();
    sqlx::query("UPDATE strategy_modules SET bytes = zeroblob(size)").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let output = home.path().join("back.wasm").display().to_string();
    let download = ["modules", "download", &digest, "--output", &output];
    home.run(download).failed(1, &[&digest, "upload it again"]);
    let again = home.json(&["modules", "upload", &file]);
    assert_eq!((&again["is_new"], &again["state"]), (&json!(false), &json!("admitted")), "{again}");
    home.run(download).succeeded();
    assert_eq!(fs::read(&output).unwrap(), fs::read(&file).unwrap());
}

#[tokio::test]
async fn digits_that_name_no_module_or_several_are_refused() {
    let home = Home::new();
    let store = SqliteModules::new(Database::open(&home.data_dir()).await.unwrap());
    // Two modules whose digests begin with the same six digits.
    let mut seen = HashMap::new();
    let twins = (0_u32..).find_map(|number| {
        let digest = ModuleDigest::of(&number.to_be_bytes()).to_string();
        seen.insert(digest[..6].to_owned(), number).map(|before| (before, number, digest))
    });
    let (one, two, digest) = twins.unwrap();
    for number in [one, two] {
        store.put(&number.to_be_bytes()).await.unwrap();
    }
    let other = ModuleDigest::of(&one.to_be_bytes()).to_string();
    let show = |name: &str| home.run(["modules", "show", name]);
    show(&digest[..6]).failed(1, &[&digest, &other, "Give more digits"]);
    assert_eq!(failure(&home.run(["modules", "show", &digest[..6], "--json"])), (Some(1), "ambiguous_module".into()));
    assert!(show(&digest).succeeded().stdout.contains("It came with the service."));
    for unknown in ["ab".repeat(32), "abcdef123".to_owned()] {
        show(&unknown).failed(1, &["there is no module", &unknown]);
    }
    for wrong in ["abcde", "not-hex", &"a".repeat(65)] {
        show(wrong).failed(2, &["64 hex digits", "at least 6"]);
    }
}

/// The process that checks first judges for both.
#[test]
fn two_uploads_at_once_are_judged_alike() {
    let home = Home::new();
    home.run(["modules", "list"]).succeeded();
    let file: PathBuf = strategies_dir().join("rsi.wasm");
    let start = || {
        let mut command = Command::new(binary::ta_bot());
        home.environment(&mut command);
        command.args(["modules", "upload", file.to_str().unwrap(), "--json"]);
        std::thread::spawn(move || Done::of(&mut command).succeeded().json())
    };
    let answers = [start(), start()].map(|done| done.join().unwrap());
    let fields = |answer: &Json| ["digest", "state", "checked_at", "uploaded_at"].map(|field| answer[field].clone());
    assert_eq!(fields(&answers[0]), fields(&answers[1]));
    assert_eq!(answers[0]["state"], "admitted");
}

#[test]
fn a_module_is_removed_and_listed_as_such() {
    let home = Home::new();
    assert!(home.run(["modules", "removed"]).succeeded().stdout.contains("No module was removed"));
    home.run(["modules", "remove", "123456"]).failed(1, &["there is no module 123456"]);
    let digest = upload(&home, "versions_v1");
    let removed = home.json(&["modules", "remove", &digest[..8], "--by", "ann", "--reason", "a try"]);
    assert_eq!((&removed["digest"], &removed["removed_by"]), (&json!(digest), &json!("ann")), "{removed}");
    assert_eq!(home.json(&["modules", "list"])["modules"], json!([]));
    assert_eq!(home.json(&["modules", "removed"])["removed"], json!([removed]));
    let listed = home.run(["modules", "removed"]).succeeded().stdout;
    assert!(listed.contains("ann") && listed.contains("a try"), "{listed}");
    // A module that decides stays.
    let digest = upload(&home, "versions_v1");
    home.run(["modules", "activate", "versions", &digest]).succeeded();
    home.run(["modules", "remove", &digest]).failed(1, &["activate another module first"]);
}
