-- TA Bot's own tables, version 11. Candles that an operator changed by hand: a running service reads the newest rows to learn
-- what it has to read again. And what strategies decide on the changed candles, beside the signals that were made of the old
-- ones; nothing of that is published. Can be repeated.
CREATE TABLE IF NOT EXISTS `ta_bot_candle_repairs` (
    `number`     BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    `symbol`     VARCHAR(20)  NOT NULL,
    `timeframe`  VARCHAR(4)   NOT NULL,
    `kind`       VARCHAR(10)  NOT NULL,
    `first_open` BIGINT       NOT NULL,
    `last_open`  BIGINT       NOT NULL,
    `added`      BIGINT       NOT NULL,
    `changed`    BIGINT       NOT NULL,
    `removed`    BIGINT       NOT NULL,
    `changed_by` VARCHAR(200) NOT NULL,
    `claimed_by` TEXT         NULL,
    `reason`     TEXT         NULL,
    `changed_at` BIGINT       NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `ta_bot_redecisions` (
    `repair`       BIGINT      NOT NULL,
    `timeframe`    VARCHAR(4)  NOT NULL,
    `candle_close` BIGINT      NOT NULL,
    `symbol`       VARCHAR(20) NOT NULL,
    `strategy`     VARCHAR(64) NOT NULL,
    `module`       CHAR(64)    NOT NULL,
    `outcome`      VARCHAR(20) NOT NULL,
    `signal_id`    CHAR(64)    NULL,
    `message`      MEDIUMTEXT  NULL,
    `decided_at`   BIGINT      NOT NULL,
    PRIMARY KEY (`repair`, `timeframe`, `candle_close`, `symbol`, `strategy`)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
