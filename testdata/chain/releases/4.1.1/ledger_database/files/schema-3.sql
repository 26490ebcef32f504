CREATE TABLE account (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
INSERT INTO account (name) SELECT DISTINCT account FROM entry ORDER BY account;
ALTER TABLE entry ADD COLUMN account_id integer REFERENCES account;
UPDATE entry SET account_id = account.id FROM account WHERE account.name = entry.account;
ALTER TABLE entry ALTER COLUMN account_id SET NOT NULL, DROP COLUMN account;
INSERT INTO schema_version (version) VALUES (3);
