-- Whom a request named as the author of a change, if it was sent with the token of somebody else, who is in `changed_by`.
ALTER TABLE strategy_config_audit ADD COLUMN claimed_by TEXT;
ALTER TABLE app_config_audit ADD COLUMN claimed_by TEXT;
ALTER TABLE deployments ADD COLUMN claimed_by TEXT;

INSERT INTO schema_changes (version, oldest) VALUES (14, 10);
