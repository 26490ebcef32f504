"""Ledger 4.0.1."""

VERSION = "4.0.1"
SCHEMA = 2
BALANCES = "SELECT account || ' ' || currency, sum(amount) FROM entry GROUP BY account, currency ORDER BY 1"
