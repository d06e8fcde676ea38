//! The binary, run and looked at.

use std::process::{Command, Output};

pub(crate) fn command(url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_make_requests"));
    command.args(["--base-url", url]).args(args);
    command
}

pub(crate) fn run_at(url: &str, args: &[&str]) -> Output {
    command(url, args).output().unwrap()
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

/// Replaces the service's address and whatever was measured.
pub(crate) fn redacted_at(text: &str, url: &str) -> String {
    let text = text.replace(url, "http://bank");
    text.lines()
        .map(|line| {
            redact_line(line)
                + "
"
        })
        .collect()
}

fn redact_line(line: &str) -> String {
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
    for start in MEASURED {
        if let Some(at) = line.find(start) {
            return format!("{}[measured]", &line[..at + start.len()]);
        }
    }
    line.to_owned()
}
