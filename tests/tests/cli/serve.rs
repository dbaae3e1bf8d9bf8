use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};

use ta_bot_tests::binary;

use crate::run::{Done, Home};

/// A running service, which ends with the test.
pub(crate) struct Service {
    child: Child,
}

impl Service {
    pub(crate) fn start(home: &Home, arguments: &[&str]) -> Self {
        Self::of(home.command(), arguments)
    }

    /// Like [`Self::start`], with a command whose environment has more variables.
    pub(crate) fn of(mut command: Command, arguments: &[&str]) -> Self {
        command.arg("serve").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { child: command.spawn().unwrap() }
    }

    /// Stdout up to the line that ends with `last`.
    pub(crate) fn until(&mut self, last: &str) -> String {
        let mut text = String::new();
        let stdout = BufReader::new(self.child.stdout.as_mut().unwrap());
        for line in stdout.lines() {
            let line = line.unwrap();
            text += &line;
            text.push('\n');
            if line.ends_with(last) {
                return text;
            }
        }
        panic!("it ended after {text:?}");
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }

    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status.code(),
                None if Instant::now() > deadline => panic!("it is still running"),
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn log(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) async fn get(url: &str) -> reqwest::Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.get(url).send().await.unwrap()
}

#[tokio::test]
async fn a_simulated_market_says_where_to_look_and_ends_in_order() {
    let home = Home::new();
    let mut service = Service::start(&home, &["--simulate", "--simulate-every-ms", "50"]);
    let text = service.until("ta-bot strategies list");
    assert!(text.contains("SIMULATED") && text.matches("  curl ").count() == 2, "{text}");
    let url = text.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    assert!(get(&format!("{url}/healthz")).await.status().is_success());
    assert_eq!(get(&format!("{url}/health")).await.json::<Json>().await.unwrap()["service"], "ta-bot");
    // The market begins when the modules are ready.
    while get(&format!("{url}/api/v1/candles")).await.json::<Json>().await.unwrap()["data"][0].is_null() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    service.signal("-TERM");
    assert_eq!(service.exit_code(), Some(0));
    let log = service.log();
    assert!(log.lines().all(|line| serde_json::from_str::<Json>(line).is_ok()), "{log}");
    assert!(log.contains("SIMULATED") && log.contains("stopping in order"), "{log}");
}

#[test]
fn json_says_the_address_and_an_interrupt_ends_it() {
    let home = Home::new();
    let mut service = Service::start(&home, &["--json"]);
    let answer: Json = serde_json::from_str(&service.until("}")).unwrap();
    assert!(answer["url"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{answer}");
    assert_eq!(answer["simulated"], false);
    service.signal("-INT");
    assert_eq!(service.exit_code(), Some(0));
}

/// The key that operators use over the API is made by the service, and read by the user of its machine.
#[tokio::test]
async fn the_local_key_is_made_by_the_service_and_printed_by_the_command() {
    let home = Home::new();
    home.run(["local-key"]).failed(1, &["there is no key in", "makes it when it starts"]);
    let mut service = Service::start(&home, &["--json"]);
    let answer: Json = serde_json::from_str(&service.until("}")).unwrap();
    let key = home.json(&["local-key"]);
    let (key, file) = (key["key"].as_str().unwrap(), key["file"].as_str().unwrap());
    assert_eq!(fs::read_to_string(file).unwrap().trim(), key);
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    let url = format!("{}/api/v1/strategies/rsi/candidate", answer["url"].as_str().unwrap());
    let asked = async |key: &str| {
        let request = reqwest::Client::new().post(&url).bearer_auth(key).json(&json!({"module": "x"}));
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!((asked("0123").await, asked(key).await), (403, 422));
    service.signal("-TERM");
    assert_eq!(service.exit_code(), Some(0));
    let log = service.log();
    assert!(log.contains(file) && !log.contains(key), "{log}");
    assert_eq!(home.json(&["local-key"])["key"], key, "it stays");
}

/// Two services on one folder are told apart by a lock on the database itself.
#[test]
fn a_second_service_stays_off_the_folder_whatever_becomes_of_the_lock_file() {
    let home = Home::new();
    let mut first = Service::start(&home, &["--json"]);
    first.until("}");
    let refused = || home.run(["serve"]).failed(1, &["another ta-bot serves from DATA_DIR", "a folder of its own"]);
    refused();
    fs::remove_file(home.data_dir().join("serve.lock")).unwrap();
    refused();
    refused();
    // Commands use the folder beside the service.
    home.run(["candles", "list"]).succeeded();
    first.signal("-TERM");
    assert_eq!(first.exit_code(), Some(0));
    let mut next = Service::start(&home, &["--json"]);
    next.until("}");
}

/// What a service keeps is its user's alone, whatever the umask is and whatever an older version left.
#[test]
fn the_folder_and_its_files_are_for_their_owner_alone() {
    for (umask, made) in [("000", None), ("022", Some(0o755)), ("077", Some(0o777))] {
        let home = Home::new();
        if let Some(mode) = made {
            fs::create_dir(home.data_dir()).unwrap();
            fs::set_permissions(home.data_dir(), fs::Permissions::from_mode(mode)).unwrap();
            // SQLite takes an empty file for a new database.
            fs::write(home.data_dir().join("ta-bot.sqlite"), "").unwrap();
        }
        let mut command = Command::new("sh");
        home.environment(&mut command);
        command.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]).arg(binary::ta_bot());
        let mut service = Service::of(command, &["--json"]);
        service.until("}");
        let ready = home.data_dir().join("compiled");
        while !ready.read_dir().is_ok_and(|mut files| files.next().is_some()) {
            thread::sleep(Duration::from_millis(20));
        }
        service.signal("-TERM");
        assert_eq!(service.exit_code(), Some(0));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let mut folders = vec![home.data_dir()];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            assert_eq!(mode(&folder), 0o700, "umask {umask}: {}", folder.display());
            for entry in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else {
                    assert_eq!(mode(&entry), 0o600, "umask {umask}: {}", entry.display());
                    files += 1;
                }
            }
        }
        assert!(files >= 4, "{files} files");
    }
}

/// A folder that others need stays as it is.
#[test]
fn a_folder_with_files_of_others_is_not_closed() {
    let home = Home::new();
    fs::create_dir(home.data_dir()).unwrap();
    fs::write(home.data_dir().join("of-another-program"), "").unwrap();
    fs::set_permissions(home.data_dir(), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = home.command();
    let done = Done::of(command.env("LOG_LEVEL", "warn").args(["candles", "list"])).succeeded();
    assert!(done.stderr.contains("others may use DATA_DIR"), "{done:?}");
    assert_eq!(fs::metadata(home.data_dir()).unwrap().permissions().mode() & 0o777, 0o755);
    let database = home.data_dir().join("ta-bot.sqlite");
    assert_eq!(fs::metadata(database).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_address_in_use_and_a_wrong_token_file_are_said() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut command = home.command();
    let done = Done::of(command.env("HTTP_ADDR", &address).env("LOG_LEVEL", "off").arg("serve"));
    done.failed(1, &["HTTP_ADDR", &address]);
    let tokens = home.path().join("tokens");
    fs::write(&tokens, "admin:x\n").unwrap();
    let mut command = home.command();
    let done = Done::of(command.env("API_TOKENS_FILE", &tokens).env("LOG_LEVEL", "off").arg("serve"));
    done.failed(2, &["API_TOKENS_FILE", "line 1"]);
    // It holds, but others could change it.
    fs::write(&tokens, format!("viewer:{}\n", "0".repeat(64))).unwrap();
    fs::set_permissions(&tokens, fs::Permissions::from_mode(0o666)).unwrap();
    let mut command = home.command();
    let done = Done::of(command.env("API_TOKENS_FILE", &tokens).env("LOG_LEVEL", "off").arg("serve"));
    done.failed(2, &["API_TOKENS_FILE", "others may write the file", "chmod go-w"]);
    // On the network, with nobody who may call.
    let mut command = home.command();
    let done = Done::of(command.env("HTTP_ADDR", "0.0.0.0:0").env("LOG_LEVEL", "off").arg("serve"));
    done.failed(2, &["nobody could call the API", "API_TOKENS_FILE", "API_ANONYMOUS_ROLE"]);
    let listed = home.command().env("HTTP_ADDR", "0.0.0.0:0").args(["strategies", "list"]).status().unwrap();
    assert!(listed.success(), "commands serve nobody");
}
