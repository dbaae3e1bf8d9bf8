//! Reports of outcomes that are made by hand.

use ta_bot_core::{Action, Candle, Series, Timestamp};

use super::*;
use crate::{
    money::{Assumptions, Instrument, Simulation, TradeSignal},
    statistics::Statistics,
};

fn simulate(count: i64) -> (Outcome, Bars) {
    let series: Series = "BTCUSDT 1h".parse().unwrap();
    let mut simulation = Simulation::new(Assumptions::default(), vec![Instrument::any(series.symbol.clone())]).unwrap();
    let mut bars = Bars::new(series.clone());
    let price = |index: i64| ((100.0 + (index as f64 / 9.0).sin() * 5.0) * 100.0).round() / 100.0;
    for index in 0..count {
        let (open, close) = (price(index), price(index + 1));
        let open_time = Timestamp::from_millis(index * 3_600_000);
        let candle = Candle { open_time, open, high: open.max(close), low: open.min(close), close, volume: 1.0 };
        simulation.candle(&series, &candle).unwrap();
        bars.push(&candle);
        if index % 10 == 3 {
            let action = [Action::Buy, Action::Hold, Action::Sell][usize::try_from(index / 10 % 3).unwrap()];
            let candle_close = series.timeframe.close_of(open_time);
            let (series, strategy) = (series.clone(), "waves".parse().unwrap());
            let signal = TradeSignal {
                series,
                candle_close,
                action,
                price: close,
                stop_loss: None,
                take_profit: None,
                confidence: 1.0,
                strategy,
                hold_candles: None,
            };
            simulation.signal(signal).unwrap();
        }
    }
    (simulation.finish().unwrap(), bars)
}

/// The page and the summary.
fn reported(count: i64, certificate: Option<Certificate>) -> (String, String) {
    let (outcome, bars) = simulate(count);
    let statistics = Statistics::new(&outcome, &outcome.trades, 1);
    let facts = [("Parameters".to_owned(), "<period> & \"7\"".to_owned())];
    let report = Report {
        title: "waves on BTCUSDT <1h>",
        facts: &facts,
        outcome: &outcome,
        trades: &outcome.trades,
        statistics: &statistics,
        random_entries: None,
        certificate,
        candles: &[bars],
    };
    (report.html(), report.summary())
}

#[test]
fn the_page_is_whole_and_the_same_bytes_again() {
    let (page, _) = reported(500, None);
    assert_eq!(page, reported(500, None).0);
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    for said in [
        "<h1>waves on BTCUSDT &lt;1h&gt;</h1>",
        "<td class=\"wide\">&lt;period&gt; &amp; &quot;7&quot;</td>",
        "Copyright (c) 2026 TradingView, Inc. <a href=\"https://www.tradingview.com/\">",
        "the stop was first",
        "It was not compared with live evaluations.",
        "Sharpe ratio a year",
        "asked for nothing",
    ] {
        assert!(page.contains(said), "{said}");
    }
    for one in ["<main>", "</main>", "<footer>", "<h1>", "id=\"data\""] {
        assert_eq!(page.matches(one).count(), 1, "{one}");
    }
    for tag in ["section", "figure", "table", "details", "tr", "td"] {
        let (opened, closed) = (format!("<{tag}"), format!("</{tag}>"));
        let opened = [" ", ">"].map(|end| page.matches(&format!("{opened}{end}")).count()).iter().sum::<usize>();
        assert_eq!(opened, page.matches(&closed).count(), "{tag}");
    }
}

#[test]
fn a_certificate_says_how_many_were_equal() {
    let said = |replayed, equal| reported(100, Some(Certificate { replayed, equal })).1;
    assert!(said(1_200, 1_200).contains("1,200 were made again, and all were equal to the byte"));
    assert!(said(1_200, 1_197).contains("1,200 were made again, and 3 were not equal"));
    assert!(said(0, 0).contains("nothing to compare"));
}

#[test]
fn the_summary_is_plain_text_that_fits() {
    let (_, text) = reported(2_000, None);
    assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{text}");
    let widest = text.lines().filter(|line| line.contains("  ")).map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 120, "{widest}\n{text}");
    for said in ["Profit factor", "95 % interval", "opposite signal", "67 signals asked for nothing", "to fees"] {
        assert!(text.contains(said), "{said}\n{text}");
    }
}

#[test]
fn without_trades_and_without_candles_it_says_so() {
    let (_, text) = reported(3, None);
    assert!(
        text.contains("Without trades there are no statistics.") && text.contains("there were no trades"),
        "{text}"
    );
    let (page, _) = reported(0, None);
    assert!(page.contains("There were no candles, so nothing can be said.") && !page.contains("<script"));
}
