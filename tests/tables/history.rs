//! A table's history.

use std::sync::Mutex;

use racy::exhibits::tables::Strategy;
use racy::exhibits::tables::history::history;
use racy::step::{Observer, Parked, Record, Step};

use super::{Ground, counts, one};

#[tokio::test]
async fn each_snapshot_follows_the_one_before() {
    let ground = Ground::new().await;
    for key in ["a", "b", "c"] {
        ground.append("exclusive_create", key).await.unwrap();
    }
    let past = history(&ground.table("t"), 10).unwrap();
    let seen: Vec<_> = past
        .iter()
        .map(|it| (it.version, it.records, it.summary.added_rows, it.is_current))
        .collect();
    let expected = [
        (3, 3, 1, true),
        (2, 2, 1, false),
        (1, 1, 1, false),
        (0, 0, 0, false),
    ];
    assert_eq!(seen, expected);
    for two in past.windows(2) {
        assert_eq!(two[0].parent, Some(two[1].snapshot));
    }
    assert_eq!(past[3].parent, None);
    assert_eq!(history(&ground.table("t"), 2).unwrap(), past[..2]);
}

/// What the last to write the pointer has overwritten.
#[tokio::test]
async fn a_snapshot_that_no_other_follows_breaks_the_lineage() {
    let ground = Ground::new().await;
    ground.append("rename_pointer", "a").await.unwrap();
    let pointer = ground.file("metadata/current");
    let before = std::fs::read(&pointer).unwrap();
    ground.append("rename_pointer", "b").await.unwrap();
    std::fs::write(&pointer, before).unwrap();
    let audit = ground.audit();
    assert_eq!(counts(&audit), [1, 0, 1, 0, 0, 0], "{audit:?}");
    let said = audit.anomalies[2].example.as_deref().unwrap();
    assert!(said.starts_with("metadata/v2-"), "{said}");
    assert_eq!(
        audit.anomalies[0].example.as_deref(),
        Some("\"b\" was acknowledged, and is not there")
    );
}

/// Audits after each commit, before its client is answered.
#[derive(Debug)]
struct AuditsBeforeTheAnswer<'g> {
    ground: &'g Ground,
    duplicates: Mutex<Vec<u64>>,
}

impl Observer for AuditsBeforeTheAnswer<'_> {
    fn before<'a>(&'a self, _step: &'a Step) -> Parked<'a> {
        Box::pin(std::future::ready(()))
    }

    fn after(&self, record: &Record) {
        if record.step.label == "link version" {
            let duplicates = counts(&self.ground.audit())[1];
            self.duplicates.lock().unwrap().push(duplicates);
        }
    }
}

#[tokio::test]
async fn a_record_is_there_twice_if_it_was_acknowledged_once() {
    let ground = Ground::new().await;
    let strategy = Strategy::named("exclusive_create").unwrap();
    let observer = AuditsBeforeTheAnswer {
        ground: &ground,
        duplicates: Mutex::default(),
    };
    let (database, table, wanted) = (&ground.lab.database, ground.table("t"), one("a"));
    for _ in 0..2 {
        let made = strategy.perform(database, &table, &wanted, Vec::new(), &observer);
        made.await.unwrap();
    }
    assert_eq!(*observer.duplicates.lock().unwrap(), [0, 0]);
    assert_eq!(counts(&ground.audit()), [0; 6]);
    // As if the second client had never been answered.
    let book = ground.file("acknowledged.csv");
    let noted = std::fs::read_to_string(&book).unwrap();
    std::fs::write(&book, &noted[..noted.len() / 2]).unwrap();
    let audit = ground.audit();
    assert_eq!(counts(&audit), [0, 1, 0, 0, 0, 0], "{audit:?}");
}
