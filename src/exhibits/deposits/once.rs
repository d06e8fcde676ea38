//! Making a deposit once for all requests with its key: claim the key, make the deposit, and leave
//! the key if it was not made. [`keys`](super::keys) says why this is exactly once.

use std::ops::ControlFlow;

use super::keys::{Claim, ClaimResult, Conflict, DepositAnswer, OnceKey, forget_expired};
use super::{Commits, Deposit, Failure, Memory, Pace, Refusal, Strategy};
use crate::engine::{Database, Fault, Kept, Session};
use crate::step::Observer;
use crate::verdict::Outcome;

impl Strategy {
    /// As [`perform`](Self::perform), but once for all requests with this key. Later requests get
    /// the first answer.
    ///
    /// # Errors
    /// As [`perform`](Self::perform); and [`Refusal::Key`] if the key does not allow the deposit.
    pub async fn perform_once(
        &self,
        database: &Database,
        deposit: &Deposit,
        once: &OnceKey,
        memory: &Memory,
        pace: Pace,
        observer: &dyn Observer,
    ) -> Result<DepositAnswer, Failure> {
        forget_expired(database, &once.terms)
            .await
            .map_err(Failure::before_the_first_step)?;
        let mut session = database
            .session(observer)
            .await
            .map_err(Failure::before_the_first_step)?;
        match self.commits {
            Commits::Alone => {
                let paced = session.thinking(pace.think).pausing(pace.pauses);
                self.perform_once_in(paced, deposit, once, memory).await
            }
            Commits::Together => {
                let claimed = self.claim(&mut session, deposit, once).await;
                session.end().await;
                let claim = match claimed {
                    ControlFlow::Continue(claim) => claim,
                    ControlFlow::Break(answer) => return answer,
                };
                let writer = memory.writer(database, deposit.account);
                let made = writer.make(deposit.under(claim), pace, observer).await;
                if let Err(failure) = &made {
                    leave_from_outside(database, claim, failure.outcome, observer).await;
                }
                made.map(DepositAnswer::now)
            }
        }
    }

    /// As [`perform_once`](Self::perform_once), in a session that is open already.
    pub async fn perform_once_in(
        &self,
        mut session: Session<'_>,
        deposit: &Deposit,
        once: &OnceKey,
        memory: &Memory,
    ) -> Result<DepositAnswer, Failure> {
        let answer = match self.claim(&mut session, deposit, once).await {
            ControlFlow::Continue(claim) => {
                let deposit = deposit.under(claim);
                let result = (self.deposit)(&mut session, &deposit, memory).await;
                match result {
                    Ok(receipt) => Ok(DepositAnswer::now(receipt)),
                    Err(refusal) => {
                        let kept = leave(&mut session, claim).await;
                        Err(Failure::new(refusal, kept))
                    }
                }
            }
            ControlFlow::Break(answer) => answer,
        };
        session.end().await;
        answer
    }

    /// Claims the key, or breaks with the answer to a request that gets no claim.
    async fn claim(
        &self,
        session: &mut Session<'_>,
        deposit: &Deposit,
        once: &OnceKey,
    ) -> ControlFlow<Result<DepositAnswer, Failure>, Claim> {
        match once.claim(session, self.name, deposit).await {
            Ok(ClaimResult::Ours(claim)) => {
                // The claim is committed already, and is no part of the deposit.
                session.count_anew();
                ControlFlow::Continue(claim)
            }
            Ok(ClaimResult::Answered(receipt)) => ControlFlow::Break(Ok(DepositAnswer {
                receipt,
                replayed: true,
            })),
            Err(refusal) => {
                let outcome = if refusal == Refusal::Key(Conflict::KeptInPart) {
                    Outcome::Partial
                } else {
                    Outcome::Refused
                };
                ControlFlow::Break(Err(Failure { refusal, outcome }))
            }
        }
    }
}

/// Rolls back a deposit that was not acknowledged, and leaves its key. If the engine cannot be
/// reached, the claim stays until another request takes it over.
async fn leave(session: &mut Session<'_>, claim: Claim) -> Kept {
    let rolled_back = session.rollback().await;
    let kept = session.kept();
    if rolled_back.is_ok()
        && let Err(fault) = claim.leave(session, kept).await
    {
        could_not_leave(&fault);
    }
    kept
}

/// Leaves the key of a deposit that the instance's writer has not made, in a session of its own.
async fn leave_from_outside(
    database: &Database,
    claim: Claim,
    outcome: Outcome,
    observer: &dyn Observer,
) {
    let kept = match outcome {
        Outcome::Refused => Kept::Nothing,
        Outcome::Partial => Kept::Something,
        Outcome::Applied | Outcome::Unknown => Kept::Unknown,
    };
    let left = match database.session(observer).await {
        Ok(mut session) => {
            let left = claim.leave(&mut session, kept).await;
            session.end().await;
            left
        }
        Err(fault) => Err(fault),
    };
    if let Err(fault) = left {
        could_not_leave(&fault);
    }
}

fn could_not_leave(fault: &Fault) {
    tracing::warn!(%fault, "a claim to an idempotency key could not be given up");
}
