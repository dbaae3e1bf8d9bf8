//! What the environment says about callers of the API.

use std::num::NonZeroU32;

use ta_bot_api::{
    access::{AllowedHosts, HeaderName, HostError},
    tokens::{MOST_PER_MINUTE, Role},
};

use super::{Environment, Reader};

impl<Get: Fn(&str) -> Option<String>> Reader<Get> {
    pub(super) fn token_header(&mut self) -> Option<HeaderName> {
        const NAME: &str = "API_TOKEN_HEADER";
        let text = self.given(NAME)?;
        let parsed = text.trim().parse::<HeaderName>();
        let allowed = "no name of a header: give one such as X-Internal-Token";
        parsed.map_err(|_| self.refuse(NAME, format!("{text:?} is {allowed}"))).ok()
    }

    /// The names under which requests without a token are answered, beside those of this machine.
    pub(super) fn allowed_hosts(&mut self) -> AllowedHosts {
        const NAME: &str = "HTTP_ALLOWED_HOSTS";
        let parsed = self.given(NAME).map(|text| text.parse::<AllowedHosts>()).transpose();
        parsed.map_err(|error: HostError| self.refuse(NAME, error.to_string())).ok().flatten().unwrap_or_default()
    }

    pub(super) fn requests_per_minute(&mut self) -> Option<NonZeroU32> {
        const NAME: &str = "API_REQUESTS_PER_MINUTE";
        self.given(NAME)?;
        NonZeroU32::new(self.in_range(NAME, "1", 1, MOST_PER_MINUTE))
    }

    /// Whoever reaches a service that listens on this machine only is on this machine. If the operator gives tokens,
    /// they are meant to be needed.
    pub(super) fn anonymous_role(&mut self, environment: &Environment) -> Option<Role> {
        const NAME: &str = "API_ANONYMOUS_ROLE";
        let is_open = environment.tokens_file.is_none() && environment.http_addr.ip().to_canonical().is_loopback();
        match self.given(NAME).as_deref().map(str::trim) {
            None => is_open.then_some(Role::Trader),
            Some("none") => None,
            Some("viewer") => Some(Role::Viewer),
            Some("trader") => Some(Role::Trader),
            Some(other) => {
                self.refuse(NAME, format!("{other:?} is none of none, viewer and trader"));
                None
            }
        }
    }
}
