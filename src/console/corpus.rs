//! The corpus: the scenario files in `scenarios/`, which are part of the program.

use serde::Deserialize;

/// A scenario file.
#[derive(Debug, Clone, Copy)]
pub struct CorpusFile {
    /// Its path below `scenarios/`.
    pub path: &'static str,
    /// What is in it.
    pub text: &'static str,
}

macro_rules! corpus {
    ($($path:literal),* $(,)?) => {
        &[$(CorpusFile {
            path: $path,
            text: include_str!(concat!("../../scenarios/", $path)),
        }),*]
    };
}

/// All files, folder by folder: the race first, then what does not cure it, then what does.
pub const CORPUS: &[CorpusFile] = corpus![
    "patterns/counter-cache/lost.toml",
    "patterns/counter-cache/first-cure.toml",
    "patterns/counter-cache/holds.toml",
    "patterns/first-or-create/lost.toml",
    "patterns/first-or-create/first-cure.toml",
    "patterns/first-or-create/savepoint.toml",
    "patterns/first-or-create/holds.toml",
    "patterns/for-update-without-transaction/lost.toml",
    "patterns/for-update-without-transaction/first-cure.toml",
    "patterns/for-update-without-transaction/holds.toml",
    "patterns/foreign-key-deadlock/lost.toml",
    "patterns/foreign-key-deadlock/first-cure.toml",
    "patterns/foreign-key-deadlock/retry.toml",
    "patterns/foreign-key-deadlock/holds.toml",
    "patterns/insert-where-not-exists/lost.toml",
    "patterns/insert-where-not-exists/first-cure.toml",
    "patterns/insert-where-not-exists/holds.toml",
    "patterns/last-item-sold-twice/lost.toml",
    "patterns/last-item-sold-twice/first-cure.toml",
    "patterns/last-item-sold-twice/reservation.toml",
    "patterns/last-item-sold-twice/holds.toml",
    "patterns/last-two-owners/lost.toml",
    "patterns/last-two-owners/first-cure.toml",
    "patterns/last-two-owners/holds.toml",
    "patterns/lock-of-a-missing-row/lost.toml",
    "patterns/lock-of-a-missing-row/first-cure.toml",
    "patterns/lock-of-a-missing-row/holds.toml",
    "patterns/next-number-by-max/lost.toml",
    "patterns/next-number-by-max/first-cure.toml",
    "patterns/next-number-by-max/one-statement.toml",
    "patterns/next-number-by-max/retry.toml",
    "patterns/next-number-by-max/holds.toml",
    "patterns/one-slot-two-bookings/lost.toml",
    "patterns/one-slot-two-bookings/first-cure.toml",
    "patterns/one-slot-two-bookings/exclusion-constraint.toml",
    "patterns/one-slot-two-bookings/for-update.toml",
    "patterns/one-slot-two-bookings/lock-the-host.toml",
    "patterns/one-slot-two-bookings/transaction.toml",
    "patterns/one-slot-two-bookings/holds.toml",
    "patterns/skip-locked/lost.toml",
    "patterns/skip-locked/first-cure.toml",
    "patterns/skip-locked/unique-index.toml",
    "patterns/skip-locked/holds.toml",
    "anomalies/01-g0-dirty-write.toml",
    "anomalies/02-g1a-aborted-read.toml",
    "anomalies/03-g1b-intermediate-read.toml",
    "anomalies/04-g1c-circular-information-flow.toml",
    "anomalies/05-otv-observed-transaction-vanishes.toml",
    "anomalies/06-pmp-phantom.toml",
    "anomalies/07-pmp-write-predicate-hits.toml",
    "anomalies/08-pmp-write-predicate-leaves.toml",
    "anomalies/09-p4-lost-update.toml",
    "anomalies/10-g-single-read-skew.toml",
    "anomalies/11-g-single-predicate.toml",
    "anomalies/12-g-single-write-predicate.toml",
    "anomalies/13-g2-item-write-skew.toml",
    "anomalies/14-g2-predicate.toml",
    "anomalies/15-g2-read-only.toml",
    "racy-django/non_atomic.toml",
    "racy-django/non_atomic_long_delay.toml",
    "racy-django/atomic.toml",
    "racy-django/atomic_long_delay.toml",
    "racy-django/for_update.toml",
    "templates/new.toml",
    "templates/check-then-insert/lost.toml",
    "templates/check-then-insert/holds.toml",
    "templates/counter/lost.toml",
    "templates/counter/holds.toml",
    "templates/queue/lost.toml",
    "templates/queue/holds.toml",
    "templates/read-modify-write/lost.toml",
    "templates/read-modify-write/holds.toml",
    "templates/transfer/lost.toml",
    "templates/transfer/holds.toml",
    "isolation/advisory-locks.spec",
    "isolation/annotations.spec",
    "isolation/ddl-that-waits.spec",
    "isolation/deadlock-of-three.spec",
    "isolation/deadlock-of-two.spec",
    "isolation/foreign-key.spec",
    "isolation/lost-update.spec",
    "isolation/savepoints.spec",
    "isolation/skip-locked.spec",
    "isolation/write-skew.spec",
];

/// The file with this path.
pub fn find(path: &str) -> Option<&'static CorpusFile> {
    CORPUS.iter().find(|file| file.path == path)
}

/// What a scenario file says about itself.
#[derive(Debug, Default, Deserialize)]
struct Head {
    title: Option<String>,
    about: Option<String>,
}

impl CorpusFile {
    /// The folder below `scenarios/`.
    pub fn folder(&self) -> &'static str {
        self.path.split_once('/').map_or("", |(folder, _)| folder)
    }

    /// Its title. Of an isolation test it is the file's name in words.
    pub fn title(&self) -> String {
        self.head().title.unwrap_or_else(|| {
            let name = self.path.rsplit('/').next().unwrap_or_default();
            name.trim_end_matches(".spec").replace('-', " ")
        })
    }

    /// What it is about, in Markdown. Of an isolation test it is the comment at its head.
    pub fn about(&self) -> String {
        if self.path.ends_with(".toml") {
            return self.head().about.unwrap_or_default();
        }
        let lines = self.text.lines();
        let comment = lines.map_while(|line| line.strip_prefix('#'));
        let comment: Vec<_> = comment.map(str::trim).collect();
        comment.join("\n")
    }

    fn head(&self) -> Head {
        toml::from_str(self.text).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, files);
            } else {
                files.push(path);
            }
        }
    }

    #[test]
    fn every_file_in_the_folder_is_in_the_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut files = Vec::new();
        collect(&root, &mut files);
        let there: BTreeSet<_> = files
            .iter()
            .map(|it| it.strip_prefix(&root).unwrap().to_str().unwrap())
            .collect();
        let embedded: BTreeSet<_> = CORPUS.iter().map(|file| file.path).collect();
        assert_eq!(embedded, there);
    }

    #[test]
    fn every_file_says_what_it_is_about() {
        for file in CORPUS {
            assert!(!file.about().is_empty(), "{}", file.path);
            assert!(
                !file.path.ends_with(".toml") || file.title() != file.path,
                "{}",
                file.path
            );
        }
    }
}
