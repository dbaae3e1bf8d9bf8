-- Closed candles that changed after the service had read them, the newest changes. The numbers before and after the change
-- are JSON; those after it are NULL if the candle is gone.
CREATE TABLE revisions (
    sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT    NOT NULL UNIQUE,
    symbol     TEXT    NOT NULL,
    timeframe  TEXT    NOT NULL,
    open_time  INTEGER NOT NULL,
    old        TEXT    NOT NULL,
    new        TEXT,
    noticed_at INTEGER NOT NULL
) STRICT;

PRAGMA user_version = 10;
