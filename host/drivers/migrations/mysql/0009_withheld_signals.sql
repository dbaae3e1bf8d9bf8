-- When a signal that waited to be sent was found to be of an action that is not published: `waiting` is NULL then, and it
-- is never sent.
ADD COLUMN `withheld_at` DATETIME(3) NULL
