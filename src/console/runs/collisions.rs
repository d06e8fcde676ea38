//! Which orders got the same number, and which exports wrote the same file.

use std::collections::BTreeMap;

use crate::console::record::{Lane, Loss, StepPlace};

/// What one request has made, and the place of its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) lane: usize,
    /// An order's number, or a file's name.
    pub(super) name: String,
}

/// The orders that share their number with an earlier one.
pub(super) fn of_orders(lanes: &[Lane], made: &[Made]) -> Vec<Loss> {
    pairs(lanes, made)
        .into_iter()
        .map(|(lost, by)| {
            collision(lanes, lost, by, &|first, second| {
                let name = &lost.name;
                match (read(lanes, lost.lane), read(lanes, by.lane)) {
                    (Some(one), Some(other)) if one == other => format!(
                        "Requests {first} and {second} both read {one} as the highest number: both \
                     orders have number {name}."
                    ),
                    _ => format!("Requests {first} and {second} both have order number {name}."),
                }
            })
        })
        .collect()
}

/// The exports that wrote a file while another one wrote it.
pub(super) fn of_exports(lanes: &[Lane], made: &[Made]) -> Vec<Loss> {
    pairs(lanes, made)
        .into_iter()
        .filter(|(lost, by)| overlap(&lanes[lost.lane], &lanes[by.lane]))
        .map(|(lost, by)| collision(lanes, lost, by, &|first, second| {
            let name = &lost.name;
            format!(
                "Requests {first} and {second} wrote {name} at the same time: its rows are from \
                 both."
            )
        }))
        .collect()
}

/// Each request that made what an earlier one had made, with the one before it.
fn pairs<'m>(lanes: &[Lane], made: &'m [Made]) -> Vec<(&'m Made, &'m Made)> {
    let mut by_name: BTreeMap<&str, Vec<&Made>> = BTreeMap::new();
    for one in made.iter().filter(|it| !it.name.is_empty()) {
        by_name.entry(&one.name).or_default().push(one);
    }
    let mut found = Vec::new();
    for mut same in by_name.into_values() {
        same.sort_by_key(|it| first_write(&lanes[it.lane]).map(|at| at.1));
        found.extend(same.windows(2).map(|pair| (pair[0], pair[1])));
    }
    found
}

fn collision(
    lanes: &[Lane],
    lost: &Made,
    by: &Made,
    sentence: &dyn Fn(u32, u32) -> String,
) -> Loss {
    let write_of = |lane: usize| {
        let (step, _) = first_write(&lanes[lane])?;
        Some(StepPlace { lane, step })
    };
    let step = lanes[by.lane].steps.iter().position(|it| it.kind == "read");
    Loss {
        lost: lost.lane,
        by: by.lane,
        read: step.map(|step| StepPlace {
            lane: by.lane,
            step,
        }),
        written: write_of(lost.lane),
        overwrite: write_of(by.lane),
        sentence: sentence(lanes[lost.lane].request, lanes[by.lane].request),
    }
}

/// The first write: its place among the steps, and its time.
fn first_write(lane: &Lane) -> Option<(usize, i64)> {
    let step = lane.steps.iter().position(|step| step.kind == "write")?;
    Some((step, lane.steps[step].start_us))
}

/// The number that the request has read.
fn read(lanes: &[Lane], lane: usize) -> Option<i64> {
    let mut reads = lanes[lane].steps.iter().filter(|step| step.kind == "read");
    reads.find_map(|step| step.value)
}

/// Whether two requests wrote during the same time.
fn overlap(one: &Lane, other: &Lane) -> bool {
    let span = |lane: &Lane| {
        let writes = || lane.steps.iter().filter(|step| step.kind == "write");
        let start = writes().map(|step| step.start_us).min()?;
        Some((start, writes().map(|step| step.end_us).max()?))
    };
    match (span(one), span(other)) {
        (Some(one), Some(other)) => one.0 < other.1 && other.0 < one.1,
        _ => false,
    }
}
