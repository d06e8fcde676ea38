-- Deposits that do not write the one balance. Each statement commits by itself; see 0001.

-- Whether no balance contains the amount, so that it counts by being on record. MySQL has no ADD COLUMN IF NOT
-- EXISTS, and so this asks first.
SET @add_appended = (
    SELECT IF(COUNT(*) = 0,
        'ALTER TABLE transactions ADD COLUMN appended TINYINT NOT NULL DEFAULT 0',
        'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'transactions' AND column_name = 'appended');
PREPARE add_appended FROM @add_appended;
EXECUTE add_appended;
DEALLOCATE PREPARE add_appended;

-- A part of what an account holds, beside accounts.balance. Eight of them for each account, numbered from 0.
CREATE TABLE IF NOT EXISTS account_slots (
    account_id BIGINT NOT NULL,
    slot       BIGINT NOT NULL,
    balance    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, slot),
    CONSTRAINT account_slots_account FOREIGN KEY (account_id) REFERENCES accounts (id) ON DELETE CASCADE
) ENGINE = InnoDB;

INSERT IGNORE INTO account_slots (account_id, slot)
SELECT accounts.id, slots.slot
FROM accounts, (SELECT 0 AS slot UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4
                UNION SELECT 5 UNION SELECT 6 UNION SELECT 7) slots;
