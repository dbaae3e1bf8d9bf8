//! Trades that were computed by hand.

use super::*;

const BTC: &str = "BTCUSDT 1h";

fn candles(rows: &[[f64; 4]]) -> Vec<(Series, Candle)> {
    let series = series(BTC);
    (0..).zip(rows).map(|(index, row)| (series.clone(), candle(&series, index, *row))).collect()
}

/// A line of the table: a name, the signals (at the close of which candle, what, stop, target; 0 is none), the candles,
/// and the trades that must come: side, entry, exit, candle of the exit, reason, net.
type Line<'a> = (&'a str, &'a [(i64, Action, f64, f64)], &'a [[f64; 4]], &'a [Expected<'a>]);
type Expected<'a> = (Side, &'a str, &'a str, i64, ExitReason, &'a str);

const FLAT: [f64; 4] = [100.0, 100.0, 100.0, 100.0];

fn check(assumptions: &Assumptions, lines: &[Line]) {
    let btc = series(BTC);
    for (name, signals, rows, expected) in lines {
        let signals: Vec<_> =
            signals.iter().map(|(at, what, stop, target)| signal(&btc, *at, *what, [*stop, *target])).collect();
        let outcome = run(assumptions.clone(), &signals, &candles(rows));
        let hour = |fill: &Fill| match fill.moment {
            Moment::Open => fill.at.millis() / 3_600_000,
            Moment::Within | Moment::Close => fill.at.millis() / 3_600_000 - 1,
        };
        let shown = |trade: &Trade| {
            let prices = [trade.entry.price, trade.exit.price, trade.net].map(|price| price.normalize().to_string());
            (trade.side, prices, hour(&trade.exit), trade.reason)
        };
        let seen: Vec<_> = outcome.trades.iter().map(shown).collect();
        let wanted: Vec<_> = expected
            .iter()
            .map(|(side, entry, exit, at, reason, net)| {
                (*side, [entry, exit, net].map(ToString::to_string), *at, *reason)
            })
            .collect();
        assert_eq!(seen, wanted, "{name}");
    }
}

#[test]
fn entries_and_exits_are_those_of_the_hand() {
    use Action::{Buy, Close, Hold, Sell};
    use ExitReason::{CloseSignal, EndOfData, OppositeSignal, StopLoss, StopLossGap, TakeProfit};
    use Side::{Long, Short};
    check(
        &free(),
        &[
            (
                "a buy is filled at the next open, and closed at the last close",
                &[(0, Buy, 0.0, 0.0)],
                &[FLAT, [101.0, 103.0, 101.0, 102.0], [102.0, 106.0, 102.0, 105.0]],
                &[(Long, "101", "105", 2, EndOfData, "4")],
            ),
            (
                "a short gains if the price falls",
                &[(0, Sell, 0.0, 0.0), (1, Close, 0.0, 0.0)],
                &[FLAT, [101.0, 103.0, 101.0, 102.0], [98.0, 98.0, 97.0, 97.5]],
                &[(Short, "101", "98", 2, CloseSignal, "3")],
            ),
            (
                "the stop is filled at its price",
                &[(0, Buy, 95.0, 110.0)],
                &[FLAT, [100.0, 101.0, 96.0, 97.0], [97.0, 98.0, 94.0, 96.0]],
                &[(Long, "100", "95", 2, StopLoss, "-5")],
            ),
            (
                "a touch is enough, on the candle of the entry as well",
                &[(0, Buy, 95.0, 110.0)],
                &[FLAT, [100.0, 101.0, 95.0, 99.0], FLAT],
                &[(Long, "100", "95", 1, StopLoss, "-5")],
            ),
            (
                "the target is filled at its price",
                &[(0, Sell, 105.0, 90.0)],
                &[FLAT, [100.0, 101.0, 96.0, 97.0], [97.0, 98.0, 89.0, 90.5]],
                &[(Short, "100", "90", 2, TakeProfit, "10")],
            ),
            (
                "of stop and target in one candle the stop was first",
                &[(0, Buy, 95.0, 110.0)],
                &[FLAT, FLAT, [100.0, 111.0, 94.0, 100.0]],
                &[(Long, "100", "95", 2, StopLoss, "-5")],
            ),
            (
                "a gap beyond the stop fills at the open",
                &[(0, Buy, 95.0, 110.0)],
                &[FLAT, FLAT, [92.0, 93.0, 91.0, 92.5]],
                &[(Long, "100", "92", 2, StopLossGap, "-8")],
            ),
            (
                "a gap beyond the stop of a short as well",
                &[(0, Sell, 105.0, 90.0)],
                &[FLAT, FLAT, [107.0, 108.0, 80.0, 82.5]],
                &[(Short, "100", "107", 2, StopLossGap, "-7")],
            ),
            (
                "a gap beyond the target fills at the target",
                &[(0, Buy, 95.0, 110.0)],
                &[FLAT, FLAT, [115.0, 116.0, 90.0, 114.5]],
                &[(Long, "100", "110", 2, TakeProfit, "10")],
            ),
            (
                "an opposite signal reverses at one open",
                &[(0, Buy, 0.0, 0.0), (1, Sell, 0.0, 0.0)],
                &[FLAT, FLAT, [104.0, 104.0, 103.0, 103.0]],
                &[(Long, "100", "104", 2, OppositeSignal, "4"), (Short, "104", "103", 2, EndOfData, "1")],
            ),
            (
                "the same signal again, a hold and a close without a position do nothing",
                &[(0, Close, 0.0, 0.0), (1, Buy, 0.0, 0.0), (2, Buy, 0.0, 0.0), (3, Hold, 0.0, 0.0)],
                &[FLAT, FLAT, [101.0, 101.0, 101.0, 101.0], FLAT, [102.0, 102.0, 102.0, 102.0]],
                &[(Long, "101", "102", 4, EndOfData, "1")],
            ),
            (
                "an entry beyond its own stop is late",
                &[(0, Buy, 95.0, 110.0), (1, Sell, 99.0, 80.0)],
                &[FLAT, [94.0, 94.0, 94.0, 94.0], FLAT, FLAT],
                &[],
            ),
        ],
    );
}

#[test]
fn costs_are_those_of_the_hand() {
    let btc = series(BTC);
    let rows = [FLAT, [100.0, 104.0, 99.0, 103.0], [103.0, 111.0, 102.0, 108.0], FLAT];
    let assumptions = Assumptions {
        fees: Fees { maker: of("0.0002"), taker: of("0.001") },
        slippage: Slippage::Fixed(of("0.005")),
        sizing: Sizing::Quantity(of("2")),
        ..free()
    };
    let trade = &run(assumptions.clone(), &[signal(&btc, 0, Action::Buy, [95.0, 110.0])], &candles(&rows)).trades[0];
    assert_eq!(trade.entry.price, of("100.5"), "half a percent worse than the open");
    assert_eq!((trade.entry.fee, trade.entry.slippage), (of("0.201"), of("1")));
    assert_eq!(trade.exit.price, of("110"), "a limit order does not slip");
    assert_eq!((trade.exit.fee, trade.exit.slippage), (of("0.044"), of("0")));
    assert_eq!((trade.gross, trade.net), (of("20"), of("18.755")));
    assert_eq!((trade.worst, trade.best, trade.candles), (0.01, 0.1, 2));

    let short = &run(assumptions.clone(), &[signal(&btc, 0, Action::Sell, [102.0, 90.0])], &candles(&rows)).trades[0];
    assert_eq!((short.entry.price, short.exit.price), (of("99.5"), of("102.51")), "a stop slips away from us");
    assert_eq!(short.net, of("-4") - of("1") - of("1.02") - of("0.199") - of("0.20502"));

    let of_range = Assumptions { slippage: Slippage::OfRange(of("0.1")), ..assumptions };
    let trade = &run(of_range, &[signal(&btc, 1, Action::Buy, [102.5, 190.0])], &candles(&rows)).trades[0];
    assert_eq!(trade.entry.price, of("103.5"), "a tenth of the range of the candle before");
    assert_eq!(trade.exit.price, of("101.6"), "a tenth of the larger range, that of the candle itself");
}

#[test]
fn ticks_steps_and_minimums_are_against_us() {
    let btc = series(BTC);
    let rules = Instrument {
        tick: of("0.5"),
        step: of("0.01"),
        min_quantity: of("0.1"),
        min_notional: of("50"),
        ..Instrument::any(btc.symbol.clone())
    };
    let at = |sizing, action, levels| {
        let rows = candles(&[FLAT, [100.2, 104.0, 99.0, 103.0], [103.0, 111.0, 102.0, 108.0]]);
        let assumptions = Assumptions { sizing, ..free() };
        run_on(assumptions, vec![rules.clone()], &[signal(&btc, 0, action, levels)], &rows)
    };
    let long = at(Sizing::Quantity(of("1.239")), Action::Buy, [0.0, 109.9]);
    let trade = &long.trades[0];
    assert_eq!((trade.quantity, trade.entry.price, trade.exit.price), (of("1.23"), of("100.5"), of("110")));
    assert_eq!(trade.entry.slippage, of("0.369"), "the tick costs as well");
    let short = at(Sizing::Quantity(of("1")), Action::Sell, [0.0, 0.0]);
    assert_eq!(short.trades[0].entry.price, of("100"));
    for (sizing, reason) in [
        (Sizing::Quantity(of("0.09")), Ignored::BelowMinimum),
        (Sizing::Value(of("49")), Ignored::BelowMinimum),
        (Sizing::RiskToStop(of("0.01")), Ignored::NoStop),
    ] {
        let refused = at(sizing, Action::Buy, [0.0, 0.0]);
        assert_eq!((refused.trades.len(), refused.ignored), (0, BTreeMap::from([(reason, 1)])), "{sizing:?}");
        assert_eq!(refused.end_equity, of("10000"));
    }
}

#[test]
fn sizes_follow_their_rules_and_fit_into_the_limits() {
    let btc = series(BTC);
    let rows = candles(&[FLAT, FLAT, FLAT]);
    let quantity = |assumptions: Assumptions| {
        let outcome = run(assumptions, &[signal(&btc, 0, Action::Buy, [96.0, 0.0])], &rows);
        outcome.trades.first().map(|trade| trade.quantity.normalize().to_string())
    };
    let sized = |sizing| quantity(Assumptions { sizing, ..free() }).unwrap();
    assert_eq!(sized(Sizing::Value(of("2500"))), "25");
    assert_eq!(sized(Sizing::Equity(of("0.2"))), "20");
    assert_eq!(sized(Sizing::Confidence(of("0.2"))), "10", "the confidence is a half");
    assert_eq!(sized(Sizing::RiskToStop(of("0.01"))), "25", "25 × 4 is 1 % of 10,000");
    assert_eq!(sized(Sizing::RiskToStop(of("0.1"))), "100", "what would be borrowed is left out");
    assert_eq!(sized(Sizing::Equity(of("3"))), "100");
    let borrowed = Assumptions { sizing: Sizing::Equity(of("3")), max_exposure: of("2"), ..free() };
    assert_eq!(quantity(borrowed.clone()).unwrap(), "200");
    let narrow = Assumptions { max_symbol_exposure: Some(of("0.5")), ..borrowed.clone() };
    assert_eq!(quantity(narrow).unwrap(), "50");
    let fees = Fees { maker: Decimal::ZERO, taker: of("0.25") };
    assert_eq!(quantity(Assumptions { fees, ..borrowed }).unwrap(), "160", "the fee has to fit in as well");
}

#[test]
fn funding_is_paid_by_who_holds() {
    let eight_hours = series("BTCUSDT 8h");
    let row = |index| (eight_hours.clone(), candle(&eight_hours, index, FLAT));
    let rows: Vec<_> = (0..5).map(row).collect();
    let trade = |assumptions: &Assumptions, rules: &Instrument, action| {
        let signals = [signal(&eight_hours, 0, action, [0.0; 2]), signal(&eight_hours, 2, Action::Close, [0.0; 2])];
        run_on(assumptions.clone(), vec![rules.clone()], &signals, &rows).trades.remove(0)
    };
    let everyone = Assumptions { funding: Funding::EveryonePays { rate: of("0.001"), hours: 8 }, ..free() };
    let plain = Instrument::any(eight_hours.symbol.clone());
    // Entered at 8 h, left at 24 h: due at 8, 16 and 24 h.
    for action in [Action::Buy, Action::Sell] {
        let trade = trade(&everyone, &plain, action);
        assert_eq!((trade.funding, trade.net), (of("0.3"), of("-0.3")), "{action:?}");
    }
    let hour = |hour: i64| Timestamp::from_millis(hour * 3_600_000);
    let rates = [(8, "0.001"), (16, "0.002"), (20, "-0.004"), (24, "0.008"), (32, "0.5")];
    let funding = rates.map(|(at, rate)| FundingRate { at: hour(at), rate: of(rate) });
    let listed = Instrument { funding: funding.to_vec(), ..plain };
    // The long pays at 8, 16 and 24 h and receives at 20 h; the short receives at 16 h and pays at 20 h, and gets
    // nothing at the moments of its entry and its exit.
    assert_eq!(trade(&everyone, &listed, Action::Buy).funding, of("0.7"));
    assert_eq!(trade(&everyone, &listed, Action::Sell).funding, of("0.2"));
}

#[test]
fn a_late_order_and_a_missing_candle() {
    let btc = series(BTC);
    let rows = candles(&[FLAT, [101.0; 4], [102.0; 4], [103.0; 4], [104.0; 4], [105.0; 4]]);
    let late = Assumptions { latency_candles: 2, ..free() };
    let signals = [signal(&btc, 0, Action::Buy, [0.0; 2]), signal(&btc, 1, Action::Close, [0.0; 2])];
    let trade = &run(late.clone(), &signals, &rows).trades[0];
    assert_eq!((trade.entry.price, trade.exit.price), (of("103"), of("104")));
    let mut holed = rows.clone();
    holed.remove(1);
    let outcome = run(free(), &signals, &holed);
    assert_eq!(outcome.ignored, BTreeMap::from([(Ignored::CandleMissing, 1), (Ignored::NothingToClose, 1)]));
    holed = rows;
    holed.remove(2);
    let outcome = run(free(), &signals, &holed);
    assert_eq!(outcome.trades[0].exit.price, of("103"), "an exit waits");
    let last = run(free(), &[signal(&btc, 9, Action::Buy, [0.0; 2])], &holed);
    assert_eq!(last.ignored, BTreeMap::from([(Ignored::NoCandleAfter, 1)]));
}

#[test]
fn a_trade_ends_by_itself_after_its_time() {
    let btc = series(BTC);
    let rows = candles(&[FLAT, [101.0; 4], [102.0; 4], [103.0; 4], [104.0; 4]]);
    let held = TradeSignal { hold_candles: Some(2), ..signal(&btc, 0, Action::Buy, [0.0; 2]) };
    let trade = &run(free(), std::slice::from_ref(&held), &rows).trades[0];
    assert_eq!((trade.exit.price, trade.reason, trade.candles), (of("103"), ExitReason::TimeLimit, 2));
    let shorter = Assumptions { max_candles: Some(1), ..free() };
    assert_eq!(run(shorter, &[held], &rows).trades[0].exit.price, of("102"));
}

#[test]
fn positions_are_as_many_as_the_rules_allow() {
    let (btc, eth) = (series(BTC), series("ETHUSDT 1h"));
    let rows: Vec<_> =
        (0..4).flat_map(|index| [&btc, &eth].map(|series| (series.clone(), candle(series, index, FLAT)))).collect();
    let other = |signal: TradeSignal| TradeSignal { strategy: "other".parse().unwrap(), ..signal };
    let buys = [
        signal(&btc, 0, Action::Buy, [0.0; 2]),
        other(signal(&btc, 0, Action::Buy, [0.0; 2])),
        TradeSignal { confidence: 0.9, ..signal(&eth, 0, Action::Buy, [0.0; 2]) },
        signal(&btc, 1, Action::Buy, [0.0; 2]),
        other(signal(&btc, 2, Action::Close, [0.0; 2])),
    ];
    let shown = |assumptions: Assumptions| {
        let outcome = run(assumptions, &buys, &rows);
        let by = |trade: &Trade| format!("{} {} {}", trade.series.symbol, trade.strategy, trade.reason.as_str());
        let mut trades: Vec<_> = outcome.trades.iter().map(|trade| (trade.number, by(trade))).collect();
        trades.sort();
        trades.into_iter().map(|(_, trade)| trade).collect::<Vec<_>>()
    };
    let [eth_held, hand_held, hand_closed, other_closed] = [
        "ETHUSDT hand end_of_data",
        "BTCUSDT hand end_of_data",
        "BTCUSDT hand close_signal",
        "BTCUSDT other close_signal",
    ];
    assert_eq!(shown(free()), [eth_held, hand_closed], "the more confident one is first");
    let own = Assumptions { holding: Holding::OnePerStrategy, ..free() };
    assert_eq!(shown(own.clone()), [eth_held, hand_held, other_closed]);
    let several = Assumptions { holding: Holding::Several(2), ..free() };
    assert_eq!(shown(several), [eth_held, hand_held, other_closed, hand_held]);
    assert_eq!(shown(Assumptions { max_positions: Some(1), ..own }), [eth_held]);
}

#[test]
fn sides_and_opposites() {
    let btc = series(BTC);
    let rows = candles(&[FLAT, FLAT, FLAT, FLAT, FLAT]);
    let signals = [
        signal(&btc, 0, Action::Sell, [0.0; 2]),
        signal(&btc, 1, Action::Buy, [0.0; 2]),
        signal(&btc, 2, Action::Sell, [0.0; 2]),
    ];
    let sides = |assumptions: Assumptions| {
        let outcome = run(assumptions, &signals, &rows);
        (outcome.trades.iter().map(|trade| trade.side).collect::<Vec<_>>(), outcome.ignored)
    };
    assert_eq!(sides(free()).0, [Side::Short, Side::Long, Side::Short]);
    let closing = Assumptions { opposite: OppositeSignal::Close, ..free() };
    assert_eq!(sides(closing), (vec![Side::Short, Side::Short], BTreeMap::new()));
    let long = Assumptions { sides: Sides::LongOnly, ..free() };
    assert_eq!(sides(long), (vec![Side::Long], BTreeMap::from([(Ignored::ShortNotAllowed, 1)])));
}

#[test]
fn an_account_that_lost_everything_is_over() {
    let btc = series(BTC);
    let rows = candles(&[FLAT, FLAT, [100.0, 250.0, 100.0, 250.0], FLAT, FLAT]);
    let short = Assumptions { sizing: Sizing::Equity(of("1")), ..free() };
    let signals = [signal(&btc, 0, Action::Sell, [0.0; 2]), signal(&btc, 2, Action::Buy, [0.0; 2])];
    let outcome = run(short, &signals, &rows);
    assert!(outcome.is_ruined);
    assert_eq!((outcome.trades[0].reason, outcome.end_equity), (ExitReason::Ruin, of("-5000")));
    assert_eq!(outcome.ignored, BTreeMap::from([(Ignored::Ruined, 1)]));
}

#[test]
fn the_finest_candles_of_a_symbol_decide_what_came_first() {
    let (hour, quarter) = (series(BTC), series("BTCUSDT 15m"));
    let long = [signal(&hour, 0, Action::Buy, [95.0, 110.0])];
    let mut rows = candles(&[FLAT, [100.0, 111.0, 94.0, 100.0]]);
    assert_eq!(run(free(), &long, &rows).trades[0].reason, ExitReason::StopLoss);
    let quarters = [[100.0, 111.0, 99.0, 105.0], [105.0, 105.0, 94.0, 96.0], FLAT, FLAT];
    for (index, row) in (4..).zip(quarters) {
        rows.push((quarter.clone(), candle(&quarter, index, row)));
    }
    let outcome = run(free(), &long, &rows);
    assert_eq!(outcome.trades[0].reason, ExitReason::TakeProfit);
    assert_eq!(outcome.trades[0].exit.at.millis(), 75 * 60_000);
}

#[test]
fn what_does_not_fit_is_told_and_the_rest_goes_on() {
    let btc = series(BTC);
    let mut simulation = Simulation::new(free(), vec![Instrument::any(btc.symbol.clone())]).unwrap();
    let rows = candles(&[FLAT, FLAT, FLAT]);
    simulation.candle(&btc, &rows[1].1).unwrap();
    let told = |result: Result<(), SimulationError>| result.unwrap_err().to_string();
    assert!(told(simulation.candle(&btc, &rows[0].1)).contains("in order of their opens"));
    assert!(told(simulation.candle(&btc, &rows[1].1)).contains("in order of their opens"));
    let eth = series("ETHUSDT 1h");
    assert!(told(simulation.candle(&eth, &rows[2].1)).contains("no instrument for ETHUSDT"));
    assert!(told(simulation.candle(&btc, &Candle { high: 1.0, ..rows[2].1 })).contains("do not enclose"));
    assert!(told(simulation.signal(signal(&btc, 0, Action::Buy, [0.0; 2]))).contains("before the next candle"));
    let sure = TradeSignal { confidence: 1.5, ..signal(&btc, 1, Action::Buy, [0.0; 2]) };
    assert!(told(simulation.signal(sure)).contains("confidence of 1.5: give a number from 0 to 1"));
    simulation.signal(signal(&btc, 1, Action::Buy, [0.0; 2])).unwrap();
    simulation.candle(&btc, &rows[2].1).unwrap();
    let outcome = simulation.finish().unwrap();
    assert_eq!((outcome.signals, outcome.candles, outcome.trades.len()), (1, 2, 1));
    let empty = Simulation::new(free(), Vec::new()).unwrap().finish().unwrap();
    assert_eq!((empty.equity, empty.end_equity), (None, of("10000")));
}

#[test]
fn assumptions_are_checked_and_read_back() {
    let fees = Fees { maker: of("0.001"), taker: of("-0.001") };
    let wrong = Assumptions { fees, ..free() };
    let told = Simulation::new(wrong, Vec::new()).unwrap_err().to_string();
    assert!(told.contains("fees.taker is -0.001: give a share"), "{told}");
    let twice = vec![Instrument::any("BTCUSDT".parse().unwrap()); 2];
    assert!(Simulation::new(free(), twice).unwrap_err().to_string().contains("BTCUSDT is given twice"));
    let text = serde_json::to_string(&Assumptions::default()).unwrap();
    assert_eq!(serde_json::from_str::<Assumptions>(&text).unwrap(), Assumptions::default());
    let some: Assumptions =
        serde_json::from_str(r#"{"slippage": {"of_range": 0.1}, "sizing": {"risk_to_stop": "0.01"}}"#).unwrap();
    assert_eq!((some.slippage, some.sizing), (Slippage::OfRange(of("0.1")), Sizing::RiskToStop(of("0.01"))));
    let unknown = serde_json::from_str::<Assumptions>(r#"{"slipage": {"fixed": 0.1}}"#).unwrap_err().to_string();
    assert!(unknown.contains("slipage") && unknown.contains("slippage"), "{unknown}");
    let words = some.in_words().join("\n");
    for said in ["loses 1 % of the equity at its stop", "10 % of the range", "the stop was first", "never on that one"]
    {
        assert!(words.contains(said), "{words}");
    }
}
