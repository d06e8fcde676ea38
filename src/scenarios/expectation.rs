//! What a file says that should be found, beside what was found.

use std::collections::BTreeMap;

use toml::Spanned;

use super::anomalies::{EXPECTED_COUNTS, FAILED, NOT_SERIAL};
use super::by_engine::EngineName;
use super::file::Count;
use super::invariant::Invariant;
use super::place::{FileError, SourceFile};
use crate::engine::{Engine, FaultKind, Isolation, Journal};
use crate::explore::{Finding, OwnSearch, Schedules};
use crate::verdict::Verdict;

/// All that a file expects.
#[derive(Debug, Default)]
pub(super) struct Expectations {
    entries: Vec<Entry>,
}

/// One part of `expect`.
#[derive(Debug)]
struct Entry {
    place: Place,
    /// The line on which it begins, from 1.
    line: usize,
    counts: BTreeMap<String, Count>,
}

/// Where an entry holds.
#[derive(Debug, Default)]
struct Place {
    /// As the file writes it.
    key: String,
    /// Whether it holds where no other entry does.
    is_else: bool,
    engines: Vec<EngineName>,
    levels: Vec<Isolation>,
    snapshot_isolation: Vec<bool>,
    journals: Vec<Journal>,
}

const WORDS: &str = "mysql, mariadb, postgres, sqlite; read-uncommitted, read-committed, \
                     repeatable-read, serializable; snapshot-isolation, no-snapshot-isolation; wal, \
                     rollback-journal; or else alone";

type Table = BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<Count>>>;

impl Expectations {
    pub(super) fn read(
        source: SourceFile<'_>,
        table: &Table,
        invariants: &[Invariant],
        is_search_stated: bool,
    ) -> Result<Self, FileError> {
        let counts = table.values().flat_map(BTreeMap::values);
        let is_a_number = |it: &&Spanned<Count>| matches!(it.get_ref(), Count::Exactly(1..));
        if let Some(count) = counts
            .into_iter()
            .find(is_a_number)
            .filter(|_| !is_search_stated)
        {
            let message = "a number of schedules is one of all, or of all within a bound, and an \
                           application's search ends when some go wrong: say `[explore]` with \
                           `exhaustive = true` or `preemptions = 1`, or expect \"some\"";
            return Err(source.mistake(count.span().start, message));
        }
        let entries = table.iter().map(|(key, counts)| {
            Ok(Entry {
                place: Place::read(source, key)?,
                line: source.position(key.span().start).line,
                counts: read_counts(source, counts, invariants)?,
            })
        });
        let entries = entries.collect::<Result<_, FileError>>()?;
        Ok(Self { entries })
    }

    /// What was found that should not have been, in words.
    pub(super) fn unmet(&self, finding: &Finding) -> Vec<String> {
        let entries = self.entries_for(&finding.engine);
        if entries.is_empty() {
            return unmet_by_default(finding);
        }
        entries
            .into_iter()
            .flat_map(|entry| entry.unmet(finding))
            .collect()
    }

    /// The verdicts of the runs that should not have been, the worst first. Empty if something is
    /// missing that should have been found.
    pub(super) fn unmet_verdicts(&self, finding: &Finding) -> Vec<Verdict> {
        let entries = self.entries_for(&finding.engine);
        let unmet: Vec<_> = entries
            .iter()
            .flat_map(|it| it.unmet_counts(finding))
            .collect();
        let verdicts = finding.tally.verdicts.keys().copied();
        let is_unexpected = |verdict: &Verdict| match entries[..] {
            [] => verdict.is_anomaly() || is_an_unnamed_refusal(finding, *verdict),
            _ => unmet.iter().any(|it| is_named(&it.name, *verdict)),
        };
        verdicts.filter(is_unexpected).collect()
    }

    /// The line of the first entry that is not met. None if each is, or if there is none for this
    /// engine.
    pub(super) fn unmet_at(&self, finding: &Finding) -> Option<usize> {
        let entries = self.entries_for(&finding.engine).into_iter();
        let mut unmet = entries.filter(|it| !it.unmet(finding).is_empty());
        unmet.next().map(|it| it.line)
    }

    /// The entries that hold on this engine: those that name it or, if none does, `else`.
    fn entries_for(&self, engine: &Engine) -> Vec<&Entry> {
        let fits = |entry: &&Entry| entry.place.fits(engine);
        let named: Vec<_> = self
            .entries
            .iter()
            .filter(|it| !it.place.is_else)
            .filter(fits)
            .collect();
        if named.is_empty() {
            self.entries.iter().filter(|it| it.place.is_else).collect()
        } else {
            named
        }
    }
}

/// A count that is not as the file says.
struct UnmetCount {
    name: String,
    found: u64,
    /// In the file's words.
    expected: String,
}

impl Entry {
    fn unmet(&self, finding: &Finding) -> Vec<String> {
        let key = self.place.as_written();
        let unmet = self.unmet_counts(finding).into_iter();
        let said = unmet.map(|it| {
            let (name, found, expected) = (it.name, it.found, it.expected);
            format!("{name} is {found}, and [expect.{key}] says {expected}")
        });
        said.collect()
    }

    fn unmet_counts(&self, finding: &Finding) -> Vec<UnmetCount> {
        let mut counts = self.counts.clone();
        for name in ["violated", "failed", "not_serial"] {
            // An invariant that is named tells of the violations itself.
            let is_told = name == "violated"
                && counts
                    .keys()
                    .any(|it| !EXPECTED_COUNTS.contains(&it.as_str()));
            if !is_told {
                counts.entry(name.to_owned()).or_insert(Count::None);
            }
        }
        let unmet = counts.iter().filter_map(|(name, expected)| {
            let found = found(finding, name);
            let expected = contradicted(finding, *expected, found)?;
            Some(UnmetCount {
                name: name.clone(),
                found,
                expected,
            })
        });
        unmet.collect()
    }
}

/// What `found` contradicts, in the file's words. None if it contradicts nothing. A search that ran
/// less than the file asks for can only find too much.
fn contradicted(finding: &Finding, expected: Count, found: u64) -> Option<String> {
    let is_unreduced = !finding.plan.schedules.is_reduced();
    let is_whole = finding.is_exhaustive() || is_what_the_file_asks_for(finding);
    let is_to_its_end = is_whole && !finding.ended_early;
    match expected {
        Count::None => (found > 0).then(|| "\"none\"".to_owned()),
        Count::Some => (found == 0 && is_to_its_end).then(|| "\"some\"".to_owned()),
        Count::Exactly(0) => (found > 0).then(|| "0".to_owned()),
        Count::Exactly(number) if is_whole && is_unreduced => {
            (found != number).then(|| number.to_string())
        }
        Count::Exactly(number) => (found == 0 && is_whole).then(|| number.to_string()),
    }
}

/// Whether all was run that the file asks for, although it is not all there is.
fn is_what_the_file_asks_for(finding: &Finding) -> bool {
    let search = finding.about.scenario.as_ref().and_then(|it| it.search);
    let is_asked = match search {
        Some(OwnSearch::Within(most)) => {
            let bound = Schedules::All {
                preemptions: Some(most),
            };
            finding.plan.schedules == bound
        }
        Some(OwnSearch::CounterexampleFirst(_)) => finding.plan.counterexample_first,
        Some(OwnSearch::All) | None => false,
    };
    is_asked && finding.is_whole()
}

/// The number of schedules with this verdict.
fn found(finding: &Finding, name: &str) -> u64 {
    let verdicts = finding.tally.verdicts.iter();
    let named = verdicts.filter(|(verdict, _)| is_named(name, **verdict));
    named.map(|(_, count)| count).sum()
}

/// Whether a count with this name counts runs with this verdict.
fn is_named(name: &str, verdict: Verdict) -> bool {
    match (name, verdict) {
        ("violated", Verdict::Anomaly(it)) => it != &FAILED && it != &NOT_SERIAL,
        _ => verdict.name() == name,
    }
}

/// Whether it is a refusal that no client's `may_be_refused` names.
fn is_an_unnamed_refusal(finding: &Finding, verdict: Verdict) -> bool {
    let scenario = finding.about.scenario.as_ref();
    match verdict {
        Verdict::Refused(kind) => !scenario.is_some_and(|it| it.may_be_refused.contains(&kind)),
        Verdict::Anomaly(_) | Verdict::Declined | Verdict::Safe => false,
    }
}

/// What must not be found where the file expects nothing.
fn unmet_by_default(finding: &Finding) -> Vec<String> {
    let anomalies = finding
        .anomalies()
        .map(|(anomaly, count)| format!("{} in {}", anomaly.does, schedules(count)));
    let is_unnamed = |kind: FaultKind| is_an_unnamed_refusal(finding, Verdict::Refused(kind));
    let refusals = finding.tally.refused.iter();
    let refusals =
        refusals
            .filter(|((kind, _), _)| is_unnamed(*kind))
            .map(|((kind, code), count)| {
                let code = code
                    .as_deref()
                    .map(|it| format!(" ({it})"))
                    .unwrap_or_default();
                format!(
                    "refused with {}{code} in {}, and `may_be_refused` does not name it",
                    kind.name(),
                    schedules(*count)
                )
            });
    anomalies.chain(refusals).collect()
}

fn schedules(count: u64) -> String {
    match count {
        1 => "1 schedule".to_owned(),
        _ => format!("{count} schedules"),
    }
}

impl Place {
    fn read(source: SourceFile<'_>, key: &Spanned<String>) -> Result<Self, FileError> {
        let mut place = Self {
            key: key.get_ref().clone(),
            ..Self::default()
        };
        let wrong = |message: String| source.mistake(key.span().start, message);
        let words: Vec<_> = key.get_ref().split_whitespace().collect();
        if words == ["else"] {
            place.is_else = true;
            return Ok(place);
        }
        for word in &words {
            let engine = EngineName::ALL.into_iter().find(|it| it.name() == *word);
            let level: Option<Isolation> = word.parse().ok();
            match (*word, engine, level) {
                (_, Some(engine), _) => place.engines.push(engine),
                (_, _, Some(level)) => place.levels.push(level),
                ("snapshot-isolation", ..) => place.snapshot_isolation.push(true),
                ("no-snapshot-isolation", ..) => place.snapshot_isolation.push(false),
                ("wal", ..) => place.journals.push(Journal::Wal),
                ("rollback-journal", ..) => place.journals.push(Journal::Rollback),
                _ => {
                    return Err(wrong(format!(
                        "{word:?} is no place; its words are {WORDS}"
                    )));
                }
            }
        }
        if words.is_empty() {
            return Err(wrong(format!("the place is empty; its words are {WORDS}")));
        }
        Ok(place)
    }

    /// Its key as TOML needs it: in quotes if there is more than a word.
    fn as_written(&self) -> String {
        let is_bare = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
        if self.key.chars().all(is_bare) {
            self.key.clone()
        } else {
            format!("{:?}", self.key)
        }
    }

    fn fits(&self, engine: &Engine) -> bool {
        let is_any =
            |among: &[bool]| among.is_empty() || among.contains(&engine.snapshot_isolation);
        let engines = self.engines.iter().map(|it| it.flavour());
        (self.engines.is_empty() || engines.into_iter().any(|it| it == engine.flavour))
            && (self.levels.is_empty() || self.levels.contains(&engine.isolation))
            && is_any(&self.snapshot_isolation)
            && (self.journals.is_empty()
                || engine.journal.is_some_and(|it| self.journals.contains(&it)))
    }
}

fn read_counts(
    source: SourceFile<'_>,
    counts: &BTreeMap<Spanned<String>, Spanned<Count>>,
    invariants: &[Invariant],
) -> Result<BTreeMap<String, Count>, FileError> {
    let read = counts.iter().map(|(name, count)| {
        let is_known = EXPECTED_COUNTS.contains(&name.get_ref().as_str())
            || invariants.iter().any(|it| it.name == *name.get_ref());
        if !is_known {
            let message = format!(
                "{:?} is neither a verdict nor the name of an invariant; the verdicts are {}",
                name.get_ref(),
                EXPECTED_COUNTS.join(", ")
            );
            return Err(source.mistake(name.span().start, message));
        }
        Ok((name.get_ref().clone(), *count.get_ref()))
    });
    read.collect()
}
