//! What the environment says about how long things are kept, and how much room the disk has to have.

use ta_bot_engine::{
    retention::kind::{FEWEST_DAYS_OF_SIGNALS, Keep, Kind, MOST_DAYS},
    support::room::LowWater,
};

use super::Reader;

impl<Get: Fn(&str) -> Option<String>> Reader<Get> {
    /// For how many days each kind is kept; 0 means for ever.
    pub(super) fn keep(&mut self) -> Keep {
        let mut keep = Keep::default();
        for kind in Kind::ALL {
            let name = kind.variable();
            let days = self.in_range(name, &kind.default_days().to_string(), 0, MOST_DAYS);
            if kind == Kind::Signals && (1..FEWEST_DAYS_OF_SIGNALS).contains(&days) {
                self.refuse(
                    name,
                    format!(
                        "{days} is not 0 (for ever) or a number from {FEWEST_DAYS_OF_SIGNALS} on: for a week signals can be \
                         compared with what the bus holds"
                    ),
                );
            }
            keep = keep.with(kind, days);
        }
        keep
    }

    /// How much of its disk `DATA_DIR` leaves to what can't wait.
    pub(super) fn low_water(&mut self) -> LowWater {
        const NAME: &str = "DISK_LOW_WATER_MB";
        if self.given(NAME).is_none() {
            return LowWater::Share;
        }
        match self.in_range(NAME, "0", 0_u64, 1 << 30) {
            0 => LowWater::Off,
            megabytes => LowWater::Bytes(megabytes << 20),
        }
    }
}
