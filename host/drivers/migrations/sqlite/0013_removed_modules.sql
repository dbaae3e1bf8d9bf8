-- Modules that an operator removed. The removal and how the module had been uploaded are JSON; the second is null for one that
-- was not uploaded.
CREATE TABLE removed_modules (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    upload TEXT,
    removal TEXT NOT NULL
) STRICT;

INSERT INTO schema_changes (version, oldest) VALUES (13, 10);
