-- What evaluations cost, by hour, strategy, module and symbol. Hours are milliseconds since the Unix epoch, UTC.
CREATE TABLE costs (
    hour          INTEGER NOT NULL,
    strategy      TEXT    NOT NULL,
    module        BLOB    NOT NULL,
    symbol        TEXT    NOT NULL,
    evaluations   INTEGER NOT NULL,
    signals       INTEGER NOT NULL,
    failures      INTEGER NOT NULL,
    total_nanos   INTEGER NOT NULL,
    bytes_in      INTEGER NOT NULL,
    bytes_out     INTEGER NOT NULL,
    longest_nanos INTEGER NOT NULL,
    peak_memory   INTEGER NOT NULL,
    PRIMARY KEY (hour, strategy, module, symbol)
) STRICT, WITHOUT ROWID;

PRAGMA user_version = 8;
