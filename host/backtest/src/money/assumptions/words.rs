//! The assumptions in words, for reports.

use rust_decimal::Decimal;

use super::{Assumptions, Funding, Holding, OppositeSignal, Sides, Sizing, Slippage, TargetGap};

fn percent(share: Decimal) -> String {
    format!("{} %", share.saturating_mul(Decimal::ONE_HUNDRED).normalize())
}

fn count(number: u32, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

impl Assumptions {
    /// What is assumed, in sentences: these assumptions, and what the model does in any case.
    pub fn in_words(&self) -> Vec<String> {
        let mut words = vec![format!("The account begins with {}.", self.start_equity.normalize())];
        words.push(match self.latency_candles {
            0 => "A signal is filled at the open of the candle after the one whose close made it, never on that one."
                .to_owned(),
            late => format!(
                "A signal is filled at the open {} later than that of the candle after the one whose close made it.",
                count(late, "candle")
            ),
        });
        words.push("An entry whose candle is missing is given up; an exit waits for the next candle.".to_owned());
        words.push(self.costs());
        words.extend(self.stops());
        words.push(match self.funding {
            Funding::None => "There is no funding, unless an instrument lists what was paid.".to_owned(),
            Funding::EveryonePays { rate, hours } => format!(
                "Funding takes {} of a position's value every {}, of longs and shorts alike, unless an instrument lists \
                 what was paid. A trade that begins or ends in a candle pays what is due in it, and receives nothing.",
                percent(rate),
                count(hours, "hour")
            ),
        });
        words.extend(self.sizes());
        words.extend(self.positions());
        words.push(
            "What is still open at the end is closed at the last close, with costs. Margin calls are not modelled: the \
             account ends if its equity at a close is not above zero."
                .to_owned(),
        );
        words
    }

    fn costs(&self) -> String {
        let slippage = match self.slippage {
            Slippage::Fixed(share) => format!("{} of the price", percent(share)),
            Slippage::OfRange(share) => format!("{} of the range from low to high", percent(share)),
        };
        format!(
            "Each fill costs {} of its value, a target {}. Market orders and stops are filled {slippage} worse than the \
             price; targets, which are limit orders, are not.",
            percent(self.fees.taker),
            percent(self.fees.maker)
        )
    }

    fn stops(&self) -> [String; 2] {
        let gap = match self.target_gap {
            TargetGap::AtTarget => "A candle that opens beyond the target fills it at the target, no better.",
            TargetGap::AtOpen => "A candle that opens beyond the target fills it at the open.",
        };
        [
            "If a candle touches both stop and target, the stop was first. A candle that opens beyond the stop fills it \
             at the open."
                .to_owned(),
            gap.to_owned(),
        ]
    }

    fn sizes(&self) -> [String; 2] {
        let size = match self.sizing {
            Sizing::Quantity(quantity) => format!("A trade has a quantity of {}.", quantity.normalize()),
            Sizing::Value(value) => format!("A trade is worth {}.", value.normalize()),
            Sizing::Equity(share) => format!("A trade is worth {} of the equity.", percent(share)),
            Sizing::RiskToStop(share) => {
                format!("A trade is as large as loses {} of the equity at its stop.", percent(share))
            }
            Sizing::Confidence(share) => {
                format!("A trade is worth {} of the equity, times the signal's confidence.", percent(share))
            }
        };
        let of_symbol = self.max_symbol_exposure.map(|limit| format!(", those of one symbol {}", percent(limit)));
        let limit = format!(
            "All positions together are worth up to {} of the equity at an entry{}. A trade is made smaller to fit, and \
             is left out if it is then below what the exchange takes.",
            percent(self.max_exposure),
            of_symbol.unwrap_or_default()
        );
        [size, limit]
    }

    fn positions(&self) -> Vec<String> {
        let holding = match self.holding {
            Holding::OnePerSymbol => "There is one position for each symbol, whoever opened it.".to_owned(),
            Holding::OnePerStrategy => "There is one position for each symbol, strategy and timeframe.".to_owned(),
            Holding::Several(most) => {
                format!("There are up to {} for each symbol, strategy and timeframe.", count(most, "position"))
            }
        };
        let opposite = match (self.sides, self.opposite) {
            (Sides::LongOnly, _) => "Positions are long only: a sell closes, and never opens.",
            (Sides::Both, OppositeSignal::Reverse) => {
                "A signal against an open position closes it and opens the other side."
            }
            (Sides::Both, OppositeSignal::Close) => "A signal against an open position only closes it.",
        };
        let mut words = vec![holding, opposite.to_owned()];
        words.extend(self.max_positions.map(|most| format!("At most {} are open at a time.", count(most, "position"))));
        words.extend(self.max_candles.map(|most| format!("A trade ends after {} by itself.", count(most, "candle"))));
        words
    }
}
