-- Idempotency keys: what a client calls a deposit, so that the same one sent again is made once. Times are seconds
-- since 1970-01-01 UTC, by this engine's clock.

CREATE TABLE idempotency_keys (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    name            TEXT NOT NULL UNIQUE,
    -- What was asked for under it: strategy, account, amount.
    fingerprint     TEXT NOT NULL,
    -- Who has claimed it: drawn at random. Whoever takes a claim over puts another one here.
    owner           INTEGER NOT NULL,
    -- 0 in flight, 1 answered, 2 kept in part.
    state           INTEGER NOT NULL,
    claimed_at      INTEGER NOT NULL,
    -- The answer; the balances are null where the strategy knows none.
    balance_read    INTEGER,
    balance_written INTEGER,
    attempts        INTEGER
) STRICT;
CREATE INDEX idempotency_keys_claimed_at ON idempotency_keys (claimed_at);
