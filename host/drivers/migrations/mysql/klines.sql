-- A table of candles, as the Data Extractor makes it, for where it did not: the table is the extractor's, and is never
-- changed. {table} is klines_m15 and the like.
CREATE TABLE IF NOT EXISTS `{table}` (
    `id`                           VARCHAR(64)    NOT NULL PRIMARY KEY,
    `symbol`                       VARCHAR(20)    NOT NULL,
    `timestamp`                    DATETIME       NOT NULL,
    `open_time`                    DATETIME       NOT NULL,
    `close_time`                   DATETIME       NOT NULL,
    `interval`                     VARCHAR(10)    NOT NULL,
    `open_price`                   DECIMAL(20, 8) NOT NULL,
    `high_price`                   DECIMAL(20, 8) NOT NULL,
    `low_price`                    DECIMAL(20, 8) NOT NULL,
    `close_price`                  DECIMAL(20, 8) NOT NULL,
    `volume`                       DECIMAL(20, 8) NOT NULL,
    `quote_asset_volume`           DECIMAL(20, 8) NOT NULL,
    `number_of_trades`             INT            NOT NULL,
    `taker_buy_base_asset_volume`  DECIMAL(20, 8) NOT NULL,
    `taker_buy_quote_asset_volume` DECIMAL(20, 8) NOT NULL,
    `price_change`                 DECIMAL(20, 8) NULL,
    `price_change_percent`         DECIMAL(10, 4) NULL,
    `extracted_at`                 DATETIME       NOT NULL,
    `extractor_version`            VARCHAR(20)    NOT NULL,
    `source`                       VARCHAR(50)    NOT NULL,
    INDEX `idx_{table}_symbol_timestamp` (`symbol`, `timestamp`),
    INDEX `idx_{table}_timestamp` (`timestamp`),
    INDEX `idx_{table}_open_time` (`open_time`)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4
