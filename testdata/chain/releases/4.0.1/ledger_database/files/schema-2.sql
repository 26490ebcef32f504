ALTER TABLE entry ADD COLUMN currency char(3) NOT NULL DEFAULT 'EUR';
INSERT INTO schema_version (version) VALUES (2);
