-- What is known of a module that somebody uploaded: how it came here, and what was found out about it. Beside the bytes
-- and not behind them, so that it is read and written without them.
CREATE TABLE uploaded_modules (
    digest    TEXT PRIMARY KEY,
    upload    TEXT NOT NULL,
    judgement TEXT
) STRICT;

PRAGMA user_version = 4;
