-- TA Bot's own tables, version 3: the bundles of evaluations that failed, the newest of each module. The document is
-- compressed by gzip. Can be repeated.
CREATE TABLE IF NOT EXISTS `ta_bot_failures` (
    `sequence`     BIGINT      NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `id`           CHAR(64)    NOT NULL,
    `strategy`     VARCHAR(64) NOT NULL,
    `module`       CHAR(64)    NOT NULL,
    `symbol`       VARCHAR(20) NOT NULL,
    `timeframe`    VARCHAR(4)  NOT NULL,
    `candle_close` BIGINT      NOT NULL,
    `code`         VARCHAR(64) NOT NULL,
    `message`      TEXT        NOT NULL,
    `at`           BIGINT      NOT NULL,
    `document`     LONGBLOB    NOT NULL,
    UNIQUE INDEX `ta_bot_failures_id` (`id`),
    INDEX `ta_bot_failures_module` (`module`, `sequence`),
    INDEX `ta_bot_failures_strategy` (`strategy`, `sequence`),
    INDEX `ta_bot_failures_symbol` (`symbol`, `sequence`)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
