-- The bundles of evaluations that failed: the newest of each module. The document, compressed by gzip, comes last, so that a
-- list is read without it.
CREATE TABLE failures (
    sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    strategy     TEXT    NOT NULL,
    module       TEXT    NOT NULL,
    symbol       TEXT    NOT NULL,
    timeframe    TEXT    NOT NULL,
    candle_close INTEGER NOT NULL,
    code         TEXT    NOT NULL,
    message      TEXT    NOT NULL,
    at           INTEGER NOT NULL,
    document     BLOB    NOT NULL
) STRICT;

CREATE INDEX failures_of_module ON failures (module, sequence);
CREATE INDEX failures_of_strategy ON failures (strategy, sequence);
CREATE INDEX failures_of_symbol ON failures (symbol, sequence);

PRAGMA user_version = 6;
