//! Reduced searches against unreduced ones.

use std::collections::BTreeSet;

use fastrand::Rng;

use super::Exhaustive;
use super::machine::Statement::{self, Commit, Lock, Read, Write};
use super::machine::{End, Programs, TABLES, ends, explored};
use crate::explore::{Ablation, Reduction};
use crate::footprint::Rule;

const SOUND: Reduction = Reduction { without: None };

fn without(part: Ablation) -> Reduction {
    Reduction {
        without: Some(part),
    }
}

fn all_ends(programs: &Programs) -> BTreeSet<End> {
    ends(&explored(Exhaustive::within(None), programs, false))
}

fn reduced_ends(programs: &Programs, reduction: Reduction) -> BTreeSet<End> {
    let reduced = Exhaustive::reduced(reduction, false);
    ends(&explored(reduced, programs, false))
}

fn drawn_program(rng: &mut Rng, statements: usize) -> Vec<Statement> {
    let drawn = (0..statements).map(|_| {
        let table = rng.usize(0..TABLES);
        match rng.u8(0..3) {
            0 => Read(table),
            1 => Write(table),
            _ => Lock(table),
        }
    });
    let mut program: Vec<_> = drawn.collect();
    program.push(Commit);
    program
}

/// Two clients of up to four statements, or three of up to two, and their commits.
fn drawn_programs(rng: &mut Rng) -> Programs {
    let (clients, most) = if rng.bool() { (2, 4) } else { (3, 2) };
    let lengths: Vec<_> = (0..clients).map(|_| rng.usize(1..=most)).collect();
    lengths
        .into_iter()
        .map(|length| drawn_program(rng, length))
        .collect()
}

#[test]
fn a_reduced_search_finds_every_end() {
    let mut rng = Rng::with_seed(16);
    let (mut all, mut run) = (0, 0);
    for _ in 0..300 {
        let programs = drawn_programs(&mut rng);
        let unreduced = explored(Exhaustive::within(None), &programs, false);
        let reduced = explored(Exhaustive::reduced(SOUND, false), &programs, false);
        assert_eq!(ends(&reduced), ends(&unreduced), "{programs:?}");
        all += unreduced.ended.len();
        run += reduced.ended.len() + reduced.covered;
    }
    assert!(5 * run < all, "{run} of {all}");
}

/// Each end that a schedule within the bound has is that of one that puts its preemptions off.
#[test]
fn a_bounded_search_that_puts_preemptions_off_finds_every_end() {
    let mut rng = Rng::with_seed(16);
    let (mut all, mut run) = (0, 0);
    for _ in 0..300 {
        let programs = drawn_programs(&mut rng);
        for bound in 0..=3 {
            let whole = explored(Exhaustive::within(Some(bound)), &programs, false);
            let reduced = explored(Exhaustive::bounded(bound, SOUND), &programs, false);
            assert_eq!(ends(&reduced), ends(&whole), "{bound} in {programs:?}");
            all += whole.ended.len();
            run += reduced.ended.len();
        }
    }
    // Most of these short programs lock what the other one needs.
    assert!(run < all, "{run} of {all}");
}

/// The first client reads what the other one leaves alone, before and after their one meeting.
#[test]
fn a_preemption_that_only_changes_the_order_of_what_is_independent_is_put_off() {
    let (meeting, quiet) = (0, 1);
    let programs = vec![
        vec![
            Read(quiet),
            Read(quiet),
            Read(meeting),
            Read(quiet),
            Read(quiet),
            Commit,
        ],
        vec![Write(meeting), Commit],
    ];
    let count = |first| explored(first, &programs, false).ended.len();
    assert_eq!(count(Exhaustive::within(Some(1))), 2 + 5 + 1);
    let reduced = explored(Exhaustive::bounded(1, SOUND), &programs, false);
    assert!(reduced.ended.len() < 7, "{}", reduced.ended.len());
    let whole = explored(Exhaustive::within(Some(1)), &programs, false);
    assert_eq!(ends(&reduced), ends(&whole));
}

#[test]
fn a_bounded_search_that_looks_at_no_tables_misses_an_end() {
    let mut rng = Rng::with_seed(16);
    let blind = without(Ablation::Rule(Rule::Named));
    let misses = (0..300).any(|_| {
        let programs = drawn_programs(&mut rng);
        let whole = explored(Exhaustive::within(Some(1)), &programs, false);
        let reduced = explored(Exhaustive::bounded(1, blind), &programs, false);
        ends(&reduced) != ends(&whole)
    });
    assert!(misses);
}

/// Up to the clients' names.
#[test]
fn a_reduced_search_of_clients_that_are_alike_finds_every_end() {
    let without_names = |ends: BTreeSet<End>| -> BTreeSet<End> {
        let sorted = ends.into_iter().map(|mut end| {
            end.clients.sort_unstable();
            end
        });
        sorted.collect()
    };
    let mut rng = Rng::with_seed(16);
    for _ in 0..100 {
        let (clients, most) = if rng.bool() { (2, 4) } else { (3, 2) };
        let statements = rng.usize(1..=most);
        let programs = vec![drawn_program(&mut rng, statements); clients];
        let unreduced = ends(&explored(Exhaustive::within(None), &programs, true));
        let reduced = ends(&explored(Exhaustive::reduced(SOUND, true), &programs, true));
        assert_eq!(
            without_names(reduced),
            without_names(unreduced),
            "{programs:?}"
        );
    }
}

#[test]
fn without_any_of_its_parts_a_reduced_search_misses_an_end() {
    for part in [
        Ablation::Rule(Rule::Named),
        Ablation::Rule(Rule::LockingRead),
        Ablation::Rule(Rule::TransactionEnd),
        Ablation::Waits,
    ] {
        let mut rng = Rng::with_seed(16);
        let misses = (0..300).any(|_| {
            let programs = drawn_programs(&mut rng);
            reduced_ends(&programs, without(part)) != all_ends(&programs)
        });
        assert!(misses, "{part:?}");
    }
}

/// A has locked x and B has locked y. Which of the two is refused depends on which of "A locks y"
/// and "B locks x" comes last, although they touch different tables.
#[test]
fn a_wait_makes_statements_on_different_tables_depend_on_each_other() {
    let (x, y) = (0, 1);
    let crossing = vec![
        vec![Lock(x), Lock(y), Commit],
        vec![Lock(y), Lock(x), Commit],
    ];
    let all = all_ends(&crossing);
    assert_eq!(reduced_ends(&crossing, SOUND), all);
    let missing = reduced_ends(&crossing, without(Ablation::Waits));
    assert!(missing.len() < all.len(), "{missing:?}");
}

#[test]
fn statements_on_different_tables_have_one_order() {
    let apart = vec![
        vec![Write(0), Read(0), Commit],
        vec![Write(1), Read(1), Commit],
    ];
    let runs = explored(Exhaustive::reduced(SOUND, false), &apart, false);
    assert_eq!(runs.ended.len(), 1);
    // B's first read comes before A's write, after it or after A's commit.
    let meeting = vec![vec![Write(0), Commit], vec![Read(0), Read(2), Commit]];
    let runs = explored(Exhaustive::reduced(SOUND, false), &meeting, false);
    assert_eq!(runs.ended.len(), 3);
}

/// "A reads, B changes, A writes": one preemption is enough.
#[test]
fn the_first_run_that_goes_wrong_has_the_fewest_preemptions() {
    let programs = vec![vec![Read(0), Read(1), Write(0), Commit]; 2];
    let runs = explored(Exhaustive::within(None), &programs, false);
    let serial: Vec<_> = runs.ended.iter().filter(|(level, _)| *level == 0).collect();
    assert_eq!(serial.len(), 2);
    let is_serial = |end: &End| serial.iter().any(|(_, (_, it))| it == end);
    let first = runs.ended.iter().find(|(_, (_, end))| !is_serial(end));
    let (level, (schedule, _)) = first.unwrap();
    assert_eq!(*level, 1, "{schedule}");
}
