-- The embedded database, version 1. Moments are milliseconds since the Unix epoch, UTC.
-- A released file never changes: a change of the schema is a new file with the next number.

-- What is held of each symbol and timeframe. The counts change in the transaction that inserts candles, so that
-- listing series never has to count millions of rows.
CREATE TABLE series (
    id         INTEGER PRIMARY KEY,
    symbol     TEXT    NOT NULL,
    timeframe  TEXT    NOT NULL,
    candles    INTEGER NOT NULL DEFAULT 0,
    first_open INTEGER,
    last_open  INTEGER,
    UNIQUE (timeframe, symbol)
) STRICT;

CREATE TABLE candles (
    series    INTEGER NOT NULL REFERENCES series (id),
    open_time INTEGER NOT NULL,
    open      REAL    NOT NULL,
    high      REAL    NOT NULL,
    low       REAL    NOT NULL,
    close     REAL    NOT NULL,
    volume    REAL    NOT NULL,
    PRIMARY KEY (series, open_time)
) STRICT, WITHOUT ROWID;

-- For people with a SQL prompt: candles under the names of their series.
CREATE VIEW named_candles AS
SELECT s.symbol, s.timeframe, c.open_time, c.open, c.high, c.low, c.close, c.volume
FROM candles c JOIN series s ON s.id = c.series;

-- Parameters of strategies. The empty symbol is the global level.
CREATE TABLE strategy_configs (
    strategy_id TEXT    NOT NULL,
    symbol      TEXT    NOT NULL,
    parameters  TEXT    NOT NULL,
    version     INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    created_by  TEXT    NOT NULL,
    PRIMARY KEY (strategy_id, symbol)
) STRICT, WITHOUT ROWID;

-- The history outlives what it is about: versions go on from here after a deletion, and none comes twice.
CREATE TABLE strategy_config_audit (
    id             INTEGER PRIMARY KEY,
    strategy_id    TEXT    NOT NULL,
    symbol         TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    action         TEXT    NOT NULL CHECK (action IN ('CREATE', 'UPDATE', 'DELETE')),
    old_parameters TEXT,
    new_parameters TEXT,
    changed_by     TEXT    NOT NULL,
    changed_at     INTEGER NOT NULL,
    reason         TEXT,
    UNIQUE (strategy_id, symbol, version)
) STRICT;

CREATE INDEX strategy_config_audit_of_strategy ON strategy_config_audit (strategy_id, id);

CREATE TABLE app_config (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    settings   TEXT    NOT NULL,
    version    INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE app_config_audit (
    version      INTEGER PRIMARY KEY,
    action       TEXT    NOT NULL CHECK (action IN ('CREATE', 'UPDATE', 'DELETE')),
    old_settings TEXT,
    new_settings TEXT,
    changed_by   TEXT    NOT NULL,
    changed_at   INTEGER NOT NULL,
    reason       TEXT
) STRICT;

-- Signals, in the order of their commits: what is sent, and what was sent when.
CREATE TABLE signals (
    sequence     INTEGER PRIMARY KEY AUTOINCREMENT,
    signal_id    TEXT    NOT NULL UNIQUE,
    symbol       TEXT    NOT NULL,
    timeframe    TEXT    NOT NULL,
    period       TEXT    NOT NULL,
    signal_type  TEXT    NOT NULL,
    confidence   REAL    NOT NULL,
    strategy     TEXT    NOT NULL,
    metadata     TEXT    NOT NULL,
    timestamp    INTEGER NOT NULL,
    message      TEXT    NOT NULL,
    provenance   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    published_at INTEGER
) STRICT;

CREATE INDEX signals_unpublished ON signals (sequence, published_at, created_at) WHERE published_at IS NULL;
CREATE INDEX signals_of_strategy ON signals (strategy, sequence);
CREATE INDEX signals_of_symbol ON signals (symbol, sequence);

CREATE TABLE finished_jobs (
    timeframe    TEXT    NOT NULL,
    candle_close INTEGER NOT NULL,
    symbol       TEXT    NOT NULL,
    finished_at  INTEGER NOT NULL,
    PRIMARY KEY (timeframe, candle_close, symbol)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_jobs (
    timeframe    TEXT    NOT NULL,
    candle_close INTEGER NOT NULL,
    symbol       TEXT    NOT NULL,
    attempts     INTEGER NOT NULL,
    reason       TEXT    NOT NULL,
    died_at      INTEGER NOT NULL,
    PRIMARY KEY (timeframe, candle_close, symbol)
) STRICT, WITHOUT ROWID;

CREATE INDEX dead_jobs_newest ON dead_jobs (died_at DESC, candle_close DESC, symbol);

-- From which candle close on a series is looked at.
CREATE TABLE begun_series (
    timeframe    TEXT    NOT NULL,
    symbol       TEXT    NOT NULL,
    candle_close INTEGER NOT NULL,
    PRIMARY KEY (timeframe, symbol)
) STRICT, WITHOUT ROWID;

-- "TABT": tells our files from those of other programs.
PRAGMA application_id = 0x54414254;
PRAGMA user_version = 1;
