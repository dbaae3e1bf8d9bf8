-- When a signal that waited to be sent was found to be of an action that is not published. It waits no more, and is never
-- sent.
ALTER TABLE signals ADD COLUMN withheld_at INTEGER;

DROP INDEX signals_waiting;
CREATE INDEX signals_waiting ON signals (sequence, created_at)
    WHERE published_at IS NULL AND expired_at IS NULL AND withheld_at IS NULL;

INSERT INTO schema_changes (version, oldest) VALUES (12, 10);
