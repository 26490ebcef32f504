DROP TABLE IF EXISTS schema_version, balance, entry, account;
CREATE TABLE schema_version (version integer NOT NULL, since timestamptz NOT NULL DEFAULT now());
CREATE TABLE entry (id serial PRIMARY KEY, account text NOT NULL, amount numeric(12, 2) NOT NULL);
INSERT INTO entry (account, amount) SELECT 'account-' || n % 5, n FROM generate_series(1, 500) AS n;
INSERT INTO schema_version (version) VALUES (1);
