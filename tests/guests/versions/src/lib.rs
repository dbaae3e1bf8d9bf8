//! A strategy that has a signal for every candle: the first version buys, the second one sells and allows less for its
//! parameter. Each version is an example of this crate, because it is a component of its own.

/// Defines the component of a version.
#[macro_export]
macro_rules! version {
    ($version:literal, $action:ident, stop $stop:literal, target $target:literal, weight up to $most:literal) => {
        use ta_bot_sdk::prelude::*;

        parameters! {
            /// The parameters.
            pub struct Parameters {
                /// How much the mean counts, a count of candles.
                #[range(1..=$most)]
                weight: usize = 3,
            }
        }

        #[derive(Debug)]
        struct Version;

        impl Strategy for Version {
            type Parameters = Parameters;

            const ID: &'static str = "versions";
            const NAME: &'static str = "Versions";
            const VERSION: &'static str = $version;
            const DESCRIPTION: &'static str = "Has a signal for every candle.";
            const LOOKBACK: u32 = 20;
            const COLUMNS: &'static [Column] = &[Column::Close];

            fn evaluate(
                _context: &Context,
                window: Window<'_>,
                _extra: &[Window<'_>],
                parameters: &Parameters,
            ) -> Result<Option<Signal>, Fault> {
                window.require(1)?;
                let close = window.close().newest();
                let signal = Signal::new(Action::$action, 0.8)
                    .stop_loss(close * $stop)
                    .take_profit(close * $target)
                    .metadata("weight", parameters.weight);
                Ok(Some(signal))
            }
        }

        export!(Version);
    };
}
