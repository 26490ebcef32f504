"""Ledger 4.1.1."""

VERSION = "4.1.1"
SCHEMA = 3
BALANCES = "SELECT name || ' ' || currency, sum(amount) FROM entry JOIN account ON account.id = account_id GROUP BY name, currency ORDER BY 1"
