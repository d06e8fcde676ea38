//! Many clients at once, in one process. What each order leads to is found by the explorer.

use racy::exhibits::Retry;
use racy::exhibits::tables::{KeptBy, Refusal, STRATEGIES, Strategy};
use racy::step::{Action, Observer, Parked, Record, Step, Unobserved};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::{Ground, counts, one};

/// Appends this number of records to the table `t` at once, and returns the keys that were
/// acknowledged.
async fn append_at_once(
    ground: &Ground,
    strategy: &'static Strategy,
    clients: usize,
) -> Vec<String> {
    let mut running = JoinSet::new();
    for client in 0..clients {
        let (database, table) = (ground.lab.database.clone(), ground.table("t"));
        running.spawn(async move {
            let mut wanted = one(&format!("client {client}"));
            wanted.partition = format!("p{client}").parse().ok();
            let pauses = Retry::Jitter.pauses();
            let made = strategy.perform(&database, &table, &wanted, pauses, &Unobserved);
            match made.await {
                Ok(_) => Some(wanted.records.remove(0).key),
                Err(Refusal::Conflict { .. } | Refusal::GaveUp { .. }) => None,
                Err(other) => panic!("{}: {other:?}", strategy.name),
            }
        });
    }
    let mut made: Vec<_> = running.join_all().await.into_iter().flatten().collect();
    made.sort();
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_versions_keep_is_never_lost() {
    let kept = STRATEGIES
        .iter()
        .filter(|it| it.kept_by == KeptBy::Versions);
    for strategy in kept {
        let ground = Ground::new().await;
        let made = append_at_once(&ground, strategy, 16).await;
        assert!(!made.is_empty(), "{}", strategy.name);
        let mut there = ground.keys().await;
        there.sort();
        assert_eq!(made, there, "{}", strategy.name);
        let audit = ground.audit();
        assert_eq!(audit.acknowledged, made.len() as u64);
        let [missing, twice, lineage, _orphans, absent, unreadable] = counts(&audit);
        let wrong = [missing, twice, lineage, absent, unreadable];
        assert_eq!(wrong, [0; 5], "{}: {audit:?}", strategy.name);
    }
}

/// Lets two clients take the lock only when both are about to.
#[derive(Debug)]
struct BothAtTheLock(Barrier);

impl Observer for BothAtTheLock {
    fn before<'a>(&'a self, step: &'a Step) -> Parked<'a> {
        Box::pin(async move {
            if step.action == Action::Lock {
                self.0.wait().await;
            }
        })
    }

    fn after(&self, _record: &Record) {}
}

#[tokio::test]
async fn an_instance_commits_what_waits_together() {
    let ground = Ground::new().await;
    let batched = Strategy::named("batched").unwrap();
    let table = ground.table("t");
    let (a, b) = (one("a"), one("b"));
    let both = BothAtTheLock(Barrier::new(2));
    let append = |wanted| {
        let pauses = Retry::None.pauses();
        batched.perform(&ground.lab.database, &table, wanted, pauses, &both)
    };
    let (first, second) = tokio::join!(append(&a), append(&b));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.snapshot, second.snapshot);
    assert_eq!((first.records, first.together), (1, Some(2)));
    assert!(first.leads != second.leads);
    let mut keys = ground.keys().await;
    keys.sort();
    assert_eq!(keys, ["a", "b"]);
}

#[tokio::test]
async fn a_table_is_kept_in_one_way() {
    let ground = Ground::new().await;
    ground.append("overwrite_pointer", "a").await.unwrap();
    let refused = ground.append("exclusive_create", "b").await.unwrap_err();
    assert_eq!(refused, Refusal::KeptBy(KeptBy::Pointer));
    ground.append("rename_pointer", "c").await.unwrap();
    assert_eq!(ground.keys().await, ["a", "c"]);
}

/// A commit adds to the metadata as much after a hundred commits as after ten.
#[tokio::test]
async fn a_snapshot_does_not_grow_with_the_history() {
    let ground = Ground::new().await;
    let mut largest = 0;
    for number in 1..=120 {
        ground
            .append("exclusive_create", &number.to_string())
            .await
            .unwrap();
        let now = ground.table("t").metadata().unwrap();
        largest = largest.max(now.manifests.len());
        let rows: u64 = now.manifests.iter().map(|it| it.rows).sum();
        assert_eq!((now.rows, rows), (number, number));
    }
    // Nine of each level, of which there are three.
    assert!(largest <= 27, "{largest}");
    let keys = ground.keys().await;
    let expected: Vec<_> = (1..=120).map(|it| it.to_string()).collect();
    assert_eq!(keys, expected, "they stay in their order");
}
