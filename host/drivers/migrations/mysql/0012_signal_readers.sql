-- How far readers of signals have come, such as receivers of webhooks: the text of a cursor.
CREATE TABLE IF NOT EXISTS `ta_bot_signal_readers` (
    `name`       VARCHAR(100) NOT NULL PRIMARY KEY,
    `cursor`     TEXT         NOT NULL,
    `updated_at` BIGINT       NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
