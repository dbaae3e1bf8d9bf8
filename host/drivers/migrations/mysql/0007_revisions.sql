-- TA Bot's own tables, version 7: closed candles that changed after the service had read them, the newest changes. The
-- numbers before and after the change are JSON; those after it are NULL if the candle is gone. Can be repeated.
CREATE TABLE IF NOT EXISTS `ta_bot_revisions` (
    `sequence`   BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `id`         CHAR(64)     NOT NULL,
    `symbol`     VARCHAR(20)  NOT NULL,
    `timeframe`  VARCHAR(4)   NOT NULL,
    `open_time`  BIGINT       NOT NULL,
    `old`        VARCHAR(255) NOT NULL,
    `new`        VARCHAR(255) NULL,
    `noticed_at` BIGINT       NOT NULL,
    UNIQUE INDEX `ta_bot_revisions_id` (`id`)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
