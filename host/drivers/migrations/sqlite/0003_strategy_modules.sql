-- The bytes of modules by their SHA-256, so that a signal can be replayed when its module has been replaced.
CREATE TABLE strategy_modules (
    digest  TEXT    PRIMARY KEY,
    size    INTEGER NOT NULL,
    kept_at INTEGER NOT NULL,
    bytes   BLOB    NOT NULL
) STRICT;

PRAGMA user_version = 3;
