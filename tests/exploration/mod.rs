//! The explorer against itself, and the cards against what it finds.

mod cards;
mod clock;
mod deadlocks;
mod planted;
mod replay;
mod search;

use std::sync::Arc;

use racy::engine::{Database, Fault, Session};
use racy::exhibits::card::Expectation;
use racy::exhibits::deposits::{
    Commits, Delay, Deposit, Memory, Receipt, Refusal, Strategy, non_atomic,
};
use racy::exhibits::{self, Specimen};
use racy::explore::report::{self, FindingData, Report};
use racy::explore::{Exploration, Finding, Schedule, Schedules, Subject};

use crate::support::explored::{explored, plan, subject};

fn strategy(name: &str) -> &'static Strategy {
    Strategy::named(name).unwrap()
}

async fn found(
    database: &Database,
    subjects: &[Arc<Subject>],
    schedules: Schedules,
    clients: usize,
) -> Exploration {
    explored(database, subjects.to_vec(), plan(schedules, clients)).await
}

async fn finding(
    database: &Database,
    strategy: &'static dyn Specimen,
    schedules: Schedules,
    clients: usize,
) -> Finding {
    let plan = plan(schedules, clients);
    crate::support::explored::finding(database, subject(strategy), plan).await
}

fn verdict(finding: &Finding) -> String {
    FindingData::of(finding).verdict
}

fn text(finding: &Finding) -> String {
    report::text(&report_of(std::slice::from_ref(finding)))
}

fn report_of(findings: &[Finding]) -> Report {
    Report::of_findings(findings, Vec::new())
}

fn schedule(text: &str) -> Schedules {
    Schedules::One(Schedule::parse(text, 2).unwrap())
}

/// What the card says of a finding's strategy, in its setting.
fn expected_of(finding: &Finding) -> &'static Expectation {
    let settings = exhibits::specimens().flat_map(|specimen| {
        let settings = specimen.settings().into_iter();
        settings.map(move |setting| (setting.name_of(specimen), setting))
    });
    let mut named = settings.filter(|(name, _)| **name == finding.about.name);
    let (_, setting) = named.next().unwrap();
    let expected = setting.expected_on(&finding.engine, finding.plan.instances);
    expected.unwrap()
}

/// A strategy for tests, planted among the others.
const fn planted(
    name: &'static str,
    deposit: for<'f> fn(
        &'f mut Session<'_>,
        &'f Deposit,
        &'f Memory,
    ) -> racy::exhibits::deposits::DepositFuture<'f>,
) -> Strategy {
    Strategy {
        name,
        delay: Delay::None,
        commits: Commits::Alone,
        card: &non_atomic::CARD,
        deposit,
        apart: None,
    }
}

async fn read_balance(s: &mut Session<'_>, d: &Deposit) -> Result<i64, Refusal> {
    let sql = "SELECT balance FROM accounts WHERE id = ?";
    let balance = s.read("read balance", sql, &[d.account]).await?;
    balance.ok_or(Refusal::UnknownAccount)
}

async fn write_balance(s: &mut Session<'_>, d: &Deposit, balance: i64) -> Result<u64, Fault> {
    let sql = "UPDATE accounts SET balance = ? WHERE id = ?";
    s.write("write balance", balance, sql, &[balance, d.account])
        .await
}

async fn insert_transaction(s: &mut Session<'_>, d: &Deposit) -> Result<u64, Fault> {
    let sql = "INSERT INTO transactions (account_id, amount) VALUES (?, ?)";
    s.run("insert transaction", sql, &[d.account, d.amount])
        .await
}

/// The race, with the record made first.
static READ_AND_WRITE: Strategy = planted("read_and_write", |s, d, _| {
    Box::pin(async move {
        insert_transaction(s, d).await?;
        let balance = read_balance(s, d).await?;
        write_balance(s, d, balance + d.amount).await?;
        Ok(Receipt::at_first_try(balance, balance + d.amount))
    })
});
