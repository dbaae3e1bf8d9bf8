-- Every candle of the series up to here counts as decided, since jobs or signals of that time were removed.
ALTER TABLE `begun_series` ADD COLUMN `decided_to` BIGINT NULL
