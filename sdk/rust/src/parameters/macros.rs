//! The macros with which an author declares parameters.

/// Declares the parameters of a strategy as one struct, which provides their description, their typed values and the
/// checks of type and range.
///
/// * The doc comment of a field is its description for operators: one sentence, with the unit.
/// * `#[range(a..=b)]` bounds an `i32`, `usize` or `f64`; `a..` and `..=b` leave one end open.
/// * The type is `bool`, `i32`, `usize` (a count: periods are this), `f64`, `String`, an enum made by
///   [`choices!`](crate::choices), or an `Option` of these.
/// * An `Option` has no default and is `None` if nobody set it; everything else has a default.
///
/// ```
/// use ta_bot_sdk::{choices, parameters};
///
/// choices! {
///     /// What counts as a signal.
///     pub enum Trigger {
///         /// Coming back over the threshold.
///         Cross = "cross",
///         /// Being beyond it.
///         Level = "level",
///     }
/// }
///
/// parameters! {
///     /// The parameters of the rule.
///     pub struct Parameters {
///         /// Length of the average, in candles.
///         #[range(2..=200)]
///         period: usize = 14,
///         /// What counts as a signal.
///         trigger: Trigger = Trigger::Cross,
///         /// Length of the trend filter, in candles. None: no filter.
///         #[range(2..)]
///         trend_period: Option<usize>,
///     }
/// }
///
/// assert_eq!(Parameters::default().period, 14);
/// ```
///
/// A parameter with neither a default nor an `Option` does not compile:
///
/// ```compile_fail
/// ta_bot_sdk::parameters! {
///     pub struct Parameters {
///         /// Length of the average, in candles.
///         period: usize,
///     }
/// }
/// ```
#[macro_export]
macro_rules! parameters {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $Set:ident {
            $(
                $(#[doc = $doc:literal])+
                $(#[range($range:expr)])?
                $field:ident : $Type:ty $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        $visibility struct $Set {
            $(
                $(#[doc = $doc])+
                pub $field: $Type,
            )*
        }

        impl ::core::default::Default for $Set {
            fn default() -> Self {
                Self { $($field: $crate::__default!($Type $(, $default)?),)* }
            }
        }

        impl $crate::ParameterSet for $Set {
            fn declare() -> ::std::vec::Vec<$crate::Parameter> {
                ::std::vec![$(
                    $crate::Parameter {
                        name: ::core::stringify!($field),
                        description: ::std::string::String::from(::core::concat!($($doc, "\n"),+)),
                        kind: <$Type as $crate::ParameterType>::KIND,
                        default: <$Type as $crate::ParameterType>::into_value($crate::__default!($Type $(, $default)?)),
                        bounds: $crate::__bounds!($Type $(, $range)?),
                        choices: <$Type as $crate::ParameterType>::CHOICES,
                    }
                ),*]
            }

            fn parse(values: &[(::std::string::String, $crate::Value)]) -> ::core::result::Result<Self, $crate::Fault> {
                let mut reader = $crate::Reader::new(values);
                let parsed = Self {
                    $(
                        $field: match reader.read::<$Type>(
                            ::core::stringify!($field),
                            $crate::__bounds!($Type $(, $range)?),
                        )? {
                            ::core::option::Option::Some(value) => value,
                            ::core::option::Option::None => $crate::__default!($Type $(, $default)?),
                        },
                    )*
                };
                reader.finish()?;
                ::core::result::Result::Ok(parsed)
            }
        }
    };
}

/// Declares an enum whose variants are the texts that a parameter may take.
///
/// ```
/// ta_bot_sdk::choices! {
///     /// Which side may be traded.
///     pub enum Side {
///         /// Buys only.
///         Long = "long",
///         /// Sells only.
///         Short = "short",
///     }
/// }
///
/// assert_eq!(Side::Long.as_str(), "long");
/// ```
#[macro_export]
macro_rules! choices {
    (
        $(#[$meta:meta])*
        $visibility:vis enum $Choice:ident {
            $($(#[$variant_meta:meta])* $Variant:ident = $text:literal),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $Choice {
            $($(#[$variant_meta])* $Variant,)+
        }

        impl $Choice {
            /// The text that stands for this choice in a parameter.
            $visibility const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Variant => $text,)+
                }
            }
        }

        impl $crate::ParameterType for $Choice {
            const KIND: $crate::Kind = $crate::Kind::Text;
            const CHOICES: &'static [&'static str] = &[$($text),+];

            fn from_value(value: &$crate::Value) -> ::core::option::Option<Self> {
                let $crate::Value::Text(text) = value else { return ::core::option::Option::None };
                match text.as_str() {
                    $($text => ::core::option::Option::Some(Self::$Variant),)+
                    _ => ::core::option::Option::None,
                }
            }

            fn into_value(self) -> ::core::option::Option<$crate::Value> {
                ::core::option::Option::Some($crate::Value::Text(self.as_str().into()))
            }
        }
    };
}

/// Refuses parameters that are out of order, with their names and values. This is what
/// [`Strategy::check`](crate::Strategy::check) mostly does. `<` requires a parameter to be below the next one, `<=`
/// not to be above it.
///
/// ```
/// use ta_bot_sdk::{in_order, parameters};
///
/// parameters! {
///     /// The parameters of the rule.
///     pub struct Parameters {
///         /// Length of the fast average, in candles.
///         fast: usize = 8,
///         /// Length of the slow average, in candles.
///         slow: usize = 80,
///         /// Length of the trend, in candles.
///         trend: usize = 80,
///     }
/// }
///
/// let check = |parameters: &Parameters| in_order!(parameters, fast < slow <= trend);
/// assert_eq!(check(&Parameters::default()), Ok(()));
/// let refused = check(&Parameters { fast: 80, ..Parameters::default() });
/// assert_eq!(refused, Err("fast = 80 must be below slow = 80".into()));
/// let refused = check(&Parameters { trend: 79, ..Parameters::default() });
/// assert_eq!(refused, Err("slow = 80 must not be above trend = 79".into()));
/// ```
#[macro_export]
macro_rules! in_order {
    ($parameters:ident, $low:ident < $high:ident $($rest:tt)*) => {
        $crate::__private::below(
            (::core::stringify!($low), $parameters.$low),
            (::core::stringify!($high), $parameters.$high),
        )
        .and_then(|()| $crate::in_order!($parameters, $high $($rest)*))
    };
    ($parameters:ident, $low:ident <= $high:ident $($rest:tt)*) => {
        $crate::__private::not_above(
            (::core::stringify!($low), $parameters.$low),
            (::core::stringify!($high), $parameters.$high),
        )
        .and_then(|()| $crate::in_order!($parameters, $high $($rest)*))
    };
    ($parameters:ident, $highest:ident) => {
        ::core::result::Result::<(), ::std::string::String>::Ok(())
    };
}

/// The declared default, or `None` for an optional parameter.
#[doc(hidden)]
#[macro_export]
macro_rules! __default {
    ($Type:ty) => {
        <$Type as $crate::Optional>::NONE
    };
    ($Type:ty, $default:expr) => {{
        let default: $Type = $default;
        default
    }};
}

/// The declared bounds, or those of the type.
#[doc(hidden)]
#[macro_export]
macro_rules! __bounds {
    ($Type:ty) => {
        <$Type as $crate::ParameterType>::BOUNDS
    };
    ($Type:ty, $range:expr) => {
        <$Type as $crate::Ranged>::bounds($range)
    };
}
