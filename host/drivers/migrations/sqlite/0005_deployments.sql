-- Which module decides for a strategy, and from which candle close on: a log that only grows. It lies beside the finished
-- jobs so that one transaction can compare both.
CREATE TABLE deployments (
    revision     INTEGER PRIMARY KEY,
    strategy_id  TEXT    NOT NULL,
    action       TEXT    NOT NULL,
    deployment   TEXT    NOT NULL,
    decides_from INTEGER NOT NULL,
    changed_by   TEXT    NOT NULL,
    reason       TEXT,
    changed_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX deployments_of_strategy ON deployments (strategy_id, revision);

-- The newest revision, which every commit looks at.
CREATE TABLE deployment_head (
    id       INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL
) STRICT;

INSERT INTO deployment_head (id, revision) VALUES (1, 0);

PRAGMA user_version = 5;
