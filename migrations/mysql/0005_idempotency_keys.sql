-- Idempotency keys: what a client calls a deposit, so that the same one sent again is made once. Times are seconds
-- since 1970-01-01 UTC, by this engine's clock.

CREATE TABLE IF NOT EXISTS idempotency_keys (
    id              BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    -- Compared byte by byte.
    name            VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL UNIQUE,
    -- What was asked for under it: strategy, account, amount.
    fingerprint     VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    -- Who has claimed it: drawn at random. Whoever takes a claim over puts another one here.
    owner           BIGINT NOT NULL,
    -- 0 in flight, 1 answered, 2 kept in part.
    state           BIGINT NOT NULL,
    claimed_at      BIGINT NOT NULL,
    -- The answer; the balances are null where the strategy knows none.
    balance_read    BIGINT,
    balance_written BIGINT,
    attempts        BIGINT,
    KEY idempotency_keys_claimed_at (claimed_at)
) ENGINE = InnoDB;
