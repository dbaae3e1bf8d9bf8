//! What is wrong with a running service, and what is none.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener},
    thread,
    time::Duration,
};

use ta_bot_tests::until;

use super::{Told, at_once, command_of, sound_home};
use crate::{
    run::Home,
    serve::{Service, get},
};

fn told(home: &Home, url: &str) -> Told {
    Told::beside_the_machine(command_of(home).env("TA_BOT_URL", url))
}

/// Answers every connection with these bytes, and closes it.
fn answering(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // Some clients wait for the server to speak first.
            stream.set_read_timeout(Some(Duration::from_millis(300))).ok();
            let mut request = [0; 1024];
            if !matches!(stream.read(&mut request), Ok(0)) {
                stream.write_all(bytes).ok();
            }
            stream.shutdown(Shutdown::Write).ok();
            // What else comes is taken in, so that the end of the connection is no reset.
            std::io::copy(&mut stream, &mut std::io::sink()).ok();
        }
    });
    url
}

#[test]
fn nobody_and_strangers() {
    let home = sound_home();
    let no_service = [("service", "answer", "wrong", "start the service")];
    // It accepts, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut urls = vec!["http://127.0.0.1:1".to_owned(), format!("http://{}", silent.local_addr().unwrap())];
    urls.extend([
        answering(b"\x00\xff garbage without end"),
        answering(b""),
        answering(b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"ok\": \"yes\"}"),
        answering(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n{\"service\": \"ta-bot\""),
        answering(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
    ]);
    at_once(&urls, |url| told(&home, url).finds(&no_service));
}

/// Every server at once says what none of them says, or nothing at all. Each is one wrong line, and nothing is shown of
/// the passwords that were sent there.
#[test]
fn servers_that_talk_nonsense_or_say_nothing() {
    let home = sound_home();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let nonsense = answering(b"\x1b[2J\x00\x00\xff S3cretPw is what you sent\r\n\r\n");
    let addresses = [nonsense.trim_start_matches("http://").to_owned(), silent.local_addr().unwrap().to_string()];
    at_once(&addresses, |address| {
        let kubeconfig = home.path().join(format!("kubeconfig-{}", address.replace(':', "-")));
        let cluster = format!(
            "{{apiVersion: v1, kind: Config, current-context: test, clusters: [{{name: test, cluster: {{server: \
             \"http://{address}\"}}}}], users: [{{name: test, user: {{token: S3cretPw}}}}], contexts: [{{name: test, \
             context: {{cluster: test, user: test}}}}]}}"
        );
        std::fs::write(&kubeconfig, cluster).unwrap();
        let mut command = command_of(&home);
        command
            .env("MYSQL_URI", format!("mysql://u:S3cretPw@{address}/market"))
            .env("MONGODB_URI", format!("mongodb://u:S3cretPw@{address}/?directConnection=true"))
            .env("NATS_URL", format!("nats://u:S3cretPw@{address}"))
            .env("LEADER_ELECTION_ENABLED", "true")
            .env("KUBECONFIG", &kubeconfig);
        Told::beside_the_machine(&mut command).finds(&[
            ("mysql", "answer", "wrong", "start MySQL"),
            ("mongodb", "answer", "wrong", "start MongoDB"),
            ("nats", "answer", "wrong", "start NATS"),
            ("lease", "answer", "wrong", "KUBECONFIG"),
        ]);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_ready_and_one_of_another_version() {
    let home = sound_home();
    let modules = home.path().join("modules");
    std::fs::create_dir(&modules).unwrap();
    std::fs::write(modules.join("broken.wasm"), b"no module").unwrap();
    let mut command = command_of(&home);
    command.env("STRATEGIES_DIR", &modules);
    let mut service = Service::of(command, &["--json"]);
    let said: serde_json::Value = serde_json::from_str(&service.until("}")).unwrap();
    let url = said["url"].as_str().unwrap().to_owned();
    let health = async || get(&format!("{url}/health")).await.json::<serde_json::Value>().await.unwrap();
    let known = async || {
        let health = health().await;
        let abilities = health["abilities"].as_object().unwrap();
        health["modules"]["status"] == "incomplete" && abilities.values().all(|ability| ability["ok"] == true)
    };
    until(Duration::from_mins(1), async || format!("{:#}", health().await), known).await;
    told(&home, &url).finds(&[
        ("service", "modules", "wrong", "modules check"),
        ("service", "ready", "wrong", "mend what it names"),
    ]);
    service.signal("-TERM");
    assert_eq!(service.exit_code(), Some(0));

    let other = br#"{"service":"ta-bot","status":"healthy","version":"0.1.0"}"#;
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", other.len()).into_bytes();
    answer.extend_from_slice(other);
    let told = told(&home, &answering(answer.leak()));
    told.finds(&[
        ("service", "version", "warning", "finish the upgrade"),
        ("service", "metrics", "wrong", "ask the service itself"),
    ]);
}
