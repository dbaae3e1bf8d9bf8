-- When a signal that waited to be sent was found to be too old for that: `waiting` is NULL then, and it is never sent.
ADD COLUMN `expired_at` DATETIME(3) NULL
