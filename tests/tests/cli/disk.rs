//! A disk that is full, read-only or missing causes a clear error, never a panic.

use std::{fmt::Write as _, fs, path::Path, process::Command};

use ta_bot_tests::binary;

use crate::run::{Done, Home};

/// Runs the binary with `DATA_DIR` on a file system of its own, mounted with `options`. Returns `None` if this user may
/// not mount.
fn on_tmpfs(home: &Home, options: &str, arguments: &[&str]) -> Option<Done> {
    let may = |flag: &str| {
        let tried = Command::new("unshare").args([flag, "sh", "-c", "mount -t tmpfs none /mnt"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let flag = ["-m", "-rm"].into_iter().find(|flag| may(flag))?;
    let data_dir = home.data_dir();
    fs::create_dir_all(&data_dir).unwrap();
    let script = format!("mount -t tmpfs -o {options} none \"$DATA_DIR\" && exec \"$0\" \"$@\"");
    let mut command = Command::new("unshare");
    home.environment(&mut command);
    command.args([flag, "sh", "-c", &script]).arg(binary::ta_bot()).args(arguments);
    Some(Done::of(&mut command))
}

/// More candles than a small disk holds.
fn large_file(path: &Path) {
    let mut text = "open_time_ms,open,high,low,close,volume\n".to_owned();
    for index in 0..20_000_i64 {
        writeln!(text, "{},1.5,2.5,1.25,2.25,1000.125", 1_700_000_100_000 + index * 300_000).unwrap();
    }
    fs::write(path, text).unwrap();
}

#[test]
fn a_read_only_disk_is_said() {
    let home = Home::new();
    match on_tmpfs(&home, "ro", &["candles", "list"]) {
        Some(done) => done.failed(1, &["can't write", "DATA_DIR"]),
        None => println!("not tried: this user may not mount"),
    }
}

#[test]
fn a_full_disk_is_said_at_the_start_and_in_an_import() {
    let home = Home::new();
    let file = home.path().join("large.csv");
    large_file(&file);
    let import = ["candles", "import", file.to_str().unwrap(), "--symbol", "BTCUSDT", "--timeframe", "5m"];
    for size in ["size=16k", "size=700k"] {
        match on_tmpfs(&home, size, &import) {
            Some(done) => done.failed(1, &["can't write", "DATA_DIR", "space"]),
            None => println!("not tried: this user may not mount"),
        }
    }
    home.run(import).succeeded();
}

#[test]
fn a_folder_that_can_not_be_made_is_said() {
    let home = Home::new();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    for data_dir in [file.clone(), file.join("data")] {
        let list = ["candles", "list", "--data-dir", data_dir.to_str().unwrap()];
        home.run(list).failed(1, &["DATA_DIR", "set DATA_DIR to a directory"]);
        assert_eq!(home.json(&list)["error"]["code"], "store");
    }
    // The service reports it in the same way.
    home.run(["serve", "--data-dir", file.to_str().unwrap()]).failed(1, &["DATA_DIR"]);
}
