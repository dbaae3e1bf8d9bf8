#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking"))]

#[cfg(target_arch = "wasm32")]
mod allocator;
#[doc(hidden)]
pub mod bindings;
mod candle;
mod component;
pub mod indicators;
pub mod log;
mod parameters;
mod price;
mod series;
mod signal;
mod strategy;
pub mod testing;
mod window;

pub use bindings::ta_bot::strategy::types::{Action, Context, Fault, Signal, Strength, Value};
pub use candle::Candle;
pub use parameters::{Bounds, Kind, Optional, Parameter, ParameterSet, ParameterType, Ranged, Reader};
pub use price::{fixed, price};
pub use series::Series;
pub use strategy::{Column, Input, Strategy};
pub use window::Window;

/// What a strategy usually needs: `use ta_bot_sdk::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Action, Candle, Column, Context, Fault, Input, Series, Signal, Strategy, Strength, Value, Window, choices,
        export, fixed, in_order, indicators, log, parameters, price,
    };
}

/// Used by the macros of this crate; not part of its public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::component::Component;
    pub use crate::parameters::{below, not_above};

    /// Fails to compile for a type that is not a strategy, even if no component is built.
    pub fn exportable<S: crate::Strategy>() {}
}
