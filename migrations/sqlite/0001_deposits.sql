-- SQLite 3.42 and later. STRICT: an integer column holds integers, as in the other engines.

CREATE TABLE accounts (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What the clients race for. Always opening_balance + the sum of the account's transactions,
    -- unless an update was lost.
    balance         INTEGER NOT NULL,
    opening_balance INTEGER NOT NULL,
    -- For strategies that compare and swap.
    version         INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE transactions (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NULL REFERENCES accounts (id) ON DELETE SET NULL,
    amount     INTEGER NOT NULL,
    -- Microseconds since 1970-01-01 UTC; SQLite's clock counts milliseconds.
    created_at INTEGER NOT NULL DEFAULT (CAST(round(unixepoch('subsec') * 1000) * 1000 AS INTEGER))
) STRICT;

-- InnoDB makes an index for a foreign key by itself.
CREATE INDEX transactions_account ON transactions (account_id);

INSERT INTO accounts (id, balance, opening_balance) VALUES (1, 0, 0);
