//! Components stay small, so that many of them load at once and uploads are quick.

use ta_bot_tests::built_in::{bytes, ids};

const MOST_BYTES: usize = 120_000;

#[test]
fn every_component_is_small() {
    let ids = ids().unwrap();
    assert!(ids.len() >= 30, "{ids:?}");
    for id in ids {
        let size = bytes(&id).unwrap().len();
        assert!(size < MOST_BYTES, "{id} has {size} bytes");
    }
}
