//! The keeper's commands as a person runs them.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::json::assert_includes;
use crate::support::process::{Served, racy, signal, terminate};
use crate::support::{TestEngine, open_folder};

on_engines!(
    every:
        commands_work_where_the_lab_is_open,
        a_user_signs_in_where_the_lab_is_open,
        several_keepers_at_once_take_turns;
    servers:
        a_lab_that_was_killed_is_not_joined;
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

/// The commands change the books of a service that is under way.
async fn commands_work_where_the_lab_is_open(engine: TestEngine) {
    let folder = open_folder();
    let command = |arguments: &[&str]| run(on_lab(engine, folder.path(), arguments), "");
    // Also where no lab has been yet.
    let account = command(&["account", "add", "--opening-balance", "5"]).await;
    let account = printed(account).trim().to_owned();
    let served = serve(engine, folder.path());

    deposit_10(&served, &account).await;
    let deleted = command(&["transactions", "delete", "--account", &account]).await;
    let said = format!("1 transactions of account {account} are deleted.\n");
    assert_eq!(printed(deleted), said);
    let shown = account_of(&served, &account).await;
    assert_includes(&shown, &json!({ "balance": 15, "opening_balance": 15 }));

    deposit_10(&served, &account).await;
    printed(command(&["account", "reset", &account]).await);
    let list = printed(command(&["account", "list"]).await);
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let reset = [account.as_str(), "15", "15", "0", "0"];
    assert!(list.lines().any(|line| words(line) == reset), "{list}");
    stop(served);
}

async fn a_user_signs_in_where_the_lab_is_open(engine: TestEngine) {
    let folder = open_folder();
    let served = serve(engine, folder.path());
    let make = ["createsuperuser", "--username", "ada"];
    let make = on_lab(engine, folder.path(), &make);
    let made = printed(run(make, &format!("{PASSWORD}\n")).await);
    assert_eq!(made, "The user ada may sign in.\n");
    let client = reqwest::Client::builder().redirect(Policy::none());
    let login = format!("{}/admin/login", served.base_url);
    let login = client.build().unwrap().post(login);
    let login = login.form(&[("username", "ada"), ("password", PASSWORD)]);
    assert_eq!(login.send().await.unwrap().status(), 303);

    let add = on_lab(engine, folder.path(), &["account", "add"]);
    printed(run(add, "").await);
    let token = ["token", "create", "--username", "ada"];
    let token = printed(run(on_lab(engine, folder.path(), &token), "").await);
    let changes = reqwest::Client::new().get(format!("{}/changes", served.base_url));
    let changes = changes.bearer_auth(token.trim()).send().await.unwrap();
    let changes: Value = changes.json().await.unwrap();
    let by_command = json!({ "changes": [{ "username": "(command line)" }] });
    assert_includes(&changes, &by_command);
    stop(served);
}

fn serve(engine: TestEngine, folder: &Path) -> Served {
    let url = engine.own_url(folder);
    tokio::task::block_in_place(|| Served::start(&url, folder, &[]))
}

fn stop(served: Served) {
    terminate(&served.process);
    assert!(tokio::task::block_in_place(|| served.wait()).0.success());
}

async fn deposit_10(served: &Served, account: &str) {
    let deposit = format!("{}/demo/atomic_no_delay/", served.base_url);
    let deposit = reqwest::Client::new().post(deposit);
    let deposit = deposit.form(&[("account", account), ("amount", "10")]);
    assert_eq!(deposit.send().await.unwrap().status(), 200);
}

async fn account_of(served: &Served, account: &str) -> Value {
    let account = reqwest::get(format!("{}/accounts/{account}", served.base_url)).await;
    account.unwrap().json().await.unwrap()
}

/// A command on the lab of this kind that keeps its data in this folder.
fn on_lab(engine: TestEngine, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = racy(arguments);
    command.args(["--database-url", &engine.own_url(folder)]);
    command.env("RACY_DATA_DIR", folder);
    command
}

/// All work on the same data, one after the other.
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

/// Makes a user of a database in this folder.
fn createsuperuser(folder: &Path, more: &[&str]) -> Command {
    let mut command = on_file(folder, &["createsuperuser"]);
    command.args(more);
    command
}

/// Passwords that are guessed, and why.
const WEAK: [(&str, &str); 5] = [
    ("", "is empty"),
    ("short", "fewer than 10 characters"),
    ("password123", "guessed first"),
    ("1029384756102", "nothing but digits"),
    ("ada.lovelace!", "contains the username"),
];

#[tokio::test]
async fn a_weak_password_is_refused_and_not_repeated() {
    let folder = tempfile::tempdir().unwrap();
    for (password, what_is_wrong) in WEAK {
        let make = createsuperuser(folder.path(), &["--username", "ada.lovelace"]);
        let said = complaint(run(make, password).await);
        assert!(said.contains(what_is_wrong), "{password}: {said}");
        let can_be_allowed = !password.is_empty();
        assert_eq!(said.contains("--allow-weak"), can_be_allowed, "{said}");
        assert!(password.is_empty() || !said.contains(&format!("\"{password}\"")));
    }
    let is_there = folder.path().join("lab.db").exists();
    assert!(!is_there, "a mistake touches no database");
}

#[tokio::test]
async fn a_weak_password_can_be_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let weak = createsuperuser(folder.path(), &["--username", "weak", "--allow-weak"]);
    let made = printed(run(weak, "short").await);
    assert_eq!(made, "The user weak may sign in.\n");
}

#[tokio::test]
async fn a_password_may_come_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let mut make = createsuperuser(folder.path(), &["--username", "grace"]);
    make.env("RACY_SUPERUSER_PASSWORD", PASSWORD);
    let made = printed(run(make, "").await);
    assert_eq!(made, "The user grace may sign in.\n");
}

#[tokio::test]
async fn a_superuser_has_a_name_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let make = |more: &[&str]| run(createsuperuser(folder.path(), more), PASSWORD);
    printed(make(&["--username", "grace"]).await);
    let again = complaint(make(&["--username", "grace"]).await);
    assert!(again.contains("there is a user grace already"), "{again}");
    let nameless = complaint(make(&[]).await);
    assert!(nameless.contains("--username is missing"), "{nameless}");
    let misnamed = complaint(make(&["--username", "a b"]).await);
    assert!(misnamed.contains("letters, digits and"), "{misnamed}");
}

/// What is wrong, in words of a command line, and what is said about it.
const WRONG: [(&str, &str); 8] = [
    ("account reset 99", "there is no account 99"),
    ("transactions delete --account 99", "there is no account 99"),
    ("token create --username ada", "there is no user ada"),
    ("token revoke --username ada", "there is no user ada"),
    ("token create --username a!b", "letters, digits and"),
    ("account add --opening-balance -1", "unexpected argument"),
    ("account add --opening-balance=-1", "-1 is not in 0.."),
    ("account reset one", "invalid digit"),
];

#[tokio::test]
async fn what_a_command_is_asked_for_wrongly_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for (line, what_is_wrong) in WRONG {
        let arguments: Vec<_> = line.split(' ').collect();
        let said = complaint(run(on_file(folder.path(), &arguments), "").await);
        assert!(said.contains(what_is_wrong), "{line}: {said}");
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
    // Another user's token of the same name stays.
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
