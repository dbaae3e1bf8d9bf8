-- Finds the oldest signals, and no rows of the older service.
ADD INDEX `ta_bot_committed` (`committed_at`)
