-- The schema of shop 1.9. A row of schema_version is a migration that ran; one that ran twice has two.
DROP TABLE IF EXISTS product, schema_version;
CREATE TABLE product (name text PRIMARY KEY, price integer NOT NULL);
CREATE TABLE schema_version (version integer NOT NULL, ran timestamptz NOT NULL DEFAULT now());
INSERT INTO product VALUES ('apple', 3), ('pear', 4), ('quince', 7);
INSERT INTO schema_version (version) VALUES (1);
