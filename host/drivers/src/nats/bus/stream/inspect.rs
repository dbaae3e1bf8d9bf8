//! Says in the log what a stream does not do for us, and what to do about it.

use async_nats::jetstream::stream::{Config, DiscardPolicy, Republish, RetentionPolicy, StorageType};

use super::DUPLICATE_WINDOW;

/// Inspects the stream of signals. `wanted` is what it has to pass on to readers, if it has to.
pub(super) fn inspect(config: &Config, wanted: Option<&Republish>) {
    if config.duplicate_window < DUPLICATE_WINDOW {
        tracing::warn!(
            stream = config.name,
            window_seconds = config.duplicate_window.as_secs(),
            wanted_seconds = DUPLICATE_WINDOW.as_secs(),
            "the stream of signals forgets ids too early: a signal that is published again after that is stored twice"
        );
    }
    if config.no_ack {
        tracing::error!(stream = config.name, "the stream of signals acknowledges nothing: no signal counts as sent");
    }
    if let Some(wanted) = wanted.filter(|wanted| config.republish.as_ref() != Some(*wanted)) {
        tracing::error!(
            stream = config.name,
            source = wanted.source,
            destination = wanted.destination,
            "this stream takes the signals and does not pass them on: plain subscribers see none. Let it republish from \
             this source to this destination, or delete it, and TA Bot makes its own"
        );
    }
    for loss in losses(config) {
        tracing::warn!(stream = config.name, "the stream of signals may lose what counts as published: {loss}");
    }
}

/// Inspects a stream of somebody else that takes the subject of readers, and so stores what is passed on to it.
pub(super) fn inspect_copy(config: &Config) {
    tracing::info!(stream = config.name, "this stream stores the signals, too, which are passed on to its subject");
    for loss in losses(config) {
        tracing::warn!(
            stream = config.name,
            "this stream stores the signals, too, and may lose some: {loss}. The stream of TA Bot has them all"
        );
    }
}

/// The ways in which a stream loses what it has acknowledged, each with what to do.
pub(crate) fn losses(config: &Config) -> Vec<String> {
    let mut losses = Vec::new();
    let is_bounded = config.max_bytes > 0 || config.max_messages > 0 || config.max_messages_per_subject > 0;
    if is_bounded && config.discard == DiscardPolicy::Old {
        losses.push(format!(
            "when it has {} it throws the oldest away; let it discard new messages instead, or take the bounds away",
            bounds(config)
        ));
    }
    if !config.max_age.is_zero() && config.max_age < DUPLICATE_WINDOW {
        let (hours, wanted) = (config.max_age.as_secs_f64() / 3600.0, DUPLICATE_WINDOW.as_secs() / 3600);
        losses.push(format!(
            "it keeps messages for {hours:.1} h, which a reader may be away for; let it keep them for {wanted} h at least"
        ));
    }
    if config.storage == StorageType::Memory {
        losses.push("it is in the memory of NATS, which a restart empties; let it be in files".to_owned());
    }
    match config.retention {
        RetentionPolicy::Limits => {}
        RetentionPolicy::Interest => losses.push(
            "it stores nothing while it has no consumers, and passes nothing on; let its retention be limits"
                .to_owned(),
        ),
        RetentionPolicy::WorkQueue => {
            losses.push("a message is gone when one consumer has read it; let its retention be limits".to_owned());
        }
    }
    losses
}

/// The bounds of a stream as words.
fn bounds(config: &Config) -> String {
    let bounds = [
        (config.max_bytes, "bytes"),
        (config.max_messages, "messages"),
        (config.max_messages_per_subject, "messages of one subject"),
    ];
    let set = bounds.iter().filter(|(bound, _)| *bound > 0).map(|(bound, what)| format!("{bound} {what}"));
    set.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_way_to_lose_a_signal_is_named_with_what_to_do() {
        assert_eq!(losses(&Config::default()), [""; 0]);
        let kept = Config { discard: DiscardPolicy::New, max_bytes: 1 << 20, ..Config::default() };
        assert_eq!(losses(&kept), [""; 0], "a full one refuses");
        let lossy = Config {
            discard: DiscardPolicy::Old,
            max_bytes: 4096,
            max_messages_per_subject: 1,
            max_age: Duration::from_mins(90),
            storage: StorageType::Memory,
            retention: RetentionPolicy::Interest,
            ..Config::default()
        };
        let told = losses(&lossy);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(
            told[0].contains("4096 bytes or 1 messages of one subject") && told[0].contains("discard new"),
            "{told:?}"
        );
        assert!(told[1].contains("1.5 h") && told[1].contains("72 h"), "{told:?}");
    }
}
