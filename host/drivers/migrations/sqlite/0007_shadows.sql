-- What modules that look beside those that decide would have changed. `began` is the revision of the log of deployments with
-- which such a module began.
CREATE TABLE shadow_comparisons (
    began        INTEGER NOT NULL,
    timeframe    TEXT    NOT NULL,
    candle_close INTEGER NOT NULL,
    symbol       TEXT    NOT NULL,
    comparison   TEXT    NOT NULL,
    -- Whether both outcomes are there to be shown.
    listed       INTEGER NOT NULL,
    incumbent    TEXT,
    candidate    TEXT,
    PRIMARY KEY (began, timeframe, candle_close, symbol)
) STRICT, WITHOUT ROWID;

CREATE INDEX shadow_comparisons_listed ON shadow_comparisons (began, listed, candle_close, timeframe, symbol);

-- They stay when the rows are removed in which the two agreed.
CREATE TABLE shadow_counts (
    began      INTEGER NOT NULL,
    comparison TEXT    NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (began, comparison)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 7;
