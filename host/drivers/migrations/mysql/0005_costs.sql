-- TA Bot's own tables, version 5: what evaluations cost, by hour, strategy, module and symbol. Hours are milliseconds since
-- the Unix epoch, UTC. Can be repeated.
CREATE TABLE IF NOT EXISTS `ta_bot_costs` (
    `hour`          BIGINT      NOT NULL,
    `strategy`      VARCHAR(64) NOT NULL,
    `module`        BINARY(32)  NOT NULL,
    `symbol`        VARCHAR(20) NOT NULL,
    `evaluations`   BIGINT      NOT NULL,
    `signals`       BIGINT      NOT NULL,
    `failures`      BIGINT      NOT NULL,
    `total_nanos`   BIGINT      NOT NULL,
    `bytes_in`      BIGINT      NOT NULL,
    `bytes_out`     BIGINT      NOT NULL,
    `longest_nanos` BIGINT      NOT NULL,
    `peak_memory`   BIGINT      NOT NULL,
    PRIMARY KEY (`hour`, `strategy`, `module`, `symbol`)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
