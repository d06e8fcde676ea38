//! # A deposit that is sent twice is made once: idempotency keys
//!
//! A client that gets no answer in time does not know whether its deposit was made. If it sends the
//! deposit again, it may be made twice; if it does not, perhaps never. So the client gives the
//! deposit a name of its own, its *key*, and sends the same key again: `Idempotency-Key`, as in the
//! IETF's draft and as payment services have it.
//!
//! ## How it is exactly once
//!
//! 1. The key is **claimed** first, by an `INSERT` that commits by itself. Of any number of
//!    requests that come at once, the unique index lets one through. There is no moment between
//!    looking and claiming.
//! 2. The deposit's own transaction **stores the answer**: just before its commit it writes the
//!    receipt under the key, `WHERE owner = ?`. Deposit and answer are kept together or not at all.
//!    If no row matches, another request has taken the claim over, and the deposit is rolled back.
//! 3. A deposit that was refused **gives the claim up**, so that the key can be tried again, also
//!    with another deposit. The draft would rather have the refusal answered again. But most
//!    refusals here are due to another client's lock, which is gone the next time.
//!
//! A later request with the same key gets the first answer, or is told that the first request is
//! still in flight. A claim whose owner died stays in flight until it is older than any request
//! lasts. Then the next request **takes it over**, by putting its own token in the owner's place.
//! An owner that was only slow finds that out in step 2.
//!
//! ## Why the claim is not in the deposit's transaction
//!
//! It could be. But then a second request would wait for the first one's commit, on a connection of
//! the pool, and learn nothing meanwhile. With a claim that was made beforehand, it is told that
//! the first is in flight: at once on InnoDB, and on PostgreSQL after at most the one commit that
//! makes the claim. On SQLite it waits for the first one all the same, because there one writer
//! keeps all others out.
//!
//! ## After a reset
//!
//! The keeper's reset deletes transactions and forgets no key. A deposit that is sent again
//! afterwards was made: it gets its first receipt, and is not made a second time. A client that
//! wants it made again sends it with another key.
//!
//! ## What it costs
//!
//! Three round trips, and one commit more: one round trip to look for keys that have expired, one
//! to claim, one to store the answer. If there are expired keys, the request deletes up to 20 of
//! them first.
//!
//! On PostgreSQL at SERIALIZABLE a claim may itself be refused with 40001, because of neighbouring
//! keys on the same page of the index. It is tried five times; after that the client is told.

use std::time::Duration;

use super::key::Key;
use super::{Deposit, Receipt, Refusal};
use crate::engine::{Database, Fault, FaultKind, Kept, Session};

/// How long keys are kept and claims are respected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// How long a key is known. Afterwards the same text is a new key.
    pub kept_for: Duration,
    /// How long a claim without an answer is respected. This is longer than any request lasts.
    pub claim_lasts: Duration,
}

/// The key under which a deposit is made once, and the terms for it.
#[derive(Debug, Clone)]
pub struct OnceKey {
    /// The client's key.
    pub key: Key,
    /// The service's terms.
    pub terms: Terms,
}

/// The answer to a request for a deposit that was made, now or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DepositAnswer {
    /// The receipt of the time when the deposit was made.
    pub receipt: Receipt,
    /// Whether the deposit was made by an earlier request. Nothing was done now.
    pub replayed: bool,
}

impl DepositAnswer {
    /// The answer to the request that has made the deposit.
    pub fn now(receipt: Receipt) -> Self {
        Self {
            receipt,
            replayed: false,
        }
    }
}

/// The reason why a key does not allow a deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// The first deposit under the key is still being made.
    InFlight {
        /// How long to wait before asking again.
        retry_after: Duration,
    },
    /// The key belongs to another deposit.
    OtherDeposit,
    /// Another request took the claim over while the deposit was being made.
    ClaimLost,
    /// A part of the first deposit was kept. It can neither be made again nor be reported as made.
    KeptInPart,
}

/// A claim to a key, while its deposit is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    id: i64,
    owner: i64,
}

// The states of a key: the values of `idempotency_keys.state`.
const IN_FLIGHT: i64 = 0;
const ANSWERED: i64 = 1;
const KEPT_IN_PART: i64 = 2;

/// How long to wait before asking again for a deposit in flight. No deposit without a long delay
/// takes as long.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Claim {
    /// Stores the answer, in the transaction that is open or else by a statement of its own.
    pub(super) async fn answer(
        self,
        s: &mut Session<'_>,
        receipt: &Receipt,
    ) -> Result<(), Refusal> {
        let attempts = i64::from(receipt.attempts);
        let stored = match (receipt.balance_read, receipt.balance_written) {
            (Some(read), Some(written)) => {
                s.run(
                    "store answer",
                    "UPDATE idempotency_keys \
                     SET state = 1, balance_read = ?, balance_written = ?, attempts = ? \
                     WHERE id = ? AND owner = ? AND state = 0",
                    &[read, written, attempts, self.id, self.owner],
                )
                .await?
            }
            _ => {
                s.run(
                    "store answer",
                    "UPDATE idempotency_keys SET state = 1, attempts = ? \
                     WHERE id = ? AND owner = ? AND state = 0",
                    &[attempts, self.id, self.owner],
                )
                .await?
            }
        };
        match stored {
            0 => Err(Refusal::Key(Conflict::ClaimLost)),
            _ => Ok(()),
        }
    }

    /// Leaves a key whose deposit was not acknowledged. If it is unknown whether the deposit was
    /// made, the claim stays. Either the answer was kept with the deposit, or the request that
    /// takes the claim over makes the deposit.
    pub(super) async fn leave(self, s: &mut Session<'_>, kept: Kept) -> Result<(), Fault> {
        let (label, sql) = match kept {
            Kept::Nothing => (
                "give claim up",
                "DELETE FROM idempotency_keys WHERE id = ? AND owner = ?",
            ),
            Kept::Something => (
                "say it is in parts",
                "UPDATE idempotency_keys SET state = 2 WHERE id = ? AND owner = ?",
            ),
            Kept::Unknown => return Ok(()),
        };
        s.run(label, sql, &[self.id, self.owner]).await?;
        Ok(())
    }
}

/// The result of an attempt to claim a key.
pub(super) enum ClaimResult {
    /// The claim is ours.
    Ours(Claim),
    /// The deposit was made before.
    Answered(Receipt),
}

/// The row of a key that an earlier request has claimed.
struct KeyRow {
    claim: Claim,
    state: i64,
    age: Duration,
    is_same_deposit: bool,
    receipt: Receipt,
}

/// The number of attempts to claim a key whose row changes at the same time.
const TRIES: u32 = 5;

impl OnceKey {
    pub(super) async fn claim(
        &self,
        s: &mut Session<'_>,
        strategy: &str,
        d: &Deposit,
    ) -> Result<ClaimResult, Refusal> {
        let fingerprint = format!("{strategy} {} {}", d.account, d.amount);
        let mut refusal = in_flight();
        for _ in 0..TRIES {
            match self.try_to_claim(s, &fingerprint).await {
                Ok(Some(claimed)) => return Ok(claimed),
                Ok(None) => {}
                Err(Refusal::Engine(fault)) if fault.kind.is_collision_in_autocommit() => {
                    refusal = fault.into();
                }
                Err(refusal) => return Err(refusal),
            }
        }
        Err(refusal)
    }

    /// None if the key's row has changed between two statements.
    async fn try_to_claim(
        &self,
        s: &mut Session<'_>,
        fingerprint: &str,
    ) -> Result<Option<ClaimResult>, Refusal> {
        let owner = fastrand::i64(1..=i64::MAX);
        let inserted = s
            .insert(
                "claim key",
                "INSERT INTO idempotency_keys (name, fingerprint, owner, state, claimed_at) \
                 VALUES (?, ?, ?, 0, UNIX_TIMESTAMP())",
                [self.key.as_str().into(), fingerprint.into(), owner.into()],
            )
            .await;
        match inserted {
            Ok(id) => return Ok(Some(ClaimResult::Ours(Claim { id, owner }))),
            Err(fault) if fault.kind == FaultKind::UniqueViolation => {}
            Err(fault) => return Err(fault.into()),
        }
        match self.look(s, fingerprint).await? {
            Some(found) => self.judge(s, found, owner).await,
            None => Ok(None),
        }
    }

    async fn judge(
        &self,
        s: &mut Session<'_>,
        found: KeyRow,
        owner: i64,
    ) -> Result<Option<ClaimResult>, Refusal> {
        if found.age > self.terms.kept_for {
            s.run("forget key", FORGET, &[found.claim.id, found.claim.owner])
                .await?;
            return Ok(None);
        }
        match found.state {
            _ if !found.is_same_deposit => Err(Refusal::Key(Conflict::OtherDeposit)),
            ANSWERED => Ok(Some(ClaimResult::Answered(found.receipt))),
            IN_FLIGHT if found.age > self.terms.claim_lasts => {
                take_over(s, found.claim, owner).await
            }
            KEPT_IN_PART => Err(Refusal::Key(Conflict::KeptInPart)),
            // IN_FLIGHT. There is no fourth state.
            _ => Err(in_flight()),
        }
    }

    async fn look(&self, s: &mut Session<'_>, fingerprint: &str) -> Result<Option<KeyRow>, Fault> {
        let rows = s
            .rows(
                "look at key",
                "SELECT id, owner, state, CAST(UNIX_TIMESTAMP() AS SIGNED), claimed_at, \
                 CAST(CASE WHEN fingerprint = ? THEN 1 ELSE 0 END AS SIGNED), \
                 balance_read, balance_written, attempts FROM idempotency_keys WHERE name = ?",
                [fingerprint.into(), self.key.as_str().into()],
            )
            .await?;
        let Some(
            [
                id,
                owner,
                state,
                now,
                claimed_at,
                same,
                read,
                written,
                attempts,
            ],
        ) = rows.first().copied()
        else {
            return Ok(None);
        };
        let seconds = now.unwrap_or_default() - claimed_at.unwrap_or_default();
        Ok(Some(KeyRow {
            claim: Claim {
                id: id.unwrap_or_default(),
                owner: owner.unwrap_or_default(),
            },
            state: state.unwrap_or_default(),
            age: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
            is_same_deposit: same == Some(1),
            receipt: Receipt {
                balance_read: read,
                balance_written: written,
                attempts: u32::try_from(attempts.unwrap_or(1)).unwrap_or(u32::MAX),
                // The batch belonged to the first request's transaction.
                batch: None,
            },
        }))
    }
}

const FORGET: &str = "DELETE FROM idempotency_keys WHERE id = ? AND owner = ?";

async fn take_over(
    s: &mut Session<'_>,
    claim: Claim,
    owner: i64,
) -> Result<Option<ClaimResult>, Refusal> {
    let taken = s
        .run(
            "take claim over",
            "UPDATE idempotency_keys SET owner = ?, claimed_at = UNIX_TIMESTAMP() \
             WHERE id = ? AND owner = ? AND state = 0",
            &[owner, claim.id, claim.owner],
        )
        .await?;
    Ok((taken == 1).then_some(ClaimResult::Ours(Claim { owner, ..claim })))
}

fn in_flight() -> Refusal {
    Refusal::Key(Conflict::InFlight {
        retry_after: RETRY_AFTER,
    })
}

/// Deletes some of the expired keys, each by its number. A condition on the time would also lock
/// the rows of other requests' keys.
pub(super) async fn forget_expired(database: &Database, terms: &Terms) -> Result<(), Fault> {
    let select = "SELECT id, owner FROM idempotency_keys \
                  WHERE claimed_at < CAST(UNIX_TIMESTAMP() AS SIGNED) - ? \
                  ORDER BY claimed_at LIMIT 20";
    let kept_for = i64::try_from(terms.kept_for.as_secs()).unwrap_or(i64::MAX);
    for expired in database.rows(select, &[kept_for.into()]).await? {
        let (id, owner) = (expired.integer(0)?, expired.integer(1)?);
        database.execute(FORGET, &[id.into(), owner.into()]).await?;
    }
    Ok(())
}
