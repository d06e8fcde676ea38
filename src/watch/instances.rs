//! The instances of the service. Behind a proxy each answer may come from another instance, and
//! each instance counts for itself. So totals are compared with earlier ones of the same instance,
//! and then the rates of all instances are added up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::commits::{Commits, Whose};
use super::exposition::Sample;
use super::flow::Flow;

/// The metrics of one instance at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Reading {
    /// When the process started. A different time means a new process, which counts from zero.
    started: f64,
    totals: BTreeMap<String, Flow>,
    commits: BTreeMap<Whose, Commits>,
    pool: Pool,
    database_up: bool,
    lost: BTreeMap<i64, AccountLoss>,
}

/// Database connections.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Pool {
    pub(super) in_use: f64,
    pub(super) idle: f64,
    pub(super) limit: f64,
    pub(super) waiting: f64,
}

/// What was lost in an account.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct AccountLoss {
    pub(super) amount: f64,
    /// The least number of updates that must be missing to explain the amount.
    pub(super) updates: f64,
}

impl Reading {
    pub(super) fn of(samples: &[Sample]) -> Self {
        let mut reading = Self::default();
        for sample in samples {
            reading.take(sample);
        }
        reading
    }

    fn take(&mut self, sample: &Sample) {
        let value = sample.value;
        Commits::count(&mut self.commits, sample);
        match sample.name.as_str() {
            "process_start_time_seconds" => self.started = value,
            "racy_database_up" => self.database_up = value > 0.0,
            "racy_pool_connections_in_use" => self.pool.in_use = value,
            "racy_pool_connections_idle" => self.pool.idle = value,
            "racy_pool_connections_limit" => self.pool.limit = value,
            "racy_pool_waiting_requests" => self.pool.waiting = value,
            "racy_lost_amount" => self.lost(sample, |lost| lost.amount = value),
            "racy_lost_updates" => self.lost(sample, |lost| lost.updates = value),
            _ if sample.labels.contains_key("strategy") => {
                let strategy = sample.label("strategy").to_owned();
                self.totals.entry(strategy).or_default().count(sample);
            }
            _ => {}
        }
    }

    fn lost(&mut self, sample: &Sample, set: impl FnOnce(&mut AccountLoss)) {
        if let Ok(account) = sample.label("account").parse() {
            set(self.lost.entry(account).or_default());
        }
    }

    fn losses(&self) -> Option<BTreeMap<i64, AccountLoss>> {
        let lost = self.lost.iter().filter(|(_, lost)| lost.amount != 0.0);
        let lost = lost.map(|(account, lost)| (*account, *lost)).collect();
        (!self.lost.is_empty()).then_some(lost)
    }

    fn rates_since(&self, earlier: &Self, time: Duration) -> BTreeMap<String, Flow> {
        let nothing = Flow::default();
        let rates = self.totals.iter().map(|(strategy, total)| {
            let before = earlier.totals.get(strategy).unwrap_or(&nothing);
            (
                strategy.clone(),
                total.per_second(before, time.as_secs_f64()),
            )
        });
        rates.collect()
    }
}

/// The instances that have answered lately.
#[derive(Debug)]
pub(super) struct Instances {
    known: BTreeMap<String, InstanceState>,
    forget_after: Duration,
}

#[derive(Debug)]
struct InstanceState {
    reading: Reading,
    at: Instant,
    /// The rates since the reading before. None if this is the first reading.
    rates: Option<BTreeMap<String, Flow>>,
    /// The rates of the commits to tables. Empty if this is the first reading.
    commits: BTreeMap<Whose, Commits>,
}

/// What all instances do together.
#[derive(Debug, PartialEq)]
pub(super) struct Summary<'i> {
    /// The names of the instances.
    pub(super) instances: Vec<&'i str>,
    /// The rates per second of each strategy that has had a request since the service began.
    pub(super) rates: BTreeMap<&'i str, Flow>,
    /// The length of the longest strategy name, also of strategies without a request.
    pub(super) longest_name: usize,
    /// The rates per second of the commits to each table.
    pub(super) commits: BTreeMap<Whose, Commits>,
    pub(super) pool: Pool,
    pub(super) database_up: bool,
    /// The accounts in which something was lost. None if the service could not read the accounts.
    pub(super) lost: Option<BTreeMap<i64, AccountLoss>>,
}

impl Instances {
    /// No instances yet. An instance that has not answered for this time is forgotten.
    pub(super) fn new(forget_after: Duration) -> Self {
        Self {
            known: BTreeMap::new(),
            forget_after,
        }
    }

    /// Takes a reading of one instance.
    pub(super) fn hear(&mut self, instance: String, reading: Reading, at: Instant) {
        self.known
            .retain(|_, known| at.duration_since(known.at) <= self.forget_after);
        let before = self.known.get(&instance);
        let before = before.filter(|before| before.reading.started == reading.started);
        let time = |before: &InstanceState| at.duration_since(before.at);
        let rates = before.map(|it| reading.rates_since(&it.reading, time(it)));
        let commits =
            before.map(|it| Commits::per_second(&reading.commits, &it.reading.commits, time(it)));
        let known = InstanceState {
            rates,
            commits: commits.unwrap_or_default(),
            reading,
            at,
        };
        self.known.insert(instance, known);
    }

    /// The summary. None until one instance has answered twice.
    pub(super) fn summary(&self) -> Option<Summary<'_>> {
        let latest = self.known.values().max_by_key(|known| known.at)?;
        let rated = self.known.values().filter_map(|known| known.rates.as_ref());
        let mut rates = BTreeMap::<_, Flow>::new();
        for (strategy, rate) in rated.flatten() {
            rates.entry(strategy.as_str()).or_default().add(rate, 1.0);
        }
        if rates.is_empty() {
            return None;
        }
        let longest_name = rates.keys().map(|name| name.len()).max().unwrap_or(0);
        rates.retain(|strategy, _| self.was_asked(strategy));
        let mut commits = BTreeMap::<Whose, Commits>::new();
        for (whose, rate) in self.known.values().flat_map(|known| &known.commits) {
            commits.entry(whose.clone()).or_default().add(rate);
        }
        Some(Summary {
            commits,
            instances: self.known.keys().map(String::as_str).collect(),
            rates,
            longest_name,
            pool: self.pool(),
            // All instances share one database, so the latest reading of it counts.
            database_up: latest.reading.database_up,
            lost: latest.reading.losses(),
        })
    }

    fn was_asked(&self, strategy: &str) -> bool {
        let totals = self.known.values();
        totals
            .filter_map(|known| known.reading.totals.get(strategy))
            .any(|total| total.requests > 0.0)
    }

    fn pool(&self) -> Pool {
        let pools = self.known.values().map(|known| known.reading.pool);
        pools.fold(Pool::default(), |sum, pool| Pool {
            in_use: sum.in_use + pool.in_use,
            idle: sum.idle + pool.idle,
            limit: sum.limit + pool.limit,
            waiting: sum.waiting + pool.waiting,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::exposition::parse;
    use super::*;

    fn reading(started: u32, requests: u32) -> Reading {
        let text = format!(
            "process_start_time_seconds {started}\n\
             racy_requests_total{{strategy=\"a\",outcome=\"applied\",status=\"200\"}} {requests}\n\
             racy_requests_total{{strategy=\"longer\",outcome=\"applied\",status=\"200\"}} 0\n\
             racy_pool_connections_in_use 2\n\
             racy_pool_connections_limit 8\n\
             racy_database_up 1\n\
             racy_lost_amount{{account=\"1\"}} 900\n\
             racy_lost_updates{{account=\"1\"}} 9\n\
             racy_lost_amount{{account=\"2\"}} 0\n"
        );
        Reading::of(&parse(&text).unwrap())
    }

    fn instances() -> (Instances, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        let after = move |seconds| start + Duration::from_secs(seconds);
        (Instances::new(Duration::from_secs(10)), after)
    }

    fn requests(instances: &Instances) -> Option<f64> {
        let summary = instances.summary()?;
        Some(summary.rates["a"].requests)
    }

    #[test]
    fn a_rate_takes_two_readings() {
        let (mut instances, after) = instances();
        instances.hear("x".to_owned(), reading(1, 10), after(0));
        assert_eq!(instances.summary(), None);
        instances.hear("x".to_owned(), reading(1, 30), after(2));
        assert_eq!(requests(&instances), Some(10.0));

        let summary = instances.summary().unwrap();
        assert_eq!(summary.rates.len(), 1, "the other strategy had no request");
        assert_eq!(summary.longest_name, 6);
        assert_eq!((summary.pool.in_use, summary.pool.limit), (2.0, 8.0));
        assert!(summary.database_up);
        let lost = AccountLoss {
            amount: 900.0,
            updates: 9.0,
        };
        assert_eq!(summary.lost, Some(BTreeMap::from([(1, lost)])));
    }

    #[test]
    fn instances_in_turn_are_told_apart_and_added_up() {
        let (mut instances, after) = instances();
        for (second, instance, total) in [(0, "x", 0), (1, "y", 500), (2, "x", 20), (3, "y", 560)] {
            instances.hear(instance.to_owned(), reading(1, total), after(second));
        }
        assert_eq!(requests(&instances), Some(10.0 + 30.0));
        let summary = instances.summary().unwrap();
        assert_eq!(summary.instances, ["x", "y"]);
        assert_eq!(summary.pool.limit, 16.0);
    }

    #[test]
    fn a_restarted_instance_counts_from_its_new_beginning() {
        let (mut instances, after) = instances();
        instances.hear("x".to_owned(), reading(1, 1000), after(0));
        instances.hear("x".to_owned(), reading(2, 5), after(1));
        assert_eq!(instances.summary(), None);
        instances.hear("x".to_owned(), reading(2, 6), after(2));
        assert_eq!(requests(&instances), Some(1.0));
    }

    #[test]
    fn an_instance_that_is_gone_is_forgotten() {
        let (mut instances, after) = instances();
        for second in 0..=1 {
            instances.hear("x".to_owned(), reading(1, 0), after(second));
        }
        for second in 10..=12 {
            instances.hear("y".to_owned(), reading(1, 0), after(second));
        }
        assert_eq!(instances.summary().unwrap().instances, ["y"]);
    }
}
