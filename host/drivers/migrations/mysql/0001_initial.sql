-- TA Bot's own tables, version 1. A released file never changes: a change of the schema is a new file with the next
-- number. MySQL commits each of these statements by itself, so all of them can be repeated.

-- The columns that the service before this one had; 0001_signals.sql adds ours, to its table as well.
CREATE TABLE IF NOT EXISTS `signals` (
    `sequence`    BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `symbol`      VARCHAR(20)  NOT NULL,
    `timeframe`   VARCHAR(10)  NOT NULL,
    `period`      VARCHAR(10)  NOT NULL,
    `signal_type` VARCHAR(20)  NOT NULL,
    `confidence`  DOUBLE       NOT NULL,
    `strategy`    VARCHAR(64)  NOT NULL,
    `metadata`    JSON         NULL,
    `timestamp`   DATETIME(3)  NOT NULL,
    `created_at`  DATETIME(3)  NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- Moments of jobs are milliseconds since the Unix epoch, UTC: they are keys, and exact.
CREATE TABLE IF NOT EXISTS `finished_jobs` (
    `timeframe`    VARCHAR(4)  NOT NULL,
    `candle_close` BIGINT      NOT NULL,
    `symbol`       VARCHAR(20) NOT NULL,
    `finished_at`  BIGINT      NOT NULL,
    PRIMARY KEY (`timeframe`, `candle_close`, `symbol`)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `dead_jobs` (
    `timeframe`    VARCHAR(4)   NOT NULL,
    `candle_close` BIGINT       NOT NULL,
    `symbol`       VARCHAR(20)  NOT NULL,
    `attempts`     INT UNSIGNED NOT NULL,
    `reason`       TEXT         NOT NULL,
    `died_at`      BIGINT       NOT NULL,
    `retried_at`   BIGINT       NULL,
    PRIMARY KEY (`timeframe`, `candle_close`, `symbol`),
    INDEX `dead_jobs_newest` (`died_at`)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- From which candle close on a series is looked at.
CREATE TABLE IF NOT EXISTS `begun_series` (
    `timeframe`    VARCHAR(4)  NOT NULL,
    `symbol`       VARCHAR(20) NOT NULL,
    `candle_close` BIGINT      NOT NULL,
    PRIMARY KEY (`timeframe`, `symbol`)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
