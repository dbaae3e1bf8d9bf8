-- Candles that an operator changed by hand. A running service reads the newest rows to learn what it has to read again.
CREATE TABLE candle_repairs (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    symbol     TEXT    NOT NULL,
    timeframe  TEXT    NOT NULL,
    kind       TEXT    NOT NULL CHECK (kind IN ('replace', 'delete')),
    first_open INTEGER NOT NULL,
    last_open  INTEGER NOT NULL,
    added      INTEGER NOT NULL,
    changed    INTEGER NOT NULL,
    removed    INTEGER NOT NULL,
    changed_by TEXT    NOT NULL,
    claimed_by TEXT,
    reason     TEXT,
    changed_at INTEGER NOT NULL
) STRICT;

-- What strategies decide on the changed candles, beside the signals that were made of the old ones. Nothing of this is
-- published.
CREATE TABLE redecisions (
    repair       INTEGER NOT NULL REFERENCES candle_repairs (number),
    timeframe    TEXT    NOT NULL,
    candle_close INTEGER NOT NULL,
    symbol       TEXT    NOT NULL,
    strategy     TEXT    NOT NULL,
    module       TEXT    NOT NULL,
    outcome      TEXT    NOT NULL,
    signal_id    TEXT,
    message      TEXT,
    decided_at   INTEGER NOT NULL,
    PRIMARY KEY (repair, timeframe, candle_close, symbol, strategy)
) STRICT, WITHOUT ROWID;

INSERT INTO schema_changes (version, oldest) VALUES (15, 10);
