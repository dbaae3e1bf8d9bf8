-- TA Bot's own tables, version 13: up to which moment rows of each kind were ever removed, in milliseconds since the Unix
-- epoch, UTC. Can be repeated.
CREATE TABLE IF NOT EXISTS `ta_bot_retention` (
    `kind`       VARCHAR(20) NOT NULL PRIMARY KEY,
    `removed_to` BIGINT      NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
