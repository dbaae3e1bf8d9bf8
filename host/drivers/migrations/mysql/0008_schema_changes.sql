-- TA Bot's own tables, version 8: the changes from this one on, each with the oldest version that can work with the
-- tables after it. `ta_bot_schema` gets a row only for a change with which no older version can work, since versions up
-- to 7 read nothing else and stop at any newer row there.
CREATE TABLE IF NOT EXISTS `ta_bot_schema_changes` (
    `version`    INT         NOT NULL PRIMARY KEY,
    `oldest`     INT         NOT NULL,
    `applied_at` DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE = InnoDB;
