//! What requests have in common: how they are read, and how unreadable ones are refused.

pub(super) mod ambiguous;
pub(super) mod body;
pub(super) mod condition;
pub(super) mod cross_site;
pub(super) mod fields;
pub(super) mod refusals;
pub(super) mod target;
pub(super) mod turns;
pub(super) mod unread;
pub(super) mod write;
