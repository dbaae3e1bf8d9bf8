//! Connects the WIT to a [`Strategy`]: what the exports of a component do. The same functions run natively under
//! [`testing`](crate::testing), so a test sees what the host sees.

use core::marker::PhantomData;

use crate::bindings::exports::ta_bot::strategy::strategy::Guest;
use crate::bindings::ta_bot::strategy::types::{
    Candles, Columns, Description, ExtraInput, InputSymbol, InputTimeframe, Parameter as DescribedParameter,
};
use crate::{Column, Context, Fault, Input, Parameter, ParameterSet, Signal, Strategy, Value, Window};

/// The exports of a strategy's component.
#[derive(Debug)]
pub struct Component<S>(PhantomData<S>);

impl<S: Strategy> Guest for Component<S> {
    fn describe() -> Description {
        report_panics();
        describe::<S>()
    }

    fn check(parameters: Vec<(String, Value)>) -> Result<(), String> {
        report_panics();
        parse::<S>(&parameters).map(|_| ()).map_err(|fault| match fault {
            Fault::InvalidParameters(message) | Fault::Failed(message) => message,
            Fault::InsufficientData(_) => "too few candles".into(),
        })
    }

    fn evaluate(
        context: Context,
        base: Candles,
        extra: Vec<Candles>,
        parameters: Vec<(String, Value)>,
    ) -> Result<Option<Signal>, Fault> {
        report_panics();
        evaluate::<S>(&context, &base, &extra, &parameters)
    }
}

/// Exports a strategy as a component. Write `export!(MyStrategy);` once in the crate.
///
/// On targets other than WebAssembly, it only checks that the type is a strategy.
#[macro_export]
macro_rules! export {
    ($Strategy:ty) => {
        const _: fn() = $crate::__private::exportable::<$Strategy>;

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the exports of a component are raw functions")]
        const _: () = {
            type Component = $crate::__private::Component<$Strategy>;
    $crate::bindings::export!(Component with_types_in $crate::bindings);
        };
    };
}

pub(crate) fn describe<S: Strategy>() -> Description {
    Description {
        id: S::ID.into(),
        name: S::NAME.into(),
        version: S::VERSION.into(),
        description: S::DESCRIPTION.into(),
        lookback: S::LOOKBACK,
        columns: flags(S::COLUMNS),
        timeframes: S::TIMEFRAMES.iter().map(|&timeframe| timeframe.into()).collect(),
        extra: S::EXTRA.iter().map(described_input).collect(),
        parameters: S::Parameters::declare().into_iter().map(described_parameter).collect(),
    }
}

pub(crate) fn evaluate<S: Strategy>(
    context: &Context,
    base: &Candles,
    extra: &[Candles],
    parameters: &[(String, Value)],
) -> Result<Option<Signal>, Fault> {
    let parameters = parse::<S>(parameters)?;
    let window = Window::new(base, S::COLUMNS, "base")?;
    if extra.len() != S::EXTRA.len() {
        return Err(Fault::Failed(format!("{} extra series where {} are declared", extra.len(), S::EXTRA.len())));
    }
    let mut windows = Vec::with_capacity(extra.len());
    for (index, (candles, input)) in extra.iter().zip(S::EXTRA).enumerate() {
        windows.push(Window::new(candles, input.columns, EXTRA_NAMES.get(index).unwrap_or(&"extra"))?);
    }
    S::evaluate(context, window, &windows, &parameters)
}

/// The names of extra series in error messages. Formatting them on each evaluation would cost more than it is worth.
const EXTRA_NAMES: [&str; 4] = ["extra 1", "extra 2", "extra 3", "extra 4"];

fn parse<S: Strategy>(parameters: &[(String, Value)]) -> Result<S::Parameters, Fault> {
    let parameters = S::Parameters::parse(parameters)?;
    S::check(&parameters).map_err(Fault::InvalidParameters)?;
    Ok(parameters)
}

fn described_input(input: &Input) -> ExtraInput {
    ExtraInput {
        symbol: input.symbol.map_or(InputSymbol::Own, |symbol| InputSymbol::Fixed(symbol.into())),
        timeframe: input
            .timeframe
            .map_or(InputTimeframe::NextHigher, |timeframe| InputTimeframe::Fixed(timeframe.into())),
        lookback: input.lookback,
        columns: flags(input.columns),
    }
}

fn described_parameter(parameter: Parameter) -> DescribedParameter {
    DescribedParameter {
        name: parameter.name.into(),
        description: parameter.description.split_whitespace().collect::<Vec<_>>().join(" "),
        kind: parameter.kind,
        default: parameter.default,
        min: parameter.bounds.min,
        max: parameter.bounds.max,
        choices: parameter.choices.iter().map(|&choice| choice.into()).collect(),
    }
}

fn flags(columns: &[Column]) -> Columns {
    columns.iter().fold(Columns::empty(), |flags, column| {
        flags
            | match column {
                Column::OpenTime => Columns::OPEN_TIME,
                Column::Open => Columns::OPEN,
                Column::High => Columns::HIGH,
                Column::Low => Columns::LOW,
                Column::Close => Columns::CLOSE,
                Column::Volume => Columns::VOLUME,
            }
    })
}

/// Makes a panic write its message to the host's log before it becomes a trap, which says nothing about its cause.
fn report_panics() {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| crate::log::write(crate::log::Level::Error, &panic.to_string())));
}

#[cfg(test)]
mod tests;
