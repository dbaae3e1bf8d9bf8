use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value as Json;

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

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }

    fn exit_code(&mut self) -> Option<i32> {
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

#[test]
fn an_address_in_use_and_a_wrong_token_file_are_said() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut command = home.command();
    let done = Done::of(command.env("HTTP_ADDR", &address).env("LOG_LEVEL", "off"));
    done.failed(1, &["HTTP_ADDR", &address]);
    let tokens = home.path().join("tokens");
    fs::write(&tokens, "admin:x\n").unwrap();
    let mut command = home.command();
    let done = Done::of(command.env("API_TOKENS_FILE", &tokens).env("LOG_LEVEL", "off"));
    done.failed(2, &["API_TOKENS_FILE", "line 1"]);
    // On the network, with nobody who may call.
    let mut command = home.command();
    let done = Done::of(command.env("HTTP_ADDR", "0.0.0.0:0").env("LOG_LEVEL", "off"));
    done.failed(2, &["nobody could call the API", "API_TOKENS_FILE", "API_ANONYMOUS_ROLE"]);
    let listed = home.command().env("HTTP_ADDR", "0.0.0.0:0").args(["strategies", "list"]).status().unwrap();
    assert!(listed.success(), "commands serve nobody");
}
