-- MySQL 8.0.13 and later, MariaDB 10.2 and later.
--
-- Each statement here commits by itself, so a migration may be cut off between two of them and is
-- then run again from its beginning: write every statement so that it can be repeated.

CREATE TABLE IF NOT EXISTS accounts (
    id              BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    -- What the clients race for. Always opening_balance + the sum of the account's transactions,
    -- unless an update was lost.
    balance         BIGINT NOT NULL,
    opening_balance BIGINT NOT NULL,
    -- For strategies that compare and swap.
    version         BIGINT NOT NULL DEFAULT 0
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS transactions (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    account_id BIGINT NULL,
    amount     BIGINT NOT NULL,
    -- Microseconds since 1970-01-01 UTC.
    created_at BIGINT NOT NULL DEFAULT (CAST(UNIX_TIMESTAMP(CURRENT_TIMESTAMP(6)) * 1000000 AS SIGNED)),
    -- This constraint takes part in the race: inserting a row takes a shared lock on the account's
    -- row, and that is why two deposits in transactions can deadlock.
    CONSTRAINT transactions_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE SET NULL
) ENGINE = InnoDB;

INSERT IGNORE INTO accounts (id, balance, opening_balance) VALUES (1, 0, 0);
