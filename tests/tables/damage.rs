//! Damaged tables: what is wrong is named, and nothing is overwritten.

use std::fs;
use std::os::unix::fs::symlink;

use racy::exhibits::tables::expiry::expire;
use racy::exhibits::tables::{Refusal, Unreadable};

use super::{Ground, complaint, counts, names};

#[tokio::test]
async fn damaged_metadata_is_named_and_stays() {
    let ground = Ground::new().await;
    for key in ["a", "b"] {
        ground.append("exclusive_create", key).await.unwrap();
    }
    let newest = ground.file("metadata/v2.json");
    let whole = fs::read_to_string(&newest).unwrap();
    let earlier = fs::read_to_string(ground.file("metadata/v1.json")).unwrap();
    for (content, expected) in [
        (
            &whole[..whole.len() / 2],
            "metadata/v2.json: it is cut off: ",
        ),
        ("", "metadata/v2.json: it is empty"),
        ("v1", "metadata/v2.json: it is not what is written here: "),
        (
            "{}",
            "metadata/v2.json: it is not what is written here: missing field `version`",
        ),
        (&earlier, "metadata/v2.json: it says that it is version 1"),
        (
            &whole.replacen("\"rows\": 2", "\"rows\": 3", 1),
            "metadata/v2.json: it says 3 rows, and its manifests have 2",
        ),
    ] {
        fs::write(&newest, content).unwrap();
        let said = complaint(&ground.table("t"));
        assert!(said.starts_with(expected), "{said}");
        let refused = ground
            .append("exclusive_create_retry", "c")
            .await
            .unwrap_err();
        assert!(matches!(&refused, Refusal::Damaged(damage) if damage.to_string() == said));
        assert_eq!(fs::read_to_string(&newest).unwrap(), content);
        let audit = ground.audit();
        assert_eq!((audit.version, counts(&audit)[5]), (None, 2), "{audit:?}");
    }
    fs::write(&newest, whole).unwrap();
    ground.append("exclusive_create", "c").await.unwrap();
    assert_eq!(ground.keys().await, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let ground = Ground::new().await;
    ground.append("exclusive_create", "a").await.unwrap();
    let data = names(&ground.file("data")).remove(0);
    fs::remove_file(ground.file("data").join(&data)).unwrap();
    let audit = ground.audit();
    assert_eq!(counts(&audit), [1, 0, 0, 0, 1, 0], "{audit:?}");
    let expected = format!("data/{data}: it is not there");
    assert_eq!(audit.anomalies[4].example.as_deref(), Some(&*expected));
}

#[tokio::test]
async fn a_pointer_to_nothing_is_named() {
    let ground = Ground::new().await;
    ground.append("rename_pointer", "a").await.unwrap();
    let pointer = ground.file("metadata/current");
    for (content, expected) in [
        ("", "metadata/current: it is empty"),
        (
            "../../../etc/passwd",
            "metadata/current: it does not name a snapshot",
        ),
        (
            "v7-0123456789abcdef.json",
            "metadata/current: it names v7-0123456789abcdef.json, which is not there",
        ),
    ] {
        fs::write(&pointer, content).unwrap();
        assert_eq!(complaint(&ground.table("t")), expected);
    }
    fs::remove_file(&pointer).unwrap();
    assert_eq!(
        complaint(&ground.table("t")),
        "metadata/current: it is not there"
    );
}

#[tokio::test]
async fn a_name_in_the_metadata_never_leaves_the_folder() {
    let ground = Ground::new().await;
    ground.append("exclusive_create", "a").await.unwrap();
    let newest = ground.file("metadata/v1.json");
    let manifest = ground
        .table("t")
        .metadata()
        .unwrap()
        .manifests
        .remove(0)
        .file;
    let text = fs::read_to_string(&newest).unwrap();
    fs::write(&newest, text.replace(&manifest, "../../../secret.json")).unwrap();
    let audit = ground.audit();
    let said = audit.anomalies[5].example.clone().unwrap();
    assert!(
        said.contains("is no name of a file that is written here"),
        "{said}"
    );
    fs::remove_file(&newest).unwrap();
    symlink("/etc/hostname", &newest).unwrap();
    let said = complaint(&ground.table("t"));
    assert_eq!(said, "metadata/v1.json: it is no regular file");
}

#[tokio::test]
async fn a_wrong_hint_changes_nothing() {
    let ground = Ground::new().await;
    for key in ["a", "b", "c"] {
        ground.append("exclusive_create", key).await.unwrap();
    }
    for hint in ["0", "1", "99", "-1", "", "three", "18446744073709551616"] {
        fs::write(ground.file("metadata/version-hint"), hint).unwrap();
        assert_eq!(ground.table("t").metadata().unwrap().version, 3, "{hint:?}");
    }
    fs::remove_file(ground.file("metadata/version-hint")).unwrap();
    assert_eq!(
        ground
            .append("exclusive_create", "d")
            .await
            .unwrap()
            .version,
        4
    );
}

#[tokio::test]
async fn a_missing_folder_is_no_missing_table() {
    let ground = Ground::new().await;
    assert_eq!(ground.table("t").metadata(), Err(Unreadable::NoTable));
    fs::remove_dir_all(ground.tables.path()).unwrap();
    let read = ground.table("t").metadata();
    assert!(matches!(read, Err(Unreadable::Fault(_))), "{read:?}");
    let refused = ground.append("exclusive_create", "a").await;
    assert!(matches!(refused, Err(Refusal::Fault(_))), "{refused:?}");
}

/// A line that was not written to its end was never answered, and is in no other line's way.
#[tokio::test]
async fn half_a_line_of_the_book_was_not_acknowledged() {
    let ground = Ground::new().await;
    ground.append("exclusive_create", "a, \"b\"").await.unwrap();
    let book = ground.file("acknowledged.csv");
    for half in ["lo", "\"lo", "lost,"] {
        let whole = fs::read_to_string(&book).unwrap();
        fs::write(&book, format!("{whole}{half}")).unwrap();
        ground.append("exclusive_create", half).await.unwrap();
    }
    let audit = ground.audit();
    let found = (audit.acknowledged, counts(&audit));
    assert_eq!(found, (4, [0; 6]), "{audit:?}");
    let whole = fs::read_to_string(&book).unwrap();
    fs::write(&book, format!("{whole}lost,.\n")).unwrap();
    let audit = ground.audit();
    let found = (audit.acknowledged, counts(&audit)[0]);
    assert_eq!(found, (5, 1), "{audit:?}");
}

/// The record is in the table, so it must not be called refused.
#[tokio::test]
async fn a_book_that_cannot_be_written_leaves_it_open() {
    let ground = Ground::new().await;
    ground.append("exclusive_create", "a").await.unwrap();
    let book = ground.file("acknowledged.csv");
    fs::remove_file(&book).unwrap();
    fs::create_dir(&book).unwrap();
    for strategy in ["exclusive_create", "batched"] {
        let refused = ground.append(strategy, strategy).await.unwrap_err();
        assert!(matches!(refused, Refusal::Unknown(_)), "{refused:?}");
    }
    assert_eq!(ground.keys().await, ["a", "exclusive_create", "batched"]);
}

#[tokio::test]
async fn a_table_whose_description_is_gone_is_not_begun_anew() {
    let ground = Ground::new().await;
    for strategy in ["exclusive_create", "rename_pointer"] {
        fs::create_dir_all(ground.file("")).unwrap();
        fs::remove_dir_all(ground.file("")).unwrap();
        ground.append(strategy, "a").await.unwrap();
        fs::remove_file(ground.file("table.json")).unwrap();
        let said = complaint(&ground.table("t"));
        assert_eq!(said, "t/table.json: it is not there");
        for other in ["exclusive_create", "rename_pointer"] {
            let refused = ground.append(other, "b").await.unwrap_err();
            assert!(matches!(refused, Refusal::Damaged(_)), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn numbers_that_no_table_has_are_damage() {
    let ground = Ground::new().await;
    ground.append("exclusive_create", "a").await.unwrap();
    let newest = ground.file("metadata/v1.json");
    let whole = fs::read_to_string(&newest).unwrap();
    let many = whole.replace("\"rows\": 1", &format!("\"rows\": {}", u64::MAX));
    fs::write(&newest, many).unwrap();
    let said = complaint(&ground.table("t"));
    assert!(
        said.starts_with("metadata/v1.json: no table has "),
        "{said}"
    );
    fs::write(&newest, &whole).unwrap();
    // No file that is written here has this name.
    let highest = ground.file(&format!("metadata/v{}.json", u64::MAX));
    fs::write(highest, &whole).unwrap();
    fs::write(ground.file("metadata/version-hint"), u64::MAX.to_string()).unwrap();
    assert_eq!(ground.table("t").metadata().unwrap().version, 1);
}

#[tokio::test]
async fn a_version_that_is_missing_between_two_others_is_named() {
    let ground = Ground::new().await;
    for key in ["a", "b", "c", "d"] {
        ground.append("exclusive_create", key).await.unwrap();
    }
    // What is missing, and whether an append would fill the gap.
    for (missing, hint, is_next) in [
        (&[3][..], "2", true),
        (&[2, 3], "0", true),
        (&[2], "4", false),
    ] {
        let path = |version| ground.file(&format!("metadata/v{version}.json"));
        let expected = format!("metadata/v{}.json: it is not there", missing[0]);
        let whole: Vec<_> = missing
            .iter()
            .map(|it| fs::read(path(*it)).unwrap())
            .collect();
        for version in missing {
            fs::remove_file(path(*version)).unwrap();
        }
        fs::write(ground.file("metadata/version-hint"), hint).unwrap();
        let audit = ground.audit();
        let absent = &audit.anomalies[4];
        let told = (absent.count, absent.example.as_deref());
        assert_eq!(told, (1, Some(&*expected)), "{audit:?}");
        let left = expire(&ground.table("t"), 1).unwrap_err();
        assert_eq!(left.to_string(), expected);
        if is_next {
            assert_eq!(complaint(&ground.table("t")), expected);
            let refused = ground.append("exclusive_create", "e").await.unwrap_err();
            assert!(matches!(refused, Refusal::Damaged(_)), "{refused:?}");
        }
        for (version, whole) in missing.iter().zip(whole) {
            fs::write(path(*version), whole).unwrap();
        }
    }
    assert_eq!(counts(&ground.audit()), [0; 6]);
}

#[tokio::test]
async fn what_a_killed_client_has_left_of_the_making_is_no_table() {
    let ground = Ground::new().await;
    let left = [
        "metadata/v0.json",
        "metadata/v0-0123456789abcdef.json",
        "metadata/current",
        ".0123456789abcdef.tmp",
    ];
    fs::create_dir_all(ground.file("metadata")).unwrap();
    for path in left {
        fs::write(ground.file(path), "half").unwrap();
    }
    ground.append("exclusive_create", "a").await.unwrap();
    assert_eq!(ground.keys().await, ["a"]);
    for path in &left[1..] {
        assert!(!ground.file(path).exists(), "{path}");
    }
}

#[tokio::test]
async fn no_version_follows_the_largest_number() {
    let ground = Ground::new().await;
    ground.append("exclusive_create", "a").await.unwrap();
    let (number, first) = ((1_u64 << 53) - 2, ground.file("metadata/v1.json"));
    let whole = fs::read_to_string(&first).unwrap();
    let largest = whole.replace("\"version\": 1", &format!("\"version\": {number}"));
    fs::remove_file(&first).unwrap();
    fs::remove_file(ground.file("metadata/v0.json")).unwrap();
    fs::write(ground.file(&format!("metadata/v{number}.json")), largest).unwrap();
    assert_eq!(ground.keys().await, ["a"]);
    let refused = ground.append("exclusive_create", "b").await.unwrap_err();
    let Refusal::Damaged(damage) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(damage.why, "no version can follow");
}

/// A reader of CSV takes it for a byte order mark, and leaves it out.
#[tokio::test]
async fn any_key_is_noted_as_it_is() {
    let ground = Ground::new().await;
    let keys = ["\u{feff}bom", "\"", ",", "a,.", " a ", "\u{2028}"];
    for key in keys {
        ground.append("exclusive_create", key).await.unwrap();
    }
    assert_eq!(ground.keys().await, keys);
    let audit = ground.audit();
    assert_eq!(
        (audit.acknowledged, counts(&audit)),
        (6, [0; 6]),
        "{audit:?}"
    );
}
