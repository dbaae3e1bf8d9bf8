-- What `signals` has beside the older service's columns, one addition to a line; those that are there are left out, and
-- the rest is one ALTER TABLE. {sequence} is the table's AUTO_INCREMENT column, however it is called.
-- All columns are nullable: the older service writes rows without them, and those are none of ours (`signal_id` is NULL).
-- `waiting` is 1 until the bus has acknowledged a signal, then NULL: its index holds what waits and little else.
-- `committed_by` is the process that committed it.
ADD COLUMN `signal_id` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL
ADD COLUMN `message` MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL
ADD COLUMN `provenance` JSON NULL
ADD COLUMN `committed_at` DATETIME(3) NULL
ADD COLUMN `committed_by` BIGINT NULL
ADD COLUMN `published_at` DATETIME(3) NULL
ADD COLUMN `waiting` TINYINT NULL
ADD UNIQUE INDEX `ta_bot_signal_id` (`signal_id`)
ADD INDEX `ta_bot_waiting` (`waiting`, {sequence}, `committed_at`)
ADD INDEX `ta_bot_strategy` (`strategy`, {sequence})
ADD INDEX `ta_bot_symbol` (`symbol`, {sequence})
