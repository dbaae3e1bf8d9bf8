//! The first version.

ta_bot_guest_versions::version!("1.0.0", Buy, stop 0.98, target 1.04, weight up to 20);
