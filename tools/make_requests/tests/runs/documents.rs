//! What the tool prints about itself: completion scripts and the manual page.

use crate::tool::{assert_contains, assert_exit, binary, stderr, stdout};

/// A line that only the script of this shell has.
const SHELLS: &[(&str, &str)] = &[
    ("bash", "complete -F _make_requests"),
    ("elvish", "edit:completion:arg-completer[make_requests]"),
    ("fish", "complete -c make_requests"),
    (
        "powershell",
        "Register-ArgumentCompleter -Native -CommandName 'make_requests'",
    ),
    ("zsh", "#compdef make_requests"),
];

fn printed(args: &[&str]) -> String {
    let output = binary().args(args).output().unwrap();
    assert_exit(&output, 0);
    assert_eq!(stderr(&output), "");
    stdout(&output)
}

#[test]
fn every_shell_has_a_completion_script() {
    for (shell, line) in SHELLS {
        let script = printed(&["completions", shell]);
        assert_contains(&script, line);
        assert_contains(&script, "retry-timeouts");
    }
}

#[test]
fn the_manual_page_has_the_options_and_the_exit_status() {
    let page = printed(&["man"]);
    assert!(page.contains(".TH make_requests 1"), "{page}");
    for part in ["\\-\\-retry\\-timeouts", "Exit status:", "fire"] {
        assert_contains(&page, part);
    }
}

#[test]
fn a_document_has_no_options() {
    for args in [
        &["--wait", "0", "man"][..],
        &["man", "--wait", "0"],
        &["completions"],
        &["completions", "tcsh"],
    ] {
        let output = binary().args(args).output().unwrap();
        assert_exit(&output, 2);
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_target_may_be_called_like_a_document() {
    let output = binary()
        .args(["-target", "man", "-base-url", "https://completions"])
        .output()
        .unwrap();
    assert_exit(&output, 2);
    assert_contains(&stderr(&output), "https is not supported");
}

#[test]
fn a_complaint_about_a_command_shows_no_password() {
    let output = binary().arg("http://user:secret@host").output().unwrap();
    assert_exit(&output, 2);
    assert!(!stderr(&output).contains("secret"), "{}", stderr(&output));
}
