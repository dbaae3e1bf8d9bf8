//! A number that survives JSON to the last bit.

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

/// A number of a window. JSON has no notation for NaN and the infinities, so they are written as a string of their
/// bits, such as `"0x7ff0000000000000"`. A store that was tampered with may hold such a number, and it may be why a
/// strategy failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exact(pub(super) f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else {
            serializer.collect_str(&format_args!("{:#018x}", self.0.to_bits()))
        }
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Exact;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, or its bits as a text such as \"0x7ff0000000000000\"")
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Exact, E> {
                Ok(Exact(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Exact, E> {
                Ok(Exact(value as f64))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Exact, E> {
                Ok(Exact(value as f64))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Exact, E> {
                let bits = text.strip_prefix("0x").filter(|digits| digits.len() == 16);
                let bits = bits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
                let value = bits.map(f64::from_bits).filter(|value| !value.is_finite());
                value.map(Exact).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Number)
    }
}
