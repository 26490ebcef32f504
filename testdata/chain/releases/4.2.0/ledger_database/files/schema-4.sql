CREATE TABLE balance (account_id integer NOT NULL REFERENCES account, currency char(3) NOT NULL, balance numeric(14, 2) NOT NULL,
  cents bigint GENERATED ALWAYS AS ((balance * 100)::bigint) STORED, PRIMARY KEY (account_id, currency));
INSERT INTO balance (account_id, currency, balance) SELECT account_id, currency, sum(amount) FROM entry GROUP BY account_id, currency;
INSERT INTO schema_version (version) VALUES (4);
