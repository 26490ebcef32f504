SET LOCAL lock_timeout = '3s';
ALTER TABLE product DROP COLUMN stock;
DELETE FROM schema_version WHERE version = 2;
