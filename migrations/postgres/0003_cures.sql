-- Deposits that do not write the one balance.

-- Whether no balance contains the amount, so that it counts by being on record: 1 or 0.
ALTER TABLE transactions ADD COLUMN appended SMALLINT NOT NULL DEFAULT 0;

-- A part of what an account holds, beside accounts.balance. Eight of them for each account, numbered from 0.
CREATE TABLE account_slots (
    account_id BIGINT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    slot       BIGINT NOT NULL,
    balance    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, slot)
);

INSERT INTO account_slots (account_id, slot)
SELECT accounts.id, slots.slot
FROM accounts, (SELECT 0 AS slot UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4
                UNION SELECT 5 UNION SELECT 6 UNION SELECT 7) slots;
