-- When a signal that waited to be sent was found to be too old for that. It waits no more, and is never sent.
ALTER TABLE signals ADD COLUMN expired_at INTEGER;

DROP INDEX signals_unpublished;
CREATE INDEX signals_waiting ON signals (sequence, created_at) WHERE published_at IS NULL AND expired_at IS NULL;

PRAGMA user_version = 9;
