//! `ta-bot local-key`: the key with which modules are changed over the API of a service without tokens.

use std::fmt;

use serde::Serialize;
use ta_bot_api::tokens::LocalKey;

use super::{
    Session,
    error::{CliError, shown},
    output::note,
};

/// Prints the key. It needs no store, so it works whatever state the service is in.
pub(super) fn local_key(session: &Session) -> Result<(), CliError> {
    let folder = &session.environment.data_dir;
    let key = LocalKey::text_in(folder).map_err(CliError::LocalKey)?;
    if session.environment.tokens_file.is_some() {
        note("warning: a service with API_TOKENS_FILE does not know this key: use an operator's token");
    }
    session.output.answer(&Kept { key, file: shown(&LocalKey::path_in(folder)) })
}

#[derive(Serialize)]
struct Kept {
    key: String,
    file: String,
}

impl fmt::Display for Kept {
    /// The key alone, for `curl -H "Authorization: Bearer $(ta-bot local-key)"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key)
    }
}
