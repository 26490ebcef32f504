"""Ledger 4.2.0."""

VERSION = "4.2.0"
SCHEMA = 4
BALANCES = "SELECT name || ' ' || currency, balance FROM account JOIN balance ON account_id = id ORDER BY 1"
