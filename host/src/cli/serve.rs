//! `ta-bot serve`: runs the service until a signal arrives, and tells the user where to look.

use std::{
    fmt,
    io::{self, IsTerminal as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Session, error::CliError};
use crate::environment::Environment;

pub(super) async fn serve(session: Session, simulate: Option<Duration>) -> Result<(), CliError> {
    let stop = CancellationToken::new();
    Signals::new()
        .map_err(|error| CliError::Start(format!("signals can't be received: {error}")))?
        .cancel_on_first(stop.clone());
    let app = session.open().await?;
    let output = session.output;
    let told = output.json || simulate.is_some() || io::stdout().is_terminal();
    let invite = |address| {
        let invitation = Invitation::new(address, simulate.is_some(), &session.environment);
        if told && let Err(error) = output.answer(&invitation) {
            tracing::warn!(%error, "the addresses of the service could not be printed");
        }
    };
    app.serve(simulate, stop, invite).await.map_err(CliError::of_app)
}

/// The signals that end the service.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next signal and returns its number.
    async fn next(&mut self) -> i32 {
        tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate().as_raw_value(),
            _ = self.interrupt.recv() => SignalKind::interrupt().as_raw_value(),
        }
    }

    /// The first signal ends the service in order, the second at once.
    fn cancel_on_first(mut self, stop: CancellationToken) {
        tokio::spawn(async move {
            let number = self.next().await;
            tracing::info!(signal = number, "stopping in order; a second signal stops at once");
            stop.cancel();
            let number = self.next().await;
            tracing::warn!(signal = number, "stopping at once");
            std::process::exit(128 + number);
        });
    }
}

/// Where to look and what to try.
#[derive(Debug, Serialize)]
struct Invitation {
    url: String,
    simulated: bool,
    /// How this program was called, so that the suggested command works in the same way.
    #[serde(skip)]
    program: String,
    #[serde(skip)]
    series: (String, String),
    #[serde(skip)]
    needs_token: bool,
}

impl Invitation {
    fn new(address: SocketAddr, simulated: bool, environment: &Environment) -> Self {
        let settings = &environment.settings;
        let symbol = settings.symbols.first().map_or("BTCUSDT", |symbol| symbol.as_str());
        let timeframe = settings.timeframes.iter().min().map_or("15m", |timeframe| timeframe.as_str());
        Self {
            url: format!("http://{}", reachable(address)),
            simulated,
            program: std::env::args().next().unwrap_or_else(|| "ta-bot".to_owned()),
            series: (symbol.to_owned(), timeframe.to_owned()),
            needs_token: environment.tokens_file.is_some(),
        }
    }
}

/// An address that can be called. One that stands for all addresses of this machine can be listened on, but not called.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

impl fmt::Display for Invitation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, simulated, program, series: (symbol, timeframe), needs_token } = self;
        let token = if *needs_token { " -H \"Authorization: Bearer $TOKEN\"" } else { "" };
        let json = format!("{token} -H 'Content-Type: application/json'");
        writeln!(f, "TA Bot listens on {url}")?;
        if *simulated {
            writeln!(f, "The market is SIMULATED: its candles are made up.")?;
        }
        writeln!(
            f,
            "\n  health   {url}/health\n  metrics  {url}/metrics\n  API      {url}/api/v1/openapi.json\n\nTry:"
        )?;
        writeln!(
            f,
            "  curl -s {url}/api/v1/test/analyze{json} -d '{{\"symbol\": \"{symbol}\", \"timeframe\": \"{timeframe}\"}}'"
        )?;
        writeln!(
            f,
            "  curl -s -X PATCH {url}/api/v1/strategies/rsi/config{json} -d '{{\"parameters\": {{\"period\": 10}}, \
             \"changed_by\": \"me\", \"reason\": \"a try\"}}'"
        )?;
        writeln!(f, "  {program} strategies list")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invitation(address: &str, variables: &[(&str, &str)]) -> Invitation {
        let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Invitation::new(address.parse().unwrap(), true, &Environment::read(get).unwrap())
    }

    #[test]
    fn points_to_an_address_that_can_be_called() {
        let text = invitation("0.0.0.0:8080", &[]).to_string();
        assert!(text.contains("http://127.0.0.1:8080/health") && text.contains("SIMULATED"), "{text}");
        assert!(!text.contains("Bearer"), "{text}");
        assert!(invitation("[::]:80", &[]).url.ends_with("[::1]:80"));
    }

    #[test]
    fn the_examples_fit_the_settings() {
        let set = [("SUPPORTED_SYMBOLS", "SOLUSDT"), ("SUPPORTED_TIMEFRAMES", "1h,5m"), ("API_TOKENS_FILE", "tokens")];
        let text = invitation("127.0.0.1:1", &set).to_string();
        assert!(text.contains("SOLUSDT") && text.contains("\"5m\"") && text.contains("Bearer $TOKEN"), "{text}");
    }
}
