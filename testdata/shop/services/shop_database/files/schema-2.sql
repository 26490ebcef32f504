-- Only adds: shop 1.9 goes on with it. Whoever reads the table waits as long as this does, so it does not wait long.
SET LOCAL lock_timeout = '3s';
ALTER TABLE product ADD COLUMN stock integer NOT NULL DEFAULT 0;
INSERT INTO schema_version (version) VALUES (2);
