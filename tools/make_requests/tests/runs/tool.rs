//! Runs the binary and looks at what it prints.

use std::process::{Command, Output};

use serde_json::Value;

/// The binary without any arguments.
pub(crate) fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_make_requests"))
}

/// The binary, about to race at this address.
pub(crate) fn command(url: &str, args: &[&str]) -> Command {
    let mut command = binary();
    command.args(["--base-url", url]).args(args);
    command
}

pub(crate) fn run(url: &str, args: &[&str]) -> Output {
    command(url, args).output().unwrap()
}

/// Releases this number of requests together.
pub(crate) fn burst(url: &str, requests: usize) -> Output {
    run(url, &["--wait", "0", "--requests", &requests.to_string()])
}

/// Releases this number of requests together, and returns the JSON report with the exit status.
pub(crate) fn burst_json(url: &str, requests: usize) -> (Value, Option<i32>) {
    let requests = requests.to_string();
    json(url, &["--wait", "0", "--requests", &requests])
}

/// The JSON report of a run, and its exit status.
pub(crate) fn json(url: &str, args: &[&str]) -> (Value, Option<i32>) {
    let output = run(url, &[args, &["--format", "json"]].concat());
    let report = serde_json::from_slice(&output.stdout);
    (report.unwrap(), output.status.code())
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
pub(crate) fn assert_exit(output: &Output, status: i32) {
    assert_eq!(
        output.status.code(),
        Some(status),
        "stdout:\n{}\nstderr:\n{}",
        stdout(output),
        stderr(output)
    );
}

#[track_caller]
pub(crate) fn assert_contains(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in:\n{text}");
}

/// What stands before a measured value, in text and in JSON.
const MEASURED: &[&str] = &[
    "released within ",
    "  latency           ",
    "  wall time         ",
    "\"spread_us\": ",
    "\"wall_ms\": ",
    "\"min\": ",
    "\"p50\": ",
    "\"p90\": ",
    "\"p99\": ",
    "\"max\": ",
];

/// The text without the service's address and without measured values.
pub(crate) fn redacted(text: &str, url: &str) -> String {
    let text = text.replace(url, "http://bank");
    text.lines()
        .map(|line| redacted_line(line) + "\n")
        .collect()
}

fn redacted_line(line: &str) -> String {
    let measured = |start: &&str| Some((line.find(*start)?, start.len()));
    match MEASURED.iter().find_map(measured) {
        Some((at, length)) => format!("{}[measured]", &line[..at + length]),
        None => line.to_owned(),
    }
}
