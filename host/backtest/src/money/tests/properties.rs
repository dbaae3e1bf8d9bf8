//! What must hold whatever the candles and the signals are.

use proptest::prelude::*;

use super::*;

const SYMBOLS: [&str; 3] = ["BTCUSDT 1h", "ETHUSDT 1h", "BTCUSDT 15m"];

/// Random walks of three series, with signals now and then.
#[derive(Debug, Clone)]
struct Market {
    candles: Vec<(Series, Candle)>,
    signals: Vec<TradeSignal>,
}

fn walk(series: &Series, steps: &[(i8, u8, u8, i8)]) -> Vec<(Series, Candle)> {
    let mut close = 100.0_f64;
    let mut rows = Vec::new();
    for (index, (gap, up, down, step)) in (0..).zip(steps) {
        let open = (close + f64::from(*gap) / 50.0).max(1.0);
        close = (open + f64::from(*step) / 20.0).max(1.0);
        let high = open.max(close) + f64::from(*up) / 50.0;
        let low = (open.min(close) - f64::from(*down) / 50.0).max(0.5);
        let cents = [open, high, low, close].map(|price| (price * 100.0).round() / 100.0);
        rows.push((series.clone(), candle(series, index, cents)));
    }
    rows
}

/// A step of each series' walk, and what its strategy says.
type Step = ((i8, u8, u8, i8), Option<(u8, u8, u8, u8)>);

fn market(steps: &[Vec<Step>]) -> Market {
    let (mut candles, mut signals) = (Vec::new(), Vec::new());
    for (name, steps) in SYMBOLS.iter().zip(steps) {
        let series = series(name);
        let rows = walk(&series, &steps.iter().map(|(step, _)| *step).collect::<Vec<_>>());
        for (index, (_, said)) in (0..).zip(steps) {
            let Some((what, stop, target, confidence)) = said else { continue };
            let price = rows[index as usize].1.close;
            let action = Action::ALL[usize::from(*what % 4)];
            let side = if action == Action::Sell { -1.0 } else { 1.0 };
            let stop = price * (1.0 - side * f64::from(*stop % 100 + 1) / 1000.0);
            let target = price * (1.0 + side * f64::from(*target % 100 + 1) / 1000.0);
            let confidence = f64::from(*confidence) / 255.0;
            let strategy = ["one", "two"][usize::from(*what / 4 % 2)].parse().unwrap();
            let levels = if what / 8 % 2 == 0 { [stop, target] } else { [0.0; 2] };
            signals.push(TradeSignal { price, confidence, strategy, ..signal(&series, index, action, levels) });
        }
        candles.extend(rows);
    }
    candles.sort_by_key(|(_, candle)| candle.open_time);
    Market { candles, signals }
}

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = (-50..=50_i8, 0..60_u8, 0..60_u8, -60..=60_i8);
    let said = prop::option::weighted(0.3, any::<(u8, u8, u8, u8)>());
    prop::collection::vec(prop::collection::vec((step, said), 5..60), 3)
}

fn assumptions() -> impl Strategy<Value = Assumptions> {
    let holding =
        prop_oneof![Just(Holding::OnePerSymbol), Just(Holding::OnePerStrategy), (1..4_u32).prop_map(Holding::Several)];
    let sizing = prop_oneof![
        Just(Sizing::Equity(of("0.3"))),
        Just(Sizing::RiskToStop(of("0.02"))),
        Just(Sizing::Confidence(of("0.5"))),
        Just(Sizing::Quantity(of("3")))
    ];
    let slippage = prop_oneof![Just(Slippage::Fixed(of("0.0007"))), Just(Slippage::OfRange(of("0.13")))];
    let rest = (0..3_u32, prop::option::of(1..20_u32), prop::option::of(1..3_u32), any::<bool>());
    (holding, sizing, slippage, rest).prop_map(|(holding, sizing, slippage, (late, most, positions, reverse))| {
        Assumptions {
            holding,
            sizing,
            slippage,
            latency_candles: late,
            max_candles: most,
            max_positions: positions,
            opposite: if reverse { OppositeSignal::Reverse } else { OppositeSignal::Close },
            fees: Fees { maker: of("0.0003"), taker: of("0.0011") },
            ..Assumptions::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn the_equity_is_the_sum_of_its_parts(steps in steps(), assumptions in assumptions()) {
        let market = market(&steps);
        let outcome = run(assumptions.clone(), &market.signals, &market.candles);
        let sum = |part: fn(&Trade) -> Decimal| outcome.trades.iter().map(part).sum::<Decimal>();
        prop_assert_eq!(outcome.end_equity, assumptions.start_equity + sum(|trade| trade.net));
        prop_assert_eq!(outcome.costs.fees, sum(|trade| trade.entry.fee + trade.exit.fee));
        prop_assert_eq!(outcome.costs.slippage, sum(|trade| trade.entry.slippage + trade.exit.slippage));
        prop_assert_eq!(outcome.costs.funding, sum(|trade| trade.funding));
        let gross = sum(|trade| trade.gross);
        prop_assert_eq!(outcome.end_equity, assumptions.start_equity + gross - outcome.costs.total());
        let curve = outcome.equity.unwrap();
        prop_assert_eq!(curve.points.last().unwrap().equity, float(outcome.end_equity));
        // A signal that is ignored opens nothing.
        let ignored: u64 = outcome.ignored.values().sum();
        prop_assert!(ignored + outcome.trade_count <= outcome.signals);
    }

    #[test]
    fn each_fill_pays_its_fee_once(steps in steps(), assumptions in assumptions()) {
        let market = market(&steps);
        let outcome = run(assumptions.clone(), &market.signals, &market.candles);
        for trade in &outcome.trades {
            for fill in [&trade.entry, &trade.exit] {
                let is_limit = trade.reason == ExitReason::TakeProfit && std::ptr::eq(fill, &raw const trade.exit);
                let rate = if is_limit { assumptions.fees.maker } else { assumptions.fees.taker };
                let fee = fill.price * trade.quantity * rate;
                prop_assert!(fill.fee >= fee && fill.fee - fee <= of("0.000000000001"), "{fill:?}");
            }
        }
    }

    #[test]
    fn nothing_is_traded_on_the_candle_whose_close_made_the_signal(steps in steps(), assumptions in assumptions()) {
        let market = market(&steps);
        let outcome = run(assumptions.clone(), &market.signals, &market.candles);
        for trade in &outcome.trades {
            let late = i64::from(assumptions.latency_candles);
            let entry = trade.entry.signal.unwrap().millis() + late * trade.series.timeframe.millis();
            prop_assert_eq!(trade.entry.at.millis(), entry);
            prop_assert!(trade.exit.signal.is_none_or(|signal| signal <= trade.exit.at));
            prop_assert!(trade.exit.at >= trade.entry.at);
            let is_open = |(series, candle): &&(Series, Candle)| *series == trade.series && candle.open_time == trade.entry.at;
            let (_, candle) = market.candles.iter().find(is_open).unwrap();
            prop_assert_eq!(float(trade.entry.reference), candle.open);
        }
    }

    #[test]
    fn another_future_does_not_change_the_past(
        (steps, others) in (steps(), steps()),
        assumptions in assumptions(),
        cut in 1..40_i64,
    ) {
        let (market, other) = (market(&steps), market(&others));
        let cut = Timestamp::from_millis(cut * 900_000);
        let close = |(series, candle): &(Series, Candle)| series.timeframe.close_of(candle.open_time);
        // Candles that are open at the cut stay: their opens are known.
        let past = |row: &(Series, Candle)| row.1.open_time < cut;
        let mut mixed: Vec<_> = market.candles.iter().filter(|row| past(row)).cloned().collect();
        mixed.extend(other.candles.iter().filter(|row| !past(row)).cloned());
        let known = |signal: &&TradeSignal| signal.candle_close < cut;
        let mut signals: Vec<_> = market.signals.iter().filter(known).cloned().collect();
        signals.extend(other.signals.iter().filter(|signal| !known(signal)).cloned());
        let before = |outcome: Outcome| {
            let trades: Vec<_> = outcome.trades.into_iter().filter(|trade| {
                trade.exit.at < cut && trade.reason != ExitReason::EndOfData
            }).collect();
            let points = outcome.equity.map(|curve| curve.points).unwrap_or_default();
            (trades, points.into_iter().filter(|point| point.at < cut).collect::<Vec<_>>())
        };
        let last = |rows: &[(Series, Candle)]| rows.iter().map(close).max();
        let (one, two) = (run(assumptions.clone(), &market.signals, &market.candles), run(assumptions, &signals, &mixed));
        if last(&market.candles).min(last(&mixed)) >= Some(cut) {
            prop_assert_eq!(before(one), before(two));
        }
    }

    #[test]
    fn more_fees_never_help(steps in steps(), more in 1..50_u32, late in 0..2_u32) {
        let market = market(&steps);
        let with = |fee: Decimal| {
            let fees = Fees { maker: fee, taker: fee };
            // With a fixed quantity and room enough the trades are the same; a size that follows from the equity would
            // make losing trades smaller as well.
            let assumptions = Assumptions {
                fees, latency_candles: late, max_exposure: of("100"), start_equity: of("1000000"), ..free()
            };
            run(assumptions, &market.signals, &market.candles)
        };
        let (less, more) = (with(of("0.0001")), with(of("0.0001") + Decimal::new(i64::from(more), 4)));
        prop_assert_eq!(less.trade_count, more.trade_count);
        prop_assert!(more.end_equity < less.end_equity || less.trade_count == 0);
    }

    #[test]
    fn the_order_of_candles_that_open_together_does_not_matter(steps in steps(), assumptions in assumptions()) {
        let mut market = market(&steps);
        let one = run(assumptions.clone(), &market.signals, &market.candles);
        market.candles.reverse();
        market.candles.sort_by_key(|(_, candle)| candle.open_time);
        let two = run(assumptions, &market.signals, &market.candles);
        prop_assert_eq!(one, two);
    }

    #[test]
    fn trades_that_are_taken_on_the_way_are_the_same(steps in steps(), assumptions in assumptions()) {
        let market = market(&steps);
        let whole = run(assumptions.clone(), &market.signals, &market.candles);
        let symbols = ["BTCUSDT", "ETHUSDT"].map(|symbol| Instrument::any(symbol.parse().unwrap()));
        let mut simulation = Simulation::new(assumptions, symbols.to_vec()).unwrap();
        // Signals come as a strategy makes them: when their candle is there.
        let mut trades = Vec::new();
        for (series, candle) in &market.candles {
            simulation.candle(series, candle).unwrap();
            let close = series.timeframe.close_of(candle.open_time);
            for signal in market.signals.iter().filter(|one| one.series == *series && one.candle_close == close) {
                simulation.signal(signal.clone()).unwrap();
            }
            trades.extend(simulation.take_trades());
        }
        let outcome = simulation.finish().unwrap();
        trades.extend(outcome.trades);
        prop_assert_eq!(&trades, &whole.trades);
        prop_assert_eq!((outcome.end_equity, outcome.trade_count), (whole.end_equity, whole.trade_count));
    }
}
