-- Since when a dead job is to be tried again, if it is.
ALTER TABLE dead_jobs ADD COLUMN retried_at INTEGER;

CREATE INDEX dead_jobs_retried ON dead_jobs (retried_at, candle_close, timeframe, symbol) WHERE retried_at IS NOT NULL;

PRAGMA user_version = 2;
