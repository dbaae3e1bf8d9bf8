//! The second version.

ta_bot_guest_versions::version!("2.0.0", Sell, stop 1.02, target 0.96, weight up to 10);
