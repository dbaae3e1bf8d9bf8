-- Every candle of the series up to `decided_to` counts as decided, since jobs or signals of that time were removed.
ALTER TABLE begun_series ADD COLUMN decided_to INTEGER;

-- Up to which moment rows of each kind were ever removed.
CREATE TABLE retention (
    kind       TEXT    NOT NULL PRIMARY KEY,
    removed_to INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Finds the oldest signals.
CREATE INDEX signals_created ON signals (created_at);

INSERT INTO schema_changes (version, oldest) VALUES (17, 10);
