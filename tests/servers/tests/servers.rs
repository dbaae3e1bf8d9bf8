//! Each server answers, dies, comes back with its data, hangs on request, and leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

mod support;

use std::{fs, path::Path, time::Duration};

use support::{curl, is_gone, is_refused, nats_request, python};
use ta_bot_test_servers::{
    Alertmanager, KubeApi, MariaDb, Mode, Mongo, Nats, Prometheus, PrometheusSetup, Proxy, promtool,
};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn mariadb_keeps_its_rows_through_a_kill() {
    let (mut server, other) = tokio::try_join!(MariaDb::start(), MariaDb::start()).unwrap();
    assert_ne!(server.address(), other.address());
    let uri = server.create_database("signals").await.unwrap();
    assert_eq!(uri, format!("mysql://root@{}/signals", server.address()));
    assert!(server.create_database("signals").await.is_err(), "the name is taken");
    assert!(server.create_database("a`b").await.is_err());
    server.sql("CREATE TABLE signals.s (id INT PRIMARY KEY); INSERT INTO signals.s VALUES (7)").await.unwrap();

    server.kill().unwrap();
    assert!(is_refused(server.address()).await);
    server.restart().await.unwrap();
    assert_eq!(server.uri("signals"), uri);
    assert_eq!(server.sql("SELECT id FROM signals.s").await.unwrap(), "7\n");
    assert!(other.sql("SELECT id FROM signals.s").await.is_err(), "the other server has its own data");

    server.pause().unwrap();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    assert!(timeout(SHORT, stream.read_u8()).await.is_err());
    server.resume().unwrap();
    timeout(Duration::from_secs(5), stream.read_u8()).await.unwrap().unwrap();

    let pid = server.pid().unwrap();
    drop(server);
    assert!(is_gone(pid));
}

#[tokio::test]
async fn nats_keeps_its_streams_through_a_kill() {
    let (mut server, other) = tokio::try_join!(Nats::start(), Nats::start()).unwrap();
    assert_ne!(server.address(), other.address());
    let info = "$JS.API.STREAM.INFO.signals";
    let create = r#"{"name":"signals","subjects":["signals"],"storage":"file"}"#;
    nats_request(server.address(), "$JS.API.STREAM.CREATE.signals", create).await;
    let stored = nats_request(server.address(), "signals", "buy").await;
    assert!(stored.contains(r#""seq":1"#), "{stored}");

    server.kill().unwrap();
    assert!(is_refused(server.address()).await);
    server.restart().await.unwrap();
    let kept = nats_request(server.address(), info, "").await;
    assert!(kept.contains(r#""messages":1"#), "{kept}");
    let absent = nats_request(other.address(), info, "").await;
    assert!(absent.contains("stream not found"), "{absent}");

    server.pause().unwrap();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    assert!(timeout(SHORT, stream.read_u8()).await.is_err());
    let pid = server.pid().unwrap();
    // A stopped process ends with its guard, too.
    drop(server);
    assert!(is_gone(pid));
}

#[tokio::test]
async fn mongo_keeps_journaled_writes_through_a_kill() {
    let (mut server, other) = tokio::try_join!(Mongo::start(), Mongo::start_with_fail_points()).unwrap();
    assert_ne!(server.address(), other.address());
    let count = "print(client.t.signals.count_documents({}))";
    let insert = "client.t.get_collection('signals', write_concern=WriteConcern(j=True)).insert_one({'_id': 7})";
    python(&server.uri(), insert).await.unwrap();

    server.kill().unwrap();
    assert!(is_refused(server.address()).await);
    server.restart().await.unwrap();
    assert_eq!(python(&server.uri(), count).await.unwrap(), "1\n");
    assert_eq!(python(&other.uri(), count).await.unwrap(), "0\n");

    let fail = "client.admin.command('configureFailPoint', 'failCommand', mode={'times': 1}, \
                data={'failCommands': ['insert'], 'errorCode': 11601})";
    assert!(python(&server.uri(), fail).await.is_err(), "fail points are off");
    python(&other.uri(), fail).await.unwrap();
    assert!(python(&other.uri(), insert).await.unwrap_err().contains("11601"));

    let pid = server.pid().unwrap();
    server.pause().unwrap();
    server.resume().unwrap();
    drop(server);
    assert!(is_gone(pid));
}

#[tokio::test]
async fn the_kubernetes_api_keeps_its_objects_through_a_kill() {
    let mut server = KubeApi::start().await.unwrap();
    let namespaces = format!("{}/api/v1/namespaces", server.url());
    let (admin, alice) = (server.token(KubeApi::ADMIN).unwrap(), server.token(KubeApi::ALICE).unwrap());
    assert!(server.token("nobody").is_err());
    let ca = server.ca_path().to_owned();
    assert_eq!(fs::read_to_string(&ca).unwrap(), server.ca());
    let body = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"mine"}}"#;
    let made = curl(&ca, admin, &namespaces, Some(body)).await;
    assert!(made.contains(r#""uid""#), "{made}");
    let denied = curl(&ca, alice, &namespaces, None).await;
    assert!(denied.contains("Forbidden"), "{denied}");
    let unknown = curl(&ca, "no-token", &namespaces, None).await;
    assert!(unknown.contains("Unauthorized"), "{unknown}");
    // The key of service accounts works: Kubernetes signs a token and recognises it afterwards.
    let accounts = format!("{namespaces}/mine/serviceaccounts");
    let account = r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"a"}}"#;
    curl(&ca, admin, &accounts, Some(account)).await;
    let request = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}"#;
    let answer = curl(&ca, admin, &format!("{accounts}/a/token"), Some(request)).await;
    let token = answer.split('"').skip_while(|part| *part != "token").nth(2).unwrap_or(&answer);
    let denied = curl(&ca, token, &namespaces, None).await;
    assert!(denied.contains("system:serviceaccount:mine:a"), "{denied} {answer}");

    server.kill().unwrap();
    assert!(is_refused(server.address()).await);
    server.restart().await.unwrap();
    let kept = curl(&ca, admin, &format!("{namespaces}/mine"), None).await;
    assert!(kept.contains(r#""name": "mine""#), "{kept}");

    let config = server.kubeconfig(KubeApi::ALICE).unwrap();
    assert!(config.contains(&server.url()) && config.contains(alice) && config.contains(ca.to_str().unwrap()));
    let pid = server.pid().unwrap();
    drop(server);
    assert!(is_gone(pid) && !Path::new(&ca).exists());
}

#[tokio::test]
async fn a_proxy_stands_before_a_server() {
    let server = Nats::start().await.unwrap();
    let proxy = Proxy::start(server.address()).unwrap();
    assert_eq!(server.url_at(proxy.address()), format!("nats://{}", proxy.address()));
    let answer = nats_request(proxy.address(), "$JS.API.INFO", "").await;
    assert!(answer.contains("account_info_response"), "{answer}");
    proxy.set(Mode::Refuse).await.unwrap();
    assert!(is_refused(proxy.address()).await);
}

/// Tests share a server in a static; the thread of the test that started it ends first.
#[tokio::test]
async fn a_server_outlives_the_runtime_and_the_thread_that_started_it() {
    let start = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Nats::start()).unwrap()
    };
    let server = std::thread::spawn(start).join().unwrap();
    tokio::time::sleep(SHORT).await;
    let answer = nats_request(server.address(), "$JS.API.INFO", "").await;
    assert!(answer.contains("account_info_response"), "{answer}");
}

#[tokio::test]
async fn a_server_ends_with_a_killed_test_process() {
    let (mut test, pid, address) = support::test_process("holds_a_server").await;
    assert!(!is_gone(pid));
    test.kill().await.unwrap();
    let ended = async {
        // The server's threads close their sockets a moment later.
        while !is_gone(pid) || !is_refused(address).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(5), ended).await.unwrap();

    // The next process that starts a server removes the folder.
    let (mut next, ..) = support::test_process("holds_a_server").await;
    let dead = format!("ta-bot-test-{}-", test.id);
    let left = fs::read_dir(std::env::temp_dir()).unwrap().flatten();
    assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with(&dead)));
    next.kill().await.unwrap();
}

#[tokio::test]
#[ignore = "the process that another test kills"]
async fn holds_a_server() {
    let server = Nats::start().await.unwrap();
    println!("\nserver {} {}", server.pid().unwrap(), server.address());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn prometheus_tells_the_alertmanager_that_tells_a_webhook() {
    let webhook = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let alerts = Alertmanager::start(&format!("http://{}/", webhook.local_addr().unwrap())).await.unwrap();
    let rules = r#"groups: [{name: test, rules: [{alert: Away, expr: 'up{pod="none"} == 0'}]}]"#;
    let nowhere = Proxy::start(alerts.address()).unwrap();
    let unscraped = nowhere.address();
    drop(nowhere);
    let setup = PrometheusSetup {
        job: "test".to_owned(),
        targets: vec![("some".to_owned(), alerts.address()), ("none".to_owned(), unscraped)],
        rules: rules.to_owned(),
        alertmanager: Some(alerts.address()),
    };
    let mut server = Prometheus::start(&setup).await.unwrap();

    let (mut stream, _) = timeout(Duration::from_mins(1), webhook.accept()).await.unwrap().unwrap();
    let mut bytes = vec![0; 4096];
    let length = timeout(Duration::from_secs(5), stream.read(&mut bytes)).await.unwrap().unwrap();
    let request = String::from_utf8_lossy(&bytes[..length]).into_owned();
    assert!(request.starts_with("POST / HTTP/1.1"), "{request}");
    let up = server.query(r#"up{pod="some",job="test"}"#).await.unwrap();
    assert!(up.contains(r#""pod":"some""#) && up.contains(r#","1"]"#), "{up}");
    let message = server.query("up +").await.unwrap_err().to_string();
    assert!(message.contains("parse error"), "{message}");

    server.restart().await.unwrap();
    let pids = [server.pid().unwrap(), alerts.pid().unwrap()];
    drop((server, alerts));
    assert!(pids.into_iter().all(is_gone));
}

#[tokio::test]
async fn promtool_says_what_it_finds() {
    let sound = "# HELP a_total What.\n# TYPE a_total counter\na_total 1\n";
    assert_eq!(promtool(&["check", "metrics"], sound).await.unwrap(), "");
    let message = promtool(&["check", "metrics"], "a_total 1\n").await.unwrap_err().to_string();
    assert!(message.contains("no help text"), "{message}");
}
