//! Writes lines to the host's log. The host limits their volume, and a line is formatted whether or not anyone reads
//! it, so do not log on the usual path of a rule.

use core::fmt::Arguments;

pub use crate::bindings::ta_bot::strategy::log::Level;
pub use crate::{debug, error, info, warn};

/// Writes one line. The macros of this module take a format string instead.
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::ta_bot::strategy::log::write(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}

/// Used by the macros.
#[doc(hidden)]
pub fn write_formatted(level: Level, message: Arguments<'_>) {
    match message.as_str() {
        Some(text) => write(level, text),
        None => write(level, &message.to_string()),
    }
}

/// Logs at level debug, with the arguments of [`format!`].
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log::write_formatted($crate::log::Level::Debug, ::core::format_args!($($message)+)) };
}

/// Logs at level info, with the arguments of [`format!`].
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log::write_formatted($crate::log::Level::Info, ::core::format_args!($($message)+)) };
}

/// Logs at level warn, with the arguments of [`format!`].
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log::write_formatted($crate::log::Level::Warn, ::core::format_args!($($message)+)) };
}

/// Logs at level error, with the arguments of [`format!`].
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log::write_formatted($crate::log::Level::Error, ::core::format_args!($($message)+)) };
}
