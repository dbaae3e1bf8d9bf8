//! What this binary was built of.

use ta_bot_api::health::Build;

use super::Reader;

/// The longest commit and date, since they are shown and label a metric.
const LONGEST: usize = 64;

impl<Get: Fn(&str) -> Option<String>> Reader<Get> {
    /// What was recorded when this binary was built, or else what the image says.
    pub(super) fn build(&self) -> Build {
        let of = |built: Option<&str>, name: &str| {
            let built = built.map(str::to_owned).filter(|text| !text.trim().is_empty()).or_else(|| self.given(name));
            built.map(|text| text.trim().chars().take(LONGEST).collect())
        };
        Build {
            commit: of(option_env!("TA_BOT_COMMIT"), "COMMIT_SHA"),
            date: of(option_env!("TA_BOT_BUILD_DATE"), "BUILD_DATE"),
        }
    }
}
