//! What speaks for or against a target beside the answers: the audits around a run.

use std::collections::BTreeMap;

use crate::account::Account;
use crate::answer::{Answer, Inspection};
use crate::audit::{Anomaly, BookAudit};
use crate::consumer::{Consumer, Consumption};
use crate::error::Error;
use crate::ordinary::Client;
use crate::target::Target;

/// What the audits said, by what was raced for.
#[derive(Debug, Clone)]
pub enum Evidence {
    /// Of deposits: their account.
    Deposits(Books),
    /// Of orders: their book.
    Orders(OrderBook),
    /// Of exports: their files.
    Exports(Files),
}

/// An account before and after a run.
#[derive(Debug, Clone)]
pub struct Books {
    /// The account before the first request.
    pub before: Account,
    /// The account after the last answer, or why it could not be read.
    pub after: Result<Account, Error>,
}

/// A book of orders before and after a run.
#[derive(Debug, Clone)]
pub struct OrderBook {
    /// The book before the first request.
    pub before: BookAudit,
    /// What the consumer shipped out of it.
    pub consumption: Option<Consumption>,
    /// The book after the consumer's last run, or why it could not be read.
    pub after: Result<BookAudit, Error>,
}

/// The files of a run when all exports had ended.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The last look at each file that several requests were answered with: nobody overwrites it
    /// any longer.
    pub last: Vec<Inspection>,
}

/// What was there before a run.
pub(crate) enum Before {
    Deposits(Account),
    Orders(BookAudit),
    Exports,
}

impl Before {
    /// Asks the service; fails where it does not know what the plan wants to race for.
    pub(crate) async fn look(client: &Client) -> Result<Self, Error> {
        Ok(match client.plan.target {
            Target::Deposits(_) => Self::Deposits(client.account().await?),
            Target::Orders(_) => Self::Orders(client.book().await?),
            Target::Exports(_) => {
                client.account().await?;
                Self::Exports
            }
        })
    }

    /// Asks the service again, after the last answer.
    pub(crate) async fn into_evidence(
        self,
        client: &Client,
        consumer: Consumer,
        answers: &[Answer],
    ) -> Evidence {
        match self {
            Self::Deposits(before) => Evidence::Deposits(Books {
                before,
                after: client.account().await,
            }),
            Self::Orders(before) => Evidence::Orders(OrderBook {
                before,
                consumption: consumer.finish().await,
                after: client.book().await,
            }),
            Self::Exports => Evidence::Exports(Files::look(client, answers).await),
        }
    }
}

impl Books {
    /// Whether nothing says that somebody has reset the account meanwhile or deleted transactions, which moves
    /// their amounts into the opening balance. A reset of an account that had no transactions shows nowhere.
    pub(crate) fn keep_what_they_had(&self) -> bool {
        self.after.as_ref().is_ok_and(|after| {
            after.opening_balance == self.before.opening_balance
                && after.transactions >= self.before.transactions
        })
    }

    /// What was lost in between: by how much the account's balance fell behind its transactions.
    /// `None` where the account could not be read afterwards.
    #[must_use]
    pub fn lost(&self) -> Option<i128> {
        let after = self.after.as_ref().ok()?;
        Some(after.lost().saturating_sub(self.before.lost()))
    }

    /// How many transactions the account has more than before.
    pub(crate) fn new_transactions(&self) -> Option<u64> {
        let after = self.after.as_ref().ok()?;
        after.transactions.checked_sub(self.before.transactions)
    }
}

impl OrderBook {
    /// Everything that was looked for, and how often it is found more than before.
    pub(crate) fn anomalies(&self) -> Vec<Anomaly> {
        match &self.after {
            Ok(after) => after.anomalies_since(&self.before),
            Err(_) => Vec::new(),
        }
    }

    /// How many orders the book has more than before.
    pub(crate) fn new_orders(&self) -> Option<u64> {
        let after = self.after.as_ref().ok()?;
        Some(after.orders.saturating_sub(self.before.orders))
    }
}

impl Files {
    async fn look(client: &Client, answers: &[Answer]) -> Self {
        let mut answered: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        let receipts = answers.iter().filter_map(Answer::receipt);
        for export in receipts.filter_map(|receipt| receipt.export()) {
            let (times, _) = answered.entry(&export.file).or_insert((0, &export.url));
            *times += 1;
        }
        let mut last = Vec::new();
        for (file, (times, url)) in answered {
            if times > 1 {
                last.push(client.inspect(file, url).await);
            }
        }
        Self { last }
    }
}

/// What several looks at files found: each anomaly once, with the number of looks that found it. What the audits
/// look for comes first, then the downloads that broke off.
pub(crate) fn anomalies_seen<'a>(looks: impl Iterator<Item = &'a Inspection>) -> Vec<Anomaly> {
    let mut seen: Vec<Anomaly> = Vec::new();
    let mut broken_off = Anomaly {
        name: "broken_download".to_owned(),
        count: 0,
        example: None,
    };
    for look in looks {
        for anomaly in look.audit.iter().flat_map(|audit| &audit.anomalies) {
            count_look(&mut seen, anomaly);
        }
        if let Some(cause) = look.broken_off() {
            broken_off.count += 1;
            let example = || format!("{}: {cause}", look.file);
            broken_off.example.get_or_insert_with(example);
        }
    }
    seen.push(broken_off);
    seen
}

fn count_look(seen: &mut Vec<Anomaly>, anomaly: &Anomaly) {
    let found = u64::from(anomaly.count > 0);
    match seen.iter_mut().find(|it| it.name == anomaly.name) {
        Some(known) => {
            known.count += found;
            if known.example.is_none() {
                known.example.clone_from(&anomaly.example);
            }
        }
        None => seen.push(Anomaly {
            count: found,
            ..anomaly.clone()
        }),
    }
}
