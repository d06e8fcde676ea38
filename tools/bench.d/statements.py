"""What the native client runs beside each strategy: its statements in src/exhibits/deposits/.

A line is a round trip. Statements with placeholders are prepared, and the others are sent as they
are. :slot is drawn for each deposit. A selected value has its column's name. :new_balance is the
balance that was read plus :amount. An UPDATE that matches no row refuses the deposit.
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

#: How often a retrying strategy tries.
ATTEMPTS = 6


@dataclass(frozen=True)
class Native:
    """The native client's statements for one deposit."""

    statements: tuple[str, ...]
    #: Attempts at most, with the pauses of `--retry jitter` in between.
    attempts: int = 1
    #: How many deposits the statements make.
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

#: The most that one client can reach: it always has a full transaction of deposits at hand.
CEILING_DEPOSITS = 64
CEILING = Native((
    BEGIN,
    READ_FOR_UPDATE,
    INSERT + ", (:account, :amount)" * (CEILING_DEPOSITS - 1),
    f"UPDATE accounts SET balance = :balance + {CEILING_DEPOSITS} * :amount WHERE id = :account",
    "COMMIT",
), deposits=CEILING_DEPOSITS)
