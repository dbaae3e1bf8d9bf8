-- The changes of the schema from this one on, each with the oldest version that can work with the file after it.
-- `user_version` grows only with a change with which no older version can work, since versions up to 10 read nothing else
-- and refuse any newer file.
CREATE TABLE schema_changes (
    version INTEGER PRIMARY KEY,
    oldest  INTEGER NOT NULL
) STRICT;

INSERT INTO schema_changes (version, oldest) VALUES (11, 10);
