-- TA Bot's own tables, version 2: which module decides for a strategy, and from which candle close on, as a log that only
-- grows. It lies beside the finished jobs so that one transaction can compare both. All statements can be repeated.
-- Moments are milliseconds since the Unix epoch, UTC.
CREATE TABLE IF NOT EXISTS `ta_bot_deployments` (
    `revision`     BIGINT      NOT NULL PRIMARY KEY,
    `strategy_id`  VARCHAR(64) NOT NULL,
    `action`       VARCHAR(32) NOT NULL,
    `deployment`   MEDIUMTEXT  NOT NULL,
    `decides_from` BIGINT      NOT NULL,
    `changed_by`   TEXT        NOT NULL,
    `reason`       MEDIUMTEXT  NULL,
    `changed_at`   BIGINT      NOT NULL,
    INDEX `ta_bot_deployments_of_strategy` (`strategy_id`, `revision`)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- The newest revision. Whoever adds an entry locks this row, and so does, shared, whoever commits jobs: both last.
CREATE TABLE IF NOT EXISTS `ta_bot_deployment_head` (
    `id`       INT    NOT NULL PRIMARY KEY,
    `revision` BIGINT NOT NULL
) ENGINE = InnoDB;

INSERT IGNORE INTO `ta_bot_deployment_head` (`id`, `revision`)
SELECT 1, COALESCE(MAX(`revision`), 0) FROM `ta_bot_deployments`;
