//! A disk that is full, read-only or missing causes a clear error, never a panic.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value as Json;
use ta_bot_tests::{binary, built_in, operator, until};

use crate::{
    run::{Done, Home},
    serve::{Service, get},
};

/// Runs the binary with `DATA_DIR` on a file system of its own, mounted with `options`. Returns `None` if this user may
/// not mount.
fn on_tmpfs(home: &Home, options: &str, arguments: &[&str]) -> Option<Done> {
    let mut command = command_on_tmpfs(home, options)?;
    Some(Done::of(command.args(arguments)))
}

/// A command of the binary that runs like that.
fn command_on_tmpfs(home: &Home, options: &str) -> Option<Command> {
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
    command.args([flag, "sh", "-c", &script]).arg(binary::ta_bot());
    Some(command)
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

/// A service whose disk is looked at from outside, through its process.
struct OnSmallDisk {
    service: Service,
    data_dir: PathBuf,
    url: String,
}

const PATIENCE: Duration = Duration::from_mins(1);
const MIB: usize = 1 << 20;

impl OnSmallDisk {
    fn start(home: &Home) -> Option<Self> {
        let mut command = command_on_tmpfs(home, "size=128m")?;
        // Nobody reads the log, and a full pipe would stop the service.
        command.env("DISK_LOW_WATER_MB", "64").env("LOG_LEVEL", "off");
        let mut service = Service::of(command, &["--json", "--simulate", "--simulate-every-ms", "100"]);
        let answer: Json = serde_json::from_str(&service.until("}")).unwrap();
        let url = answer["url"].as_str().unwrap().to_owned();
        let data_dir = home.data_dir();
        let inside = data_dir.strip_prefix("/").unwrap();
        let data_dir = Path::new("/proc").join(service.id().to_string()).join("root").join(inside);
        Some(Self { service, data_dir, url })
    }

    async fn health(&self) -> Json {
        get(&format!("{}/health", self.url)).await.json().await.unwrap()
    }

    async fn is_able_to_commit(&self) -> bool {
        self.health().await["abilities"]["commit"]["ok"] == true
    }

    async fn finished(&self) -> f64 {
        let text = get(&format!("{}/metrics", self.url)).await.text().await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("ta_bot_jobs_total{outcome=\"finished\"} "));
        line.map_or(0.0, |count| count.parse().unwrap())
    }

    /// Waits until more candles are decided than now.
    async fn goes_on(&self) {
        let now = self.finished().await;
        until(PATIENCE, async || self.health().await.to_string(), async || self.finished().await > now).await;
    }

    async fn upload(&self) -> u16 {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{}/api/v1/modules", self.url)).header("Content-Type", "application/wasm");
        let request = request.bearer_auth(operator::key(&self.data_dir));
        let bytes = built_in::bytes("inside_bar_breakout").unwrap();
        request.body(bytes).send().await.unwrap().status().as_u16()
    }

    /// Writes until so many MiB are free; with none, until nothing fits any more.
    fn fill_up_to(&self, free: usize) {
        let mut ballast = OpenOptions::new().create(true).append(true).open(self.data_dir.join("ballast")).unwrap();
        let is_full = || {
            // `df` would look for the mount among those of this process, and it is in the service's namespace.
            let told = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(&self.data_dir).output().unwrap();
            let told = String::from_utf8(told.stdout).unwrap();
            let numbers: Vec<usize> = told.split_whitespace().map(|number| number.parse().unwrap()).collect();
            let left = numbers[0] * numbers[1] / MIB;
            free > 0 && left <= free
        };
        let piece = vec![b'x'; MIB / 4];
        while !is_full() && ballast.write_all(&piece).is_ok() {}
    }
}

/// What can wait stops first, and a commit only when there is no room at all. Both go on by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_keeps_its_last_room_for_commits_and_heals() {
    let home = Home::new();
    let Some(small) = OnSmallDisk::start(&home) else {
        println!("not tried: this user may not mount");
        return;
    };
    let told = async || small.health().await.to_string();
    let is_low = async || small.health().await["disk"]["low"] == true;
    until(PATIENCE, told, async || small.is_able_to_commit().await && small.finished().await > 0.0).await;
    assert!(!is_low().await, "{}", told().await);

    // The market goes on meanwhile, and writes some megabytes.
    small.fill_up_to(48);
    assert_eq!(small.upload().await, 507);
    until(PATIENCE, told, is_low).await;
    assert!(small.is_able_to_commit().await, "{}", told().await);
    small.goes_on().await;

    small.fill_up_to(0);
    // A small commit may still find room after a larger one has failed, so what is seen is looked at as a whole.
    let mut health = Json::Null;
    until(PATIENCE, told, async || {
        health = small.health().await;
        health["abilities"]["commit"]["ok"] == false
    })
    .await;
    assert_eq!(health["status"], "unhealthy", "{health}");
    assert!(health["abilities"]["commit"].to_string().contains("space"), "{health}");

    fs::remove_file(small.data_dir.join("ballast")).unwrap();
    until(PATIENCE, told, async || small.is_able_to_commit().await && !is_low().await).await;
    small.goes_on().await;
    assert_eq!(small.upload().await, 202);
    small.service.signal("-TERM");
}
