-- Whom a request named as the author of a deployment, if it was sent with the token of somebody else, who is in
-- `changed_by`.
ALTER TABLE `ta_bot_deployments` ADD COLUMN `claimed_by` TEXT NULL
