//! Reads `MYSQL_URI`.

use std::{fmt, str::FromStr};

use sqlx::mysql::MySqlConnectOptions;
use thiserror::Error;

/// The address of the database. It is shown without user and password.
#[derive(Clone)]
pub struct MysqlUri {
    options: MySqlConnectOptions,
    database: String,
}

/// Why a text is not such a URI. The error does not repeat the text, which contains a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MysqlUriError {
    /// Another scheme.
    #[error("it does not begin with mysql:// or mysql+pymysql://")]
    Scheme,
    /// No name of a database.
    #[error("it names no database: give mysql://user:password@host:3306/database")]
    NoDatabase,
    /// A parameter that would be ignored although its writer relies on it.
    #[error("{0} is no parameter that is known: give ssl-mode, ssl-ca, ssl-cert or ssl-key")]
    Parameter(String),
    /// Anything else.
    #[error(
        "it can't be read: give mysql://user:password@host:3306/database, with @ : / ? # and % in user and password \
         percent-encoded (@ is %40)"
    )]
    Unreadable,
}

/// The parameters of TLS that the driver reads.
const TLS_PARAMETERS: [&str; 8] =
    ["sslmode", "ssl-mode", "sslca", "ssl-ca", "sslcert", "ssl-cert", "sslkey", "ssl-key"];

impl MysqlUri {
    /// The options with which the driver connects.
    pub(super) const fn options(&self) -> &MySqlConnectOptions {
        &self.options
    }

    /// The host and the port on which the server listens.
    pub(super) fn host_and_port(&self) -> (String, u16) {
        (self.options.get_host().to_owned(), self.options.get_port())
    }
}

impl FromStr for MysqlUri {
    type Err = MysqlUriError;

    fn from_str(text: &str) -> Result<Self, MysqlUriError> {
        let text = text.trim();
        let rest = text.strip_prefix("mysql://").or_else(|| text.strip_prefix("mysql+pymysql://"));
        let rest = rest.ok_or(MysqlUriError::Scheme)?;
        let parameters = rest.split_once('?').map_or("", |(_, parameters)| parameters);
        let names = parameters.split('&').filter_map(|parameter| parameter.split('=').next());
        // An unencoded / or ? ends the password early; then the rest of it stands where the database or a parameter
        // would.
        let behind_host = rest.split_once(['/', '?', '#']).map_or("", |(_, behind)| behind);
        if behind_host.contains('@') {
            return Err(MysqlUriError::Unreadable);
        }
        if let Some(name) = names.into_iter().find(|name| name.starts_with("ssl") && !TLS_PARAMETERS.contains(name)) {
            return Err(MysqlUriError::Parameter(name.to_owned()));
        }
        let options: MySqlConnectOptions = format!("mysql://{rest}").parse().map_err(|_| MysqlUriError::Unreadable)?;
        let database = options.get_database().ok_or(MysqlUriError::NoDatabase)?.to_owned();
        Ok(Self { options, database })
    }
}

impl fmt::Display for MysqlUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.options.get_host(), self.options.get_port(), self.database)
    }
}

impl fmt::Debug for MysqlUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemes_are_taken_and_nothing_secret_is_shown() {
        for scheme in ["mysql", "mysql+pymysql"] {
            let text = format!("{scheme}://ta%40bot:p%40ss%2Fw%3Ard@db.example:3307/petrosa?charset=utf8mb4");
            let uri: MysqlUri = text.parse().unwrap();
            assert_eq!(uri.options().get_username(), "ta@bot");
            assert!(format!("{:?}", uri.options()).contains("p@ss/w:rd"), "the password is decoded");
            assert_eq!((uri.to_string(), format!("{uri:?}")), ("db.example:3307/petrosa".into(), uri.to_string()));
        }
        let usual: MysqlUri = "mysql://root@localhost/petrosa".parse().unwrap();
        assert_eq!(usual.host_and_port(), ("localhost".to_owned(), 3306));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_text() {
        let told = |text: &str| text.parse::<MysqlUri>().unwrap_err();
        assert_eq!(told("postgres://user:secret@host/db"), MysqlUriError::Scheme);
        assert_eq!(told("mysql://user:secret@host"), MysqlUriError::NoDatabase);
        assert_eq!(told("mysql://user:secret@host:port/db"), MysqlUriError::Unreadable);
        assert_eq!(told("mysql://user:sec/ret@host/db"), MysqlUriError::Unreadable);
        for early in
            ["mysql://user:12/secret@host/db", "mysql://user:12?ssl-secret@host/db", "mysql://user:12#secret@host/db"]
        {
            assert_eq!(told(early), MysqlUriError::Unreadable, "{early}");
        }
        assert_eq!(told("mysql://u:secret@host/db?ssl_ca=/ca.pem"), MysqlUriError::Parameter("ssl_ca".to_owned()));
        for text in ["mysql://user:secret@host:port/db", "mysql://user:secret@host/db?ssl-mode=secret"] {
            assert!(!told(text).to_string().contains("secret"));
        }
    }
}
