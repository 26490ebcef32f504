"""Ledger 3.4.2."""

VERSION = "3.4.2"
SCHEMA = 1
BALANCES = "SELECT account, sum(amount) FROM entry GROUP BY account ORDER BY account"
