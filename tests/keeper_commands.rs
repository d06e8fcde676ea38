//! The keeper's commands as a person runs them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use reqwest::redirect::Policy;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::process::{Served, racy, signal, terminate};
use crate::support::{TestEngine, open_folder};

on_engines!(
    every:
        the_keeper_works_where_the_lab_is_open,
        several_keepers_at_once_take_turns,
    ;
    servers:
        a_lab_that_was_killed_is_not_joined,
    ;
    innodb:
);

const PASSWORD: &str = "a grain of salt";

/// Runs a command to its end; `input` is what it reads.
async fn run(mut command: Command, input: &str) -> Output {
    let input = input.to_owned();
    let running = move || {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // One that reads nothing may be gone already.
        let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
        process.wait_with_output().unwrap()
    };
    tokio::task::spawn_blocking(running).await.unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// What a command prints that has to succeed.
fn printed(output: Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

/// What a command complains of that has to fail.
fn complaint(output: Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
    assert_eq!(text(&output.stdout), "");
    text(&output.stderr).to_owned()
}

/// A `racy` command on the database in this folder.
fn on_file(folder: &Path, arguments: &[&str]) -> Command {
    let url = format!("sqlite:{}", folder.join("lab.db").display());
    let mut command = racy(arguments);
    command.args(["--database-url", &url]);
    command
}

async fn the_keeper_works_where_the_lab_is_open(engine: TestEngine) {
    let folder = open_folder();
    let url = engine.own_url(folder.path());
    let command = |arguments: &[&str]| on_lab(engine, folder.path(), arguments);
    // Also where no lab has been yet.
    let account = run(command(&["account", "add", "--opening-balance", "5"]), "").await;
    let account = printed(account);
    let account = account.trim();

    let served = tokio::task::block_in_place(|| Served::start(&url, folder.path(), &[]));
    let made = command(&["createsuperuser", "--username", "ada"]);
    let made = printed(run(made, &format!("{PASSWORD}\n")).await);
    assert_eq!(made, "The user ada may sign in.\n");
    let client = reqwest::Client::builder().redirect(Policy::none());
    let client = client.build().unwrap();
    let login = client.post(format!("{}/admin/login", served.base_url));
    let login = login.form(&[("username", "ada"), ("password", PASSWORD)]);
    assert_eq!(login.send().await.unwrap().status(), 303);

    let path = format!("{}/accounts/{account}", served.base_url);
    let look = async || -> Value {
        client
            .get(&path)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    let deposit = client.post(format!("{}/demo/atomic_no_delay/", served.base_url));
    let deposit = deposit.form(&[("account", account), ("amount", "10")]);
    assert_eq!(deposit.send().await.unwrap().status(), 200);
    assert_eq!(look().await["balance"], 15);
    let deleted = command(&["transactions", "delete", "--account", account]);
    let deleted = printed(run(deleted, "").await);
    assert_eq!(
        deleted,
        format!("1 transactions of account {account} are deleted.\n")
    );
    assert_eq!(look().await["opening_balance"], 15);
    printed(run(command(&["account", "reset", account]), "").await);
    let list = printed(run(command(&["account", "list"]), "").await);
    assert!(
        list.lines().any(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            words == [account, "15", "15", "0", "0"]
        }),
        "{list}"
    );

    let token = printed(run(command(&["token", "create", "--username", "ada"]), "").await);
    let changes = client.get(format!("{}/changes", served.base_url));
    let changes = changes.bearer_auth(token.trim()).send().await.unwrap();
    let changes: Value = changes.json().await.unwrap();
    let changes = changes["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 3);
    assert!(
        changes
            .iter()
            .all(|change| change["username"] == "(command line)")
    );
    terminate(&served.process);
    assert!(tokio::task::block_in_place(|| served.wait()).0.success());
}

/// A command on the lab of this kind that keeps its data in this folder.
fn on_lab(engine: TestEngine, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = racy(arguments);
    command.args(["--database-url", &engine.own_url(folder)]);
    command.env("RACY_DATA_DIR", folder);
    command
}

/// None starts a server of its own on other data than the rest.
async fn several_keepers_at_once_take_turns(engine: TestEngine) {
    let folder = open_folder();
    let mut keepers = JoinSet::new();
    for _ in 0..3 {
        keepers.spawn(run(on_lab(engine, folder.path(), &["account", "add"]), ""));
    }
    let mut accounts = Vec::new();
    while let Some(output) = keepers.join_next().await {
        accounts.push(printed(output.unwrap()));
    }
    accounts.sort_unstable();
    assert_eq!(
        accounts,
        ["2\n", "3\n", "4\n"],
        "after the first, which is there from the beginning"
    );
}

async fn a_lab_that_was_killed_is_not_joined(engine: TestEngine) {
    let folder = open_folder();
    let url = engine.own_url(folder.path());
    let served = tokio::task::block_in_place(|| Served::start(&url, folder.path(), &[]));
    let add = on_lab(engine, folder.path(), &["account", "add"]);
    let account = printed(run(add, "").await);
    signal("KILL", &served.process);
    tokio::task::block_in_place(|| served.wait());
    let output = run(on_lab(engine, folder.path(), &["account", "list"]), "").await;
    let said = text(&output.stderr).to_owned();
    assert!(said.contains("starting a private server"), "{said}");
    let list = printed(output);
    assert!(
        list.lines()
            .any(|line| line.trim_start().starts_with(account.trim())),
        "{list}"
    );
}

#[tokio::test]
async fn a_superuser_has_a_name_and_a_password_that_is_not_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let make = |more: &[&str]| {
        let mut command = on_file(folder.path(), &["createsuperuser"]);
        command.args(more);
        command
    };
    for (password, what_is_wrong) in [
        ("", "is empty"),
        ("short", "less than 10 characters"),
        ("password123", "everybody tries"),
        ("1029384756102", "nothing but digits"),
        ("ada.lovelace!", "contains the username"),
    ] {
        let made = run(make(&["--username", "ada.lovelace"]), password).await;
        let said = complaint(made);
        assert!(said.contains(what_is_wrong), "{password}: {said}");
        assert!(
            said.contains("--allow-weak") != password.is_empty(),
            "{said}"
        );
        assert!(password.is_empty() || !said.contains(&format!("\"{password}\"")));
    }
    assert!(
        !folder.path().join("lab.db").exists(),
        "a mistake touches no database"
    );

    let weak = run(make(&["--username", "weak", "--allow-weak"]), "short").await;
    assert_eq!(printed(weak), "The user weak may sign in.\n");
    let mut by_environment = make(&["--username", "grace"]);
    by_environment.env("RACY_SUPERUSER_PASSWORD", PASSWORD);
    assert_eq!(
        printed(run(by_environment, "").await),
        "The user grace may sign in.\n"
    );
    let again = complaint(run(make(&["--username", "grace"]), PASSWORD).await);
    assert!(again.contains("there is a user grace already"), "{again}");
    let nameless = complaint(run(make(&[]), PASSWORD).await);
    assert!(nameless.contains("--username is missing"), "{nameless}");
    let misnamed = complaint(run(make(&["--username", "a b"]), PASSWORD).await);
    assert!(misnamed.contains("letters, digits and"), "{misnamed}");
}

#[tokio::test]
async fn what_there_is_not_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, what_is_wrong) in [
        (&["account", "reset", "99"][..], "there is no account 99"),
        (
            &["transactions", "delete", "--account", "99"],
            "there is no account 99",
        ),
        (
            &["token", "create", "--username", "ada"],
            "there is no user ada",
        ),
        (
            &["token", "revoke", "--username", "ada"],
            "there is no user ada",
        ),
        (
            &["token", "create", "--username", "a b"],
            "letters, digits and",
        ),
        (
            &["account", "add", "--opening-balance", "-1"],
            "unexpected argument",
        ),
        (
            &["account", "add", "--opening-balance=-1"],
            "-1 is not in 0..",
        ),
        (&["account", "reset", "one"], "invalid digit"),
    ] {
        let said = complaint(run(on_file(folder.path(), arguments), "").await);
        assert!(said.contains(what_is_wrong), "{arguments:?}: {said}");
    }
}

#[tokio::test]
async fn a_token_holds_until_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let command = |arguments: &[&str]| on_file(folder.path(), arguments);
    printed(run(command(&["createsuperuser", "--username", "ada"]), PASSWORD).await);
    let create = ["token", "create", "--username", "ada", "--name", "ci"];
    let token = printed(run(command(&create), "").await);
    assert_eq!(token.trim().len(), 64);
    // Somebody else's of the same name stays.
    printed(
        run(
            command(&["createsuperuser", "--username", "grace"]),
            PASSWORD,
        )
        .await,
    );
    let graces = ["token", "create", "--username", "grace", "--name", "ci"];
    printed(run(command(&graces), "").await);
    let revoke = ["token", "revoke", "--username", "ada", "--name", "ci"];
    let revoked = printed(run(command(&revoke), "").await);
    assert_eq!(revoked, "1 tokens are revoked.\n");
    let again = complaint(run(command(&revoke), "").await);
    assert!(again.contains("has no token named \"ci\""), "{again}");
    let revoke = ["token", "revoke", "--username", "grace", "--name", "ci"];
    assert_eq!(
        printed(run(command(&revoke), "").await),
        "1 tokens are revoked.\n"
    );
}

/// Compose files cannot leave a variable out: they set it to nothing.
#[tokio::test]
async fn an_empty_variable_counts_as_none_in_every_command() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["account", "list"][..], &["migrate"]] {
        let mut command = on_file(folder.path(), arguments);
        for name in [
            "RACY_ISOLATION",
            "RACY_LOCK_WAIT_TIMEOUT",
            "RACY_DB_CONNECTIONS",
        ] {
            command.env(name, "");
        }
        printed(run(command, "").await);
    }
}
