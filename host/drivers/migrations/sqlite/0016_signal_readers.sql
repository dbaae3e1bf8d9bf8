-- How far readers of signals have come, such as receivers of webhooks: the text of a cursor.
CREATE TABLE signal_readers (
    name       TEXT    NOT NULL PRIMARY KEY,
    cursor     TEXT    NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO schema_changes (version, oldest) VALUES (16, 10);
