-- TA Bot's own tables, version 4: what modules that look beside those that decide would have changed. `began` is the
-- revision of the log of deployments with which such a module began. All statements can be repeated.
-- Moments are milliseconds since the Unix epoch, UTC.
CREATE TABLE IF NOT EXISTS `ta_bot_shadow_comparisons` (
    `began`        BIGINT      NOT NULL,
    `timeframe`    VARCHAR(4)  NOT NULL,
    `candle_close` BIGINT      NOT NULL,
    `symbol`       VARCHAR(20) NOT NULL,
    `comparison`   VARCHAR(16) NOT NULL,
    `listed`       TINYINT     NOT NULL,
    `incumbent`    MEDIUMTEXT  NULL,
    `candidate`    MEDIUMTEXT  NULL,
    PRIMARY KEY (`began`, `timeframe`, `candle_close`, `symbol`),
    INDEX `ta_bot_shadow_comparisons_listed` (`began`, `listed`, `candle_close`, `timeframe`, `symbol`)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- They stay when the rows are removed in which the two agreed.
CREATE TABLE IF NOT EXISTS `ta_bot_shadow_counts` (
    `began`      BIGINT      NOT NULL,
    `comparison` VARCHAR(16) NOT NULL,
    `count`      BIGINT      NOT NULL,
    PRIMARY KEY (`began`, `comparison`)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
