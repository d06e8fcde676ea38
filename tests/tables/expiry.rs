//! The expiry: what it removes, and what it leaves alone.

use std::fs::{self, File};
use std::sync::Mutex;

use racy::exhibits::Retry;
use racy::exhibits::tables::expiry::{Expired, expire};
use racy::exhibits::tables::{Append, Refusal, Strategy, Unreadable, Wanted};
use racy::step::{Observer, Parked, Record, Step, Unobserved};

use super::{Ground, counts, names, one};

/// The table `t` after this number of appends.
async fn ground(appends: usize) -> Ground {
    let ground = Ground::new().await;
    for number in 1..=appends {
        ground
            .append("exclusive_create", &number.to_string())
            .await
            .unwrap();
    }
    ground
}

/// The versions that the table still has.
fn versions(ground: &Ground) -> Vec<String> {
    let mut names = names(&ground.file("metadata"));
    names.retain(|it| it.starts_with('v') && it.ends_with(".json"));
    names
}

#[tokio::test]
async fn the_newest_snapshots_stay_and_no_record_is_lost() {
    let ground = ground(12).await;
    let table = ground.table("t");
    let expired = expire(&table, 3).unwrap().unwrap();
    assert_eq!(
        expired.snapshots, 10,
        "thirteen versions, with the empty one"
    );
    assert_eq!(versions(&ground), ["v10.json", "v11.json", "v12.json"]);
    assert_eq!(ground.keys().await.len(), 12);
    assert_eq!(counts(&ground.audit()), [0; 6]);
    assert_eq!(expire(&table, 3).unwrap(), Some(Expired::default()));
    assert_eq!(
        ground
            .append("exclusive_create", "13")
            .await
            .unwrap()
            .version,
        13
    );
}

#[tokio::test]
async fn a_snapshot_that_is_read_stays_with_all_after_it() {
    let ground = ground(6).await;
    let table = ground.table("t");
    let reader = File::open(ground.file("metadata/v2.json")).unwrap();
    reader.lock_shared().unwrap();
    let expired = expire(&table, 1).unwrap().unwrap();
    assert_eq!(expired.snapshots, 2);
    assert_eq!(
        versions(&ground),
        ["v2.json", "v3.json", "v4.json", "v5.json", "v6.json"],
        "the highest version is found by counting up"
    );
    drop(reader);
    expire(&table, 1).unwrap().unwrap();
    assert_eq!(versions(&ground), ["v6.json"]);
}

#[tokio::test]
async fn an_old_snapshot_is_read_until_it_has_expired() {
    let ground = ground(3).await;
    let table = ground.table("t");
    let second = racy::exhibits::tables::history::history(&table, 10).unwrap()[1].clone();
    let read = table.read(second.snapshot, Wanted::ALL).unwrap();
    assert_eq!((second.version, read.records.len()), (2, 2));
    let page = Wanted {
        offset: 1,
        limit: 1,
    };
    assert_eq!(
        table.read(second.snapshot, page).unwrap().records[0].key,
        "2"
    );
    expire(&table, 1).unwrap().unwrap();
    let read = table.read(second.snapshot, Wanted::ALL);
    assert_eq!(read, Err(Unreadable::NoSnapshot));
}

#[tokio::test]
async fn what_a_killed_writer_has_left_goes_and_what_is_written_stays() {
    let ground = ground(1).await;
    let table = ground.table("t");
    let left = [
        "data/0000000000000001.csv",
        "metadata/0000000000000002.json",
        "metadata/.0000000000000003.tmp",
    ];
    for path in left {
        fs::write(ground.file(path), "half").unwrap();
    }
    // A writer has marked one of them as in use.
    let writer = File::open(ground.file(left[0])).unwrap();
    writer.lock_shared().unwrap();
    assert_eq!(counts(&ground.audit())[3], 2);
    assert_eq!(expire(&table, 5).unwrap().unwrap().files, 2);
    assert!(ground.file(left[0]).exists());
    drop(writer);
    assert_eq!(expire(&table, 5).unwrap().unwrap().files, 1);
    assert_eq!(counts(&ground.audit()), [0; 6]);
    for foreign in ["data/notes.txt", "metadata/README"] {
        fs::write(ground.file(foreign), "of a person").unwrap();
    }
    assert_eq!(expire(&table, 5).unwrap(), Some(Expired::default()));
}

#[tokio::test]
async fn a_damaged_table_is_left_as_it_is() {
    let ground = ground(4).await;
    let newest_manifest = ground.table("t").metadata().unwrap().manifests[3]
        .file
        .clone();
    let before = names(&ground.file("metadata"));
    for damaged in ["v4.json", &newest_manifest] {
        let path = ground.file("metadata").join(damaged);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..20]).unwrap();
        let said = expire(&ground.table("t"), 1);
        assert!(matches!(said, Err(Unreadable::Damaged(_))), "{said:?}");
        fs::write(&path, whole).unwrap();
        assert_eq!(names(&ground.file("metadata")), before);
    }
}

#[tokio::test]
async fn one_instance_is_at_a_table_at_a_time() {
    let ground = ground(3).await;
    let lock = racy::engine::FileLock::try_take(&ground.file(".expiry.lock"));
    let lock = lock.unwrap().unwrap();
    assert_eq!(expire(&ground.table("t"), 1).unwrap(), None);
    drop(lock);
    assert!(expire(&ground.table("t"), 1).unwrap().is_some());
}

#[tokio::test]
async fn the_current_snapshot_of_a_pointer_stays() {
    let ground = Ground::new().await;
    for key in ["a", "b", "c"] {
        ground.append("rename_pointer", key).await.unwrap();
    }
    // A slow writer has put the pointer back to an old snapshot.
    let old = versions(&ground)
        .into_iter()
        .find(|it| it.starts_with("v1-"));
    fs::write(ground.file("metadata/current"), old.unwrap()).unwrap();
    expire(&ground.table("t"), 1).unwrap().unwrap();
    assert_eq!(ground.keys().await, ["a"]);
    assert_eq!(counts(&ground.audit())[0], 2);
}

/// Lets others commit, and removes all old versions, before this writer first links its own.
#[derive(Debug)]
struct ExpiresBeforeTheLink<'g> {
    ground: &'g Ground,
    others: Mutex<Vec<Append>>,
}

impl Observer for ExpiresBeforeTheLink<'_> {
    fn before<'a>(&'a self, step: &'a Step) -> Parked<'a> {
        Box::pin(async move {
            if step.label == "link version" {
                let others = std::mem::take(&mut *self.others.lock().unwrap());
                let (database, table) = (&self.ground.lab.database, self.ground.table("t"));
                for wanted in others {
                    let strategy = Strategy::named("exclusive_create").unwrap();
                    let made = strategy.perform(database, &table, &wanted, Vec::new(), &Unobserved);
                    made.await.unwrap();
                }
                expire(&self.ground.table("t"), 1).unwrap().unwrap();
            }
        })
    }

    fn after(&self, _record: &Record) {}
}

#[tokio::test]
async fn the_name_of_a_version_that_was_there_is_never_free_again() {
    let ground = ground(2).await;
    let table = ground.table("t");
    let late = Strategy::named("exclusive_create").unwrap();
    let observer = ExpiresBeforeTheLink {
        ground: &ground,
        others: Mutex::new(["x", "y", "z"].map(one).into()),
    };
    let wanted = one("late");
    let database = &ground.lab.database;
    let refused = late.perform(database, &table, &wanted, Vec::new(), &observer);
    let refused = refused.await.unwrap_err();
    assert_eq!(refused, Refusal::Conflict { attempts: 1 });
    assert_eq!(ground.keys().await, ["1", "2", "x", "y", "z"]);
    expire(&table, 1).unwrap().unwrap();
    assert_eq!(versions(&ground), ["v5.json"]);
    assert_eq!(counts(&ground.audit()), [0; 6]);
}

#[tokio::test]
async fn a_writer_of_another_partition_is_not_refused_for_the_expiry() {
    let ground = ground(2).await;
    let table = ground.table("t");
    let in_partition = |key: &str, partition: &str| Append {
        partition: Some(partition.parse().unwrap()),
        ..one(key)
    };
    let observer = ExpiresBeforeTheLink {
        ground: &ground,
        others: Mutex::new(
            ["x", "y", "z"]
                .map(|key| in_partition(key, "theirs"))
                .into(),
        ),
    };
    let strategy = Strategy::named("partitioned").unwrap();
    let (database, wanted) = (&ground.lab.database, in_partition("late", "own"));
    let made = strategy.perform(
        database,
        &table,
        &wanted,
        Retry::pauses_in_no_time(),
        &observer,
    );
    assert_eq!(made.await.unwrap().attempts, 2);
    assert_eq!(ground.keys().await, ["1", "2", "x", "y", "z", "late"]);
}
