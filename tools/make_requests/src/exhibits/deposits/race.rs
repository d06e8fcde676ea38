//! Deposits as an exhibit.

use std::sync::Arc;

use reqwest::Url;

use super::evidence::AccountEvidence;
use super::parameters::Deposits;
use super::receipt::Deposit;
use crate::answers::Answers;
use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::error::Error;
use crate::exhibits::account::Account;
use crate::fields::Fields;
use crate::key::Keys;
use crate::race::{Auditor, Evidence, Exhibit, Pending, Race, Target};
use crate::receipt::Receipt;
use crate::service::Service;
use crate::strategy::Strategy;
use crate::verdict::Trace;

/// Deposits.
pub(crate) static EXHIBIT: Exhibit = Exhibit {
    prefix: None,
    route: "demo",
    options: &["--account", "--amount", "--retry-timeouts", "--idempotency"],
    target: |strategy, options| {
        let deposits = Deposits {
            strategy,
            account: options.account_or_first(),
            amount: options.amount.unwrap_or_default(),
            retry_timeouts: options.retry_timeouts,
            idempotency: options.idempotency,
        };
        Ok(deposits.into())
    },
    csv_columns: ["balance_read", "balance_written"],
    product: "deposit",
    incident: "a lost update",
    incident_caption: "between which an update was lost",
    while_in_doubt: "The expected balance is a range, and the account may still change.",
    trace: Trace {
        missing: "deposits left no transaction",
        place: "account",
    },
};

impl From<Deposits> for Target {
    fn from(deposits: Deposits) -> Self {
        Self::new(deposits)
    }
}

impl Race for Deposits {
    fn exhibit(&self) -> &'static Exhibit {
        &EXHIBIT
    }

    fn strategy(&self) -> &Strategy {
        &self.strategy
    }

    fn probe_url(&self, base_url: &BaseUrl) -> Url {
        Account::url(base_url, self.account)
    }

    fn body(&self, _request: u32, _keys: Keys) -> Body {
        // Both are integers, so nothing needs escaping.
        Body::form(format!("account={}&amount={}", self.account, self.amount))
    }

    fn receipt(&self, body: &[u8]) -> Option<Receipt> {
        Receipt::read::<Deposit>(body)
    }

    fn retries_timeouts(&self) -> bool {
        self.retry_timeouts
    }

    fn has_keys(&self) -> bool {
        self.idempotency
    }

    fn purpose(&self) -> String {
        format!("of {} into account {}", self.amount, self.account)
    }

    fn fields(&self) -> Fields {
        Fields::default()
            .number("account", self.account)
            .number("amount", self.amount.get())
    }

    fn look<'a>(
        &'a self,
        service: &'a Service,
        _keys: Keys,
    ) -> Pending<'a, Result<Arc<dyn Auditor>, Error>> {
        Box::pin(async {
            let auditor: Arc<dyn Auditor> = Arc::new(AccountAuditor {
                service: service.clone(),
                deposits: self.clone(),
                before: Account::read(service, self.account).await?,
            });
            Ok(auditor)
        })
    }
}

#[derive(Debug)]
struct AccountAuditor {
    service: Service,
    deposits: Deposits,
    before: Account,
}

impl Auditor for AccountAuditor {
    fn finish<'a>(&'a self, _answers: &'a Answers) -> Pending<'a, Box<dyn Evidence>> {
        Box::pin(async {
            let after = Account::read(&self.service, self.deposits.account).await;
            let evidence: Box<dyn Evidence> = Box::new(AccountEvidence {
                amount: self.deposits.amount,
                before: self.before.clone(),
                after,
            });
            evidence
        })
    }
}
