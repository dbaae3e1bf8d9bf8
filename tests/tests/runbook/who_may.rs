//! Who may do what: from where a request comes × what it asks for × with which secret, on services that listen on this
//! machine only or on the network. The table in `docs/security.md` is what this test sees.
//!
//! The requests of pages are sent by curl, with the headers that a current Chromium sends: a page can't choose `Host`,
//! `Origin` and `Sec-Fetch-*`. A page under a name that was made to mean this machine is of the same origin for the
//! browser. What a browser does not even send, because a preflight fails, is sent here all the same.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    process::{self, Output},
    sync::LazyLock,
};

use ta_bot_test_servers::Nginx;
use ta_bot_tests::{operator, root};
use tokio::process::Command;

use crate::service::{Service, Setup};

const TOKEN: &str = "the-operator-s-token";
const TOKENS: &str = "operator:9827a5b28ff87948f957e95420113ce081a2da47a6d148bed6b2ac5b3827ffed\n";
/// A name of the service, which it knows.
const NAME: &str = "bot.example.com";
/// A page's own name.
const EVIL: &str = "evil.example";

/// This machine and another one, which is a network namespace, and the cable between them. The addresses are for
/// documentation, so nothing else has them; those of each process are its own.
static HERE: LazyLock<String> = LazyLock::new(|| format!("192.0.2.{}", process::id() % 60 * 4 + 1));
static THERE: LazyLock<String> = LazyLock::new(|| format!("192.0.2.{}", process::id() % 60 * 4 + 2));
static SPACE: LazyLock<String> = LazyLock::new(|| format!("ta-bot-{}", process::id()));

/// What is asked for: its word, method, path and body.
const ACTIONS: [(&str, &str, &str, &str); 4] = [
    ("read", "GET", "/api/v1/strategies/rsi/config", ""),
    ("configure", "PUT", "/api/v1/strategies/rsi/config", r#"{"period": 20}"#),
    ("upload", "POST", "/api/v1/modules", "no module"),
    ("deploy", "POST", "/api/v1/strategies/rsi/deployment", r#"{"action": "disable", "validate_only": true}"#),
];

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    ThisMachine,
    AnotherAddress,
    AnotherMachine,
    AnotherMachineByName,
    AnotherMachineAsLocalhost,
    PlainProxy,
    ProxyWithHeaders,
    RebindingPage,
    CrossSitePage,
}

use Origin as O;

const ORIGINS: [(Origin, &str); 9] = [
    (O::ThisMachine, "this machine, to a loopback address"),
    (O::AnotherAddress, "this machine, to another of its addresses"),
    (O::AnotherMachine, "another machine (a network namespace)"),
    (O::AnotherMachineByName, "another machine, under a name of `HTTP_ALLOWED_HOSTS`"),
    (O::AnotherMachineAsLocalhost, "another machine, by a program that writes `Host: localhost`"),
    (O::PlainProxy, "anywhere, through an nginx on this machine with nothing but `proxy_pass`"),
    (O::ProxyWithHeaders, "anywhere, through an nginx that passes on `Host` (a name that is not listed)"),
    (O::RebindingPage, "a page under a name that was made to mean this machine"),
    (O::CrossSitePage, "a page of another site"),
];

impl Origin {
    /// The page's own origin; `None` if it is no page that asks.
    fn page(self, port: u16) -> Option<String> {
        match self {
            O::RebindingPage => Some(format!("http://{EVIL}:{port}")),
            O::CrossSitePage => Some(format!("https://{EVIL}")),
            _ => None,
        }
    }

    const fn needs_network(self) -> bool {
        matches!(self, O::AnotherAddress | O::AnotherMachine | O::AnotherMachineByName | O::AnotherMachineAsLocalhost)
    }
}

/// A service, the proxies before it, and the secret that its callers have.
struct Column<'a> {
    head: &'static str,
    side: &'a Side,
    secret: Option<String>,
}

struct Side {
    service: Service,
    port: u16,
    plain: Nginx,
    with_headers: Nginx,
}

impl Side {
    async fn start(setup: Setup) -> Self {
        let service = setup.with("HTTP_ALLOWED_HOSTS", NAME).start().await;
        let port = service.address.parse::<SocketAddr>().unwrap().port();
        let upstream = SocketAddr::from(([127, 0, 0, 1], port));
        let (plain, with_headers) =
            tokio::try_join!(Nginx::start(upstream), Nginx::start_with_headers(upstream)).unwrap();
        Self { service, port, plain, with_headers }
    }

    /// What curl is told to reach the service from there.
    fn way(&self, from: Origin) -> (SocketAddr, Vec<String>) {
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let network = || format!("{}:{}", *HERE, self.port).parse().unwrap();
        let headers = |headers: &[&str]| headers.iter().map(|header| (*header).to_owned()).collect::<Vec<_>>();
        let port = self.port;
        match from {
            O::ThisMachine => (local(port), Vec::new()),
            O::AnotherAddress | O::AnotherMachine => (network(), Vec::new()),
            O::AnotherMachineByName => (network(), headers(&[&format!("Host: {NAME}:{port}")])),
            O::AnotherMachineAsLocalhost => (network(), headers(&["Host: localhost"])),
            O::PlainProxy => (self.plain.address(), headers(&["Host: public.example"])),
            O::ProxyWithHeaders => (self.with_headers.address(), headers(&["Host: public.example"])),
            // Chromium sends Sec-Fetch-* only where the address is one that it trusts, which a plain name is not.
            O::RebindingPage => (local(port), headers(&[&format!("Host: {EVIL}:{port}")])),
            O::CrossSitePage => {
                let fetch = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: empty"];
                (local(port), headers(&fetch))
            }
        }
    }

    /// The status of a request; `None` if the service can't be reached from there.
    async fn ask(&self, from: Origin, secret: Option<&str>, action: (&str, &str, &str, &str)) -> Option<u16> {
        let (_, method, path, body) = action;
        let (address, mut headers) = self.way(from);
        headers.extend(secret.map(|secret| format!("Authorization: Bearer {secret}")));
        // A browser names the page's origin with all requests that may change something.
        headers.extend(from.page(self.port).filter(|_| method != "GET").map(|page| format!("Origin: {page}")));
        let kind = if path.ends_with("modules") { "application/wasm" } else { "application/json" };
        headers.push(format!("Content-Type: {kind}"));
        let mut command = match from {
            O::AnotherMachine | O::AnotherMachineByName | O::AnotherMachineAsLocalhost => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", SPACE.as_str(), "curl"]);
                command
            }
            _ => Command::new("curl"),
        };
        command.args(["--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"]);
        command.args(["--noproxy", "*", "--request", method]);
        for header in &headers {
            command.args(["--header", header]);
        }
        if !body.is_empty() {
            command.args(["--data-binary", body]);
        }
        let Output { stdout, .. } = command.arg(format!("http://{address}{path}")).output().await.unwrap();
        let status = String::from_utf8(stdout).unwrap().parse().unwrap();
        (status != 0).then_some(status)
    }
}

impl Column<'_> {
    /// What is allowed from there, in words.
    async fn cell(&self, from: Origin) -> String {
        if from.page(self.side.port).is_some() && self.secret.is_some() {
            return "a page has none".to_owned();
        }
        let mut allowed = Vec::new();
        for action in ACTIONS {
            match self.side.ask(from, self.secret.as_deref(), action).await {
                None => return "not reachable".to_owned(),
                Some(401 | 403) => {}
                // Bytes that are no module are looked at only if they may be sent.
                Some(200 | 422) => allowed.push(action.0),
                Some(other) => panic!("{} from {from:?} is answered with {other}", action.0),
            }
        }
        match allowed.len() {
            0 => "nothing".to_owned(),
            4 => "everything".to_owned(),
            _ => allowed.join(", "),
        }
    }
}

/// A network namespace with a cable to this one, which is removed when it is dropped.
struct OtherMachine;

impl OtherMachine {
    /// `None` if this user may not make one.
    async fn make() -> Option<Self> {
        if !run("ip", &["netns", "add", SPACE.as_str()]).await {
            return None;
        }
        let (other, id) = (Self, process::id());
        let (here, there) = (format!("ta-h{id}"), format!("ta-t{id}"));
        let (address_here, address_there) = (format!("{}/30", *HERE), format!("{}/30", *THERE));
        let steps: [&[&str]; 6] = [
            &["link", "add", &here, "type", "veth", "peer", "name", &there, "netns", SPACE.as_str()],
            &["addr", "add", &address_here, "dev", &here],
            &["link", "set", &here, "up"],
            &["-n", SPACE.as_str(), "addr", "add", &address_there, "dev", &there],
            &["-n", SPACE.as_str(), "link", "set", &there, "up"],
            &["-n", SPACE.as_str(), "link", "set", "lo", "up"],
        ];
        for step in steps {
            if !run("ip", step).await {
                return None;
            }
        }
        Some(other)
    }
}

impl Drop for OtherMachine {
    fn drop(&mut self) {
        std::process::Command::new("ip").args(["netns", "del", SPACE.as_str()]).status().ok();
    }
}

async fn run(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().await.is_ok_and(|done| done.status.success())
}

/// The part of the page that this test is compared with.
static PAGE: LazyLock<String> =
    LazyLock::new(|| std::fs::read_to_string(root().join("docs/security.md")).unwrap_or_default());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_in_the_docs_is_what_is_seen() {
    let other_machine = OtherMachine::make().await;
    let local = Side::start(Setup::new()).await;
    let network = Setup::new().with("HTTP_ADDR", "0.0.0.0:0");
    let open = Side::start(network.with("API_ANONYMOUS_ROLE", "trader")).await;
    let network = Setup::new().with("HTTP_ADDR", "0.0.0.0:0");
    let guarded = Side::start(network.with_file("API_TOKENS_FILE", TOKENS)).await;
    let key = |side: &Side| Some(operator::key(&side.service.folder.path().join("data")));
    let columns = [
        Column { head: "loopback, no tokens", side: &local, secret: None },
        Column { head: "the same, with the key in `DATA_DIR`", side: &local, secret: key(&local) },
        Column { head: "network, no tokens, `API_ANONYMOUS_ROLE=trader`", side: &open, secret: None },
        Column { head: "the same, with the key in `DATA_DIR`", side: &open, secret: key(&open) },
        Column { head: "tokens, without one", side: &guarded, secret: None },
        Column { head: "tokens, with an operator's", side: &guarded, secret: Some(TOKEN.to_owned()) },
    ];
    let mut table = String::from("| from |");
    for column in &columns {
        write!(table, " {} |", column.head).unwrap();
    }
    writeln!(table, "\n|---|{}", "---|".repeat(columns.len())).unwrap();
    for (from, words) in ORIGINS {
        let mut row = format!("| {words} |");
        if from.needs_network() && other_machine.is_none() {
            eprintln!("not tried, since a network namespace can't be made here: {words}");
            let known = PAGE.lines().find(|line| line.starts_with(&row));
            row = known.unwrap_or_else(|| panic!("docs/security.md has no row {row}")).to_owned();
        } else {
            for column in &columns {
                write!(row, " {} |", column.cell(from).await).unwrap();
            }
        }
        writeln!(table, "{row}").unwrap();
    }
    for side in [local, open, guarded] {
        side.service.end().await;
    }
    assert!(PAGE.contains(&table), "docs/security.md has another table than this:\n{table}");
}
