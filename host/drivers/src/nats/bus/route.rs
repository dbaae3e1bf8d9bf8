//! The way of a signal from the service to its readers.

use std::str::FromStr;

use ta_bot_engine::signals::subject::SignalSubject;
use thiserror::Error;

use crate::nats::bounds::Bounds;

/// Where signals go, and how.
#[derive(Debug, Clone)]
pub struct SignalRoute {
    /// The subject that readers know.
    pub subject: SignalSubject,
    /// How signals come to be sent to it.
    pub delivery: Delivery,
    /// The bounds of the stream.
    pub bounds: Bounds,
}

/// How signals come to be sent to the subject that readers know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// They are published under a subject of our own, and the stream passes each on when it stores it. A plain
    /// subscriber sees each at most once.
    #[default]
    Republish,
    /// They are published under that subject. A plain subscriber sees a signal each time that it is sent, with a reply
    /// subject that is not meant for it.
    Direct,
}

/// Why a text names no delivery.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("give republish or direct")]
pub struct DeliveryError;

impl FromStr for Delivery {
    type Err = DeliveryError;

    fn from_str(text: &str) -> Result<Self, DeliveryError> {
        match text {
            "republish" => Ok(Self::Republish),
            "direct" => Ok(Self::Direct),
            _ => Err(DeliveryError),
        }
    }
}
