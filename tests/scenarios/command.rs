//! `racy explore FILE`, `racy new` and `racy schema` as a person runs them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::commands::{output, text};
use crate::support::json::assert_includes;
use crate::support::process::racy;
use crate::support::{TestEngine, open_folder};

on_engines!(
    every:
        a_new_file_runs,
        a_file_for_one_engine_chooses_its_private_server,
        a_file_can_be_replayed_drawn_from_and_printed_in_every_form;
    sqlite:
        a_mistake_in_a_file_ends_the_command_before_any_engine_is_opened,
        the_schema_is_printed_and_a_file_is_never_overwritten,
        a_folder_stands_for_the_files_in_it,
        what_is_not_serial_is_expected_and_has_its_cell_and_its_field,
        a_file_runs_in_place_if_it_is_told_so,
        a_build_gets_a_file_a_summary_and_annotations,
        a_build_is_told_why_nothing_was_explored,
        a_file_that_cannot_be_written_is_said_before_anything_runs;
);

/// Runs the command in this folder.
async fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = racy(arguments);
    command.current_dir(folder).env("TMPDIR", folder);
    let output = output(command).await;
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

async fn a_new_file_runs(engine: TestEngine) {
    let folder = open_folder();
    let url = engine.own_url(folder.path());
    let (status, said, _) = run(folder.path(), &["new", "voucher"]).await;
    assert_eq!(status, Some(0));
    assert_eq!(
        said,
        "wrote voucher.toml; explore it: racy explore voucher.toml\n"
    );
    let explore = ["explore", "voucher.toml", "--database-url", &url];
    let (status, said, complaint) = run(folder.path(), &explore).await;
    assert_eq!(status, Some(0), "{said}{complaint}");
    for words in [
        "voucher.toml on ",
        "client A, customer",
        "Taken for granted: each statement",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

async fn a_file_for_one_engine_chooses_its_private_server(engine: TestEngine) {
    let word = match engine {
        TestEngine::MySql => "mysql",
        TestEngine::MariaDb => "mariadb",
        TestEngine::Postgres => "postgres",
        TestEngine::Sqlite => "sqlite",
    };
    let folder = open_folder();
    run(folder.path(), &["new", "voucher"]).await;
    let file = folder.path().join("voucher.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("engines = [\"{word}\"]\n{text}")).unwrap();
    let explore = [
        "explore",
        "voucher.toml",
        "--limit",
        "1",
        "--format",
        "json",
    ];
    let (status, said, complaint) = run(folder.path(), &explore).await;
    assert_eq!(status, Some(0), "{said}{complaint}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["findings"][0]["engine"], word);
}

async fn a_file_can_be_replayed_drawn_from_and_printed_in_every_form(engine: TestEngine) {
    let folder = open_folder();
    let url = engine.own_url(folder.path());
    run(folder.path(), &["new", "voucher"]).await;
    let explore = |more: &[&str]| {
        let mut arguments = vec!["explore", "voucher.toml", "--database-url", &url];
        arguments.extend(more);
        let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
        let folder = folder.path().to_owned();
        async move {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            run(&folder, &arguments).await
        }
    };
    let one_after_the_other = ["--schedule", "AAAA BBB", "--format", "json"];
    let (status, said, complaint) = explore(&one_after_the_other).await;
    assert_eq!(status, Some(0), "{complaint}");
    let report: Value = serde_json::from_str(&said).unwrap();
    let expected = json!([{
        "strategy": "voucher.toml",
        "title": "One voucher, two customers",
        "policy": "replay",
        "clients": 2,
        "replayed": { "verdict": "declined", "schedule": "A A A A B B B" },
        "scenario_clients": [{ "name": "customer" }, { "name": "customer" }],
    }]);
    assert_includes(&report["findings"], &expected);
    let read = &report["findings"][0]["replayed"]["steps"][1];
    assert_eq!(read["answer"]["columns"], json!(["used", "max"]));
    assert_eq!(read["answer"]["rows"], json!([["0", "1"]]));

    for (more, words) in [
        (&["--policy", "random", "--runs", "5"][..], "5 schedules"),
        (&["--limit", "3"], "which are not all there are"),
        (&["--preemptions", "1"], "with at most 1 preemption"),
        (&["--reduction", "on"], "(one for all that must end alike)"),
        (
            &["--explain-reduction", "--limit", "2"],
            "A's UPDATE, line ",
        ),
        (
            &["--clients", "3", "--policy", "random", "--runs", "5"],
            "client C, customer",
        ),
        (
            &["--format", "markdown", "--limit", "2"],
            "## `voucher.toml` on ",
        ),
        (&["--format", "html", "--limit", "2"], "<!doctype html>"),
        (
            &["--format", "junit", "--limit", "2"],
            "<testcase classname=",
        ),
    ] {
        let (status, said, complaint) = explore(more).await;
        assert_eq!(status, Some(0), "{more:?}: {said}{complaint}");
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

async fn a_mistake_in_a_file_ends_the_command_before_any_engine_is_opened(_engine: TestEngine) {
    let folder = open_folder();
    for (text, complaint) in [
        ("titel = 'x'", "x.toml:1:1: `titel` is no key here"),
        (
            "title = 'x'\n[[client]]\nscript = '''\nBEGIN;\n\\fi\n'''",
            "x.toml:5:1: ",
        ),
        ("title = 'x'\nclient = []", "x.toml: there is no client"),
        (
            "title = 'x'\n[[client]]\ncount = 9\nscript = 'SELECT 1;'",
            "x.toml:3:9: `count` must be from 1 to 8",
        ),
        (
            "title = 'x'\n[[client]]\nisolation = 'snapshot'\nscript = 'SELECT 1;'",
            "x.toml:3:13: \"snapshot\" is no isolation level",
        ),
        (
            "title = 'x'\n[[client]]\nmay_be_refused = ['dead-lock']\nscript = 'SELECT 1;'",
            "x.toml:3:19: \"dead-lock\" is no kind of refusal; there are deadlock, ",
        ),
        (
            "title = 'x'\n[[client]]\nscript.mysql = 'SELECT 1;'",
            "there is no `script` for mariadb",
        ),
        (
            "title = 'x'\n[[client]]\nscript = 'SELECT 1;'\n[[invariant]]\nname = 'i'\n\
             sql = 'SELECT :used = 1'",
            "x.toml:6:15: an invariant has no variable :used",
        ),
        (
            "title = 'x'\n[[client]]\nscript = 'SELECT 1;'\n[[invariant]]\nname = 'i'\n\
             sql = 'SELECT COALESCE(:A.used, 1) = 1'",
            "x.toml:6:24: an invariant has no variable :A.used; client A captures nothing",
        ),
        (
            "title = 'x'\n[[client]]\nscript = '''\n\\set used 1\nSELECT 1;'''\n[[invariant]]\nname = 'i'\n\
             sql = 'SELECT :A.used = 1 OR :A.use = 1'",
            "x.toml:8:30: an invariant has no variable :A.use; what client A captures is :A.used",
        ),
        (
            "title = 'x'\n[[client]]\nscript = 'SELECT 1;'\n[expect.oracle]\nviolated = 'none'",
            "x.toml:4:9: \"oracle\" is no place",
        ),
        (
            "title = 'x'\n[[client]]\nscript = 'SELECT 1;'\n[expect.mysql]\nlost = 'none'",
            "x.toml:5:1: \"lost\" is neither a verdict nor the name of an invariant",
        ),
    ] {
        fs::write(folder.path().join("x.toml"), text).unwrap();
        let nowhere = [
            "explore",
            "x.toml",
            "--database-url",
            "mysql://127.0.0.1:1/x",
        ];
        let (status, _, said) = run(folder.path(), &nowhere).await;
        assert_eq!(status, Some(2), "{text}: {said}");
        assert!(said.contains(complaint), "{complaint:?} is not in {said}");
    }
    let (status, _, said) = run(folder.path(), &["explore", "missing.toml"]).await;
    assert_eq!(status, Some(2));
    assert!(said.contains("missing.toml: No such file"), "{said}");
    let (status, _, said) = run(folder.path(), &["explore", "atomic"]).await;
    assert_eq!(status, Some(2));
    assert!(said.contains("FILE.toml"), "{said}");
}

async fn the_schema_is_printed_and_a_file_is_never_overwritten(_engine: TestEngine) {
    let folder = open_folder();
    let (status, schema, _) = run(folder.path(), &["schema"]).await;
    assert_eq!(status, Some(0));
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert_eq!(schema["required"], json!(["title", "client"]));
    fs::write(folder.path().join("mine.toml"), "mine").unwrap();
    let (status, _, said) = run(folder.path(), &["new", "mine"]).await;
    assert_eq!(status, Some(2));
    assert!(said.contains("mine.toml is there already"), "{said}");
    assert_eq!(
        fs::read_to_string(folder.path().join("mine.toml")).unwrap(),
        "mine"
    );
}

async fn a_folder_stands_for_the_files_in_it(engine: TestEngine) {
    let folder = open_folder();
    let url = engine.own_url(folder.path());
    let inner = folder.path().join("all/inner");
    fs::create_dir_all(&inner).unwrap();
    run(folder.path(), &["new", "all/one"]).await;
    run(folder.path(), &["new", "all/inner/two"]).await;
    let explore = ["explore", "all", "--database-url", &url];
    let (status, said, complaint) = run(folder.path(), &explore).await;
    assert_eq!(status, Some(0), "{said}{complaint}");
    for name in ["all/one.toml on ", "all/inner/two.toml on "] {
        assert!(said.contains(name), "{said}");
    }
    fs::create_dir(folder.path().join("empty")).unwrap();
    let (status, _, said) = run(folder.path(), &["explore", "empty"]).await;
    assert_eq!(status, Some(2));
    assert!(said.contains("empty holds no scenario"), "{said}");
}

async fn what_is_not_serial_is_expected_and_has_its_cell_and_its_field(_engine: TestEngine) {
    let folder = open_folder();
    let text = "title = 'A counter'\n[database]\nsetup = '''\n\
                CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER);\n\
                INSERT INTO counter VALUES (1, 0);\n'''\n[[client]]\ncount = 2\nscript = '''\n\
                SELECT value FROM counter; \\gset\n\
                UPDATE counter SET value = :value + 1;\n\\unset value\n'''\n\
                [expect.else]\nnot_serial = 'some'\n";
    fs::write(folder.path().join("lost.toml"), text).unwrap();
    let explore = "explore lost.toml --database-url sqlite:mine.sqlite --matrix --format";
    let matrix = |format| explore.split(' ').chain([format]).collect::<Vec<_>>();
    let (status, said, _) = run(folder.path(), &matrix("markdown")).await;
    assert_eq!(status, Some(0), "{said}");
    let cells = "| `lost.toml` | ✗ 4 of 6 not serial | ✗ 4 of 6 not serial |";
    assert!(said.contains(cells), "{said}");
    let (status, said, _) = run(folder.path(), &matrix("json")).await;
    assert_eq!(status, Some(0), "{said}");
    let report: Value = serde_json::from_str(&said).unwrap();
    let words = "counter.value is 1; it is 2 after A B and after B A";
    let expected = json!({
        "anomalies": { "not_serial": 4 },
        "counterexample": {
            "verdict": "not_serial",
            "highlight": { "words": words },
        },
    });
    assert_includes(&report["findings"][0], &expected);
}

async fn a_file_runs_in_place_if_it_is_told_so(_engine: TestEngine) {
    let folder = open_folder();
    let text = "title = 'x'\n[database]\nsetup = '''\nCREATE TABLE IF NOT EXISTS mine (a INT);\n\
                DELETE FROM mine;\n'''\n[[client]]\ncount = 2\nscript = 'INSERT INTO mine VALUES (1);'\n\
                [[invariant]]\nname = 'both'\nsql = 'SELECT COUNT(*) = 2 FROM mine'";
    fs::write(folder.path().join("x.toml"), text).unwrap();
    let explore = [
        "explore",
        "x.toml",
        "--database-url",
        "sqlite:mine.sqlite",
        "--in-place",
    ];
    let (status, said, complaint) = run(folder.path(), &explore).await;
    assert_eq!(status, Some(0), "{said}{complaint}");
    assert!(said.contains("safe in all 2 schedules"), "{said}");
    for option in ["--in-place", "--split-commits"] {
        let without_a_file = ["explore", "--database-url", "sqlite:mine.sqlite", option];
        let (status, _, said) = run(folder.path(), &without_a_file).await;
        assert_eq!(status, Some(2));
        let is_for_files = format!("{option} is for scenario files alone");
        assert!(said.contains(&is_for_files), "{said}");
    }
}

/// Two clients of which one can overwrite the other. It expects nothing, so that must not be.
const LOST: &str = "title = 'A counter'\n[database]\nsetup = '''\n\
                    CREATE TABLE counter (id INTEGER PRIMARY KEY, value INTEGER);\n\
                    INSERT INTO counter VALUES (1, 0);\n'''\n[[client]]\ncount = 2\nscript = '''\n\
                    SELECT value FROM counter; \\gset\n\
                    UPDATE counter SET value = :value + 1;\n\\unset value\n'''\n";

/// Runs the command in this folder, as a step of a build in its parent.
async fn step(folder: &Path, arguments: &str) -> (Option<i32>, String, String) {
    let arguments: Vec<_> = arguments.split_whitespace().collect();
    let mut command = racy(&arguments);
    command.current_dir(folder).env("TMPDIR", folder);
    command.env("GITHUB_ACTIONS", "true");
    command.env("GITHUB_WORKSPACE", folder.parent().unwrap());
    command.env("GITHUB_STEP_SUMMARY", folder.join("summary.md"));
    let output = output(command).await;
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// A folder in a repository with a file that expects nothing, one that expects what is found, and
/// one that does not.
fn folder_of_races(repository: &Path) -> PathBuf {
    let folder = repository.canonicalize().unwrap().join("races");
    fs::create_dir(&folder).unwrap();
    for (name, expect) in [
        ("lost.toml", ""),
        ("known.toml", "[expect.else]\nnot_serial = 'some'\n"),
        ("wrong.toml", "[expect.else]\nnot_serial = 'none'\n"),
    ] {
        fs::write(folder.join(name), format!("{LOST}{expect}")).unwrap();
    }
    fs::write(folder.join("summary.md"), "What was there.\n\n").unwrap();
    folder
}

async fn a_build_gets_a_file_a_summary_and_annotations(_engine: TestEngine) {
    let repository = open_folder();
    let folder = folder_of_races(repository.path());
    let explore = "explore lost.toml known.toml wrong.toml --database-url sqlite:mine.sqlite \
                   --junit racy.xml --format json";
    let (status, said, told) = step(&folder, explore).await;
    assert_eq!(status, Some(1), "{told}");
    let report: Value = serde_json::from_str(&said).unwrap();
    let expected = json!([{ "expected_at": 7 }, {}, { "expected_at": 14 }]);
    assert_includes(&report["findings"], &expected);
    assert!(report["findings"][1].get("expected_at").is_none());

    let annotations: Vec<_> = told.lines().filter(|it| it.starts_with("::")).collect();
    assert_eq!(annotations.len(), 2, "{told}");
    let first = "::error file=races/lost.toml,line=7,title=Racy%3A lost.toml on SQLite ";
    assert!(annotations[0].starts_with(first), "{told}");
    let second = "::error file=races/wrong.toml,line=14,title=";
    assert!(annotations[1].starts_with(second), "{told}");

    let junit = fs::read_to_string(folder.join("racy.xml")).unwrap();
    let head = "tests=\"3\" failures=\"2\" errors=\"0\"";
    let known = "name=\"known.toml\" file=\"races/known.toml\"";
    assert!(junit.contains(head) && junit.contains(known), "{junit}");

    let summary = fs::read_to_string(folder.join("summary.md")).unwrap();
    let begin = "What was there.\n\n### Racy: 2 of 3 not as expected\n";
    assert!(summary.starts_with(begin), "{summary}");
    must_run_again(&folder, &summary).await;
}

/// The first schedule that a summary names, with the command that it names.
async fn must_run_again(folder: &Path, summary: &str) {
    let again = summary.split("```sh\n").nth(1).unwrap();
    let again = again.split("\n```").next().unwrap();
    let (command, schedule) = again.split_once(" --schedule '").unwrap();
    let without_schedule = "racy explore lost.toml --database-url sqlite::memory:";
    assert_eq!(command, without_schedule);
    let mut again: Vec<_> = command.split(' ').skip(1).collect();
    again.extend(["--schedule", schedule.trim_end_matches('\'')]);
    let (status, said, told) = run(folder, &again).await;
    assert_eq!(status, Some(1), "{told}");
    assert!(said.contains("counter.value is 1"), "{said}");
}

async fn a_build_is_told_why_nothing_was_explored(_engine: TestEngine) {
    let repository = open_folder();
    let folder = folder_of_races(repository.path());
    fs::write(folder.join("x.toml"), "titel = 'x'").unwrap();
    fs::remove_file(folder.join("summary.md")).unwrap();
    let explore = "explore x.toml lost.toml --format junit --junit racy.xml";
    let (status, said, told) = step(&folder, explore).await;
    assert_eq!(status, Some(2), "{told}");
    let head = "tests=\"1\" failures=\"0\" errors=\"1\"";
    let message = "file=\"races/x.toml\">\n      <error message=\"x.toml:1:1: `titel` is no key";
    assert!(said.contains(head) && said.contains(message), "{said}");
    assert_eq!(fs::read_to_string(folder.join("racy.xml")).unwrap(), said);
    let annotation = "::error file=races/x.toml,line=1,title=Racy%3A could not be explored::";
    assert!(told.contains(annotation), "{told}");
    let summary = fs::read_to_string(folder.join("summary.md")).unwrap();
    let heading = "### Racy: nothing was explored, 1 could not be explored\n";
    assert!(summary.starts_with(heading), "{summary}");

    let nowhere = "explore lost.toml --database-url mysql://127.0.0.1:1/x --junit racy.xml";
    let (status, said, told) = step(&folder, nowhere).await;
    assert_eq!((status, &*said), (Some(2), ""), "{told}");
    let junit = fs::read_to_string(folder.join("racy.xml")).unwrap();
    assert!(junit.contains(head), "{junit}");
}

async fn a_file_that_cannot_be_written_is_said_before_anything_runs(_engine: TestEngine) {
    let folder = open_folder();
    fs::write(folder.path().join("lost.toml"), LOST).unwrap();
    for option in ["--junit", "--summary"] {
        let nowhere = ["explore", "lost.toml", option, "no/such/folder/it"];
        let (status, said, told) = run(folder.path(), &nowhere).await;
        assert_eq!((status, &*said), (Some(2), ""), "{told}");
        let words = "no/such/folder/it cannot be written: No such file or directory";
        assert!(told.contains(option) && told.contains(words), "{told}");
        assert!(!told.contains("engine:"), "{told}");
    }
    let test = "session s\nstep a { SELECT 1; }";
    fs::write(folder.path().join("x.spec"), test).unwrap();
    let explore = ["explore", "x.spec", "--junit", "racy.xml"];
    let (status, _, told) = run(folder.path(), &explore).await;
    assert_eq!(status, Some(2));
    let words = "isolation test files have no JUnit XML";
    assert!(told.contains(words), "{told}");
}
