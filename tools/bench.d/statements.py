"""What the native client runs beside each strategy: its statements in src/exhibits/deposits/, in their order.

A line is a round trip. Statements with placeholders are prepared, the others sent as they are. :slot is
drawn for each deposit; what was selected goes by its column's name, and :new_balance is the balance that
was read plus :amount. An UPDATE that matches no row refuses the deposit.
"""
from __future__ import annotations

from dataclasses import dataclass

BEGIN = "START TRANSACTION"
BEGIN_SERIALIZABLE = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; START TRANSACTION"
READ = "SELECT balance FROM accounts WHERE id = :account"
READ_FOR_UPDATE = f"{READ} FOR UPDATE"
INSERT = "INSERT INTO transactions (account_id, amount) VALUES (:account, :amount)"
WRITE = "UPDATE accounts SET balance = :new_balance WHERE id = :account"
ADD = (
    "UPDATE accounts SET balance = balance + :amount "
    "WHERE id = :account AND balance <= 9223372036854775807 - :amount"
)
NAMED_LOCK = "CONCAT('racy ', SHA2(CONCAT(DATABASE(), ' ', :account), 224))"

#: How often a strategy tries that tries again.
ATTEMPTS = 6


@dataclass(frozen=True)
class Native:
    """What the native client runs."""

    statements: tuple[str, ...]
    #: How often a deposit is tried at most, with pauses as of `--retry jitter` in between.
    attempts: int = 1
    #: How many deposits are made each time.
    deposits: int = 1


AUTOCOMMIT = Native((READ, INSERT, WRITE))
TRANSACTION = Native((BEGIN, READ, INSERT, WRITE, "COMMIT"))

NATIVE = {
    "non_atomic_no_delay": AUTOCOMMIT,
    "non_atomic_long_delay": AUTOCOMMIT,
    "atomic_no_delay": TRANSACTION,
    "atomic_long_delay": TRANSACTION,
    "row_locking_atomic_long_delay": Native((BEGIN, READ_FOR_UPDATE, INSERT, WRITE, "COMMIT")),
    "atomic_update": Native((BEGIN, ADD, INSERT, READ, "COMMIT")),
    "atomic_update_insert_first": Native((BEGIN, INSERT, ADD, READ, "COMMIT")),
    "optimistic_retry": Native((
        BEGIN,
        "SELECT balance, version FROM accounts WHERE id = :account",
        "UPDATE accounts SET balance = :new_balance, version = version + 1 "
        "WHERE id = :account AND version = :version",
        INSERT,
        "COMMIT",
    ), ATTEMPTS),
    "serializable_retry": Native((BEGIN_SERIALIZABLE, READ, WRITE, INSERT, "COMMIT"), ATTEMPTS),
    "append_only": Native(
        ("INSERT INTO transactions (account_id, amount, appended) VALUES (:account, :amount, 1)",)
    ),
    "partitioned": Native((
        BEGIN,
        INSERT,
        "UPDATE account_slots SET balance = balance + :amount "
        "WHERE account_id = :account AND slot = :slot AND balance <= 9223372036854775807 - :amount",
        "COMMIT",
    )),
    "advisory_lock": Native((
        BEGIN,
        f"SELECT CAST(GET_LOCK({NAMED_LOCK}, 50) AS SIGNED)",
        READ,
        WRITE,
        INSERT,
        "COMMIT",
        f"SELECT CAST(RELEASE_LOCK({NAMED_LOCK}) AS SIGNED)",
    )),
    "lock_without_transaction": Native((READ_FOR_UPDATE, INSERT, WRITE)),
    "lock_after_read": Native((
        BEGIN, READ, "SELECT id FROM accounts WHERE id = :account FOR UPDATE", INSERT, WRITE, "COMMIT",
    )),
    "timestamp_check": Native((
        BEGIN,
        "SELECT balance, updated_at FROM accounts WHERE id = :account",
        "UPDATE accounts SET balance = :new_balance, updated_at = UNIX_TIMESTAMP() "
        "WHERE id = :account AND updated_at = :updated_at",
        INSERT,
        "COMMIT",
    )),
}

#: What a single client can reach that has as many deposits at hand as go into one transaction.
CEILING_DEPOSITS = 64
CEILING = Native((
    BEGIN,
    READ_FOR_UPDATE,
    INSERT + ", (:account, :amount)" * (CEILING_DEPOSITS - 1),
    f"UPDATE accounts SET balance = :balance + {CEILING_DEPOSITS} * :amount WHERE id = :account",
    "COMMIT",
), deposits=CEILING_DEPOSITS)
