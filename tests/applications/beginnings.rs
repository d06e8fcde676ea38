//! What a run begins with: the tables, the generated ids, the application's memory, and the
//! clients' logins.

use super::stage::{NOTHING_IS_LOST, Stage, two};
use crate::support::TestEngine;

on_engines!(
    protocols:
        generated_ids_start_from_the_same_number_in_each_run,
        memory_is_brought_back_by_a_request,
        memory_that_is_not_brought_back_is_noticed_before_any_race,
        a_login_by_cookie_and_tokens_is_made_once,
        the_application_can_be_asked_what_must_hold,
        the_tables_of_one_file_are_not_in_the_way_of_the_next;
);

async fn generated_ids_start_from_the_same_number_in_each_run(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let text = stage.file(
        "[[client]]\ncount = 2\n[client.request]\nmethod = \"POST\"\n\
         path = \"/order?client={n}\"\ncapture = { id = \"json:/order/id\" }\n\
         [[invariant]]\nname = \"the first two ids\"\n\
         sql = \"SELECT COUNT(*) = 2 AND MIN(id) = 1 AND MAX(id) = 2 AND :A.id <> :B.id \
                 FROM deposit\"\n",
    );
    let runs = stage.every_run(&text).await;
    runs.must_be_given_to_their_clients();
    assert_eq!(runs.counts(), [0, 0, 0, 2]);
}

const PURSE: &str = "
[[invariant]]
name = 'the purse was empty'
sql = 'SELECT balance IN (10, 20) FROM account WHERE id = 1'
";

async fn memory_is_brought_back_by_a_request(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let restore = "restore = { method = \"POST\", path = \"/forget\" }";
    let text = stage.file_with(restore, &format!("{}{PURSE}", two("/purse?")));
    let runs = stage.every_run(&text).await;
    runs.must_be_given_to_their_clients();
    assert_eq!(runs.counts(), [0, 0, 0, 2]);
}

async fn memory_that_is_not_brought_back_is_noticed_before_any_race(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let said = stage
        .broken(&stage.file(&format!("{}{PURSE}", two("/purse?"))))
        .await;
    let words = "false without any race (A, then B): violated: the purse was empty";
    assert!(said.contains(words), "{said}");
}

async fn a_login_by_cookie_and_tokens_is_made_once(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let text = stage.file(&format!(
        r#"
[[client]]
count = 2
before = [
  {{ path = "/login", capture = {{ csrf = 'regex:name="csrf" value="([^"]+)"' }} }},
  {{ method = "POST", path = "/login", form = {{ csrf = "{{csrf}}", user = "user-{{n}}" }},
    capture = {{ token = "json:/tokens/0/value", session = "cookie:session" }} }},
]
acknowledged = {{ status = "200", body = "user-", location_not = "/login" }}

[client.request]
method = "POST"
path = "/members/deposit?client={{n}}&session={{session}}&cookie={{cookie.session}}"
headers = {{ X-Token = "{{token}}" }}
{NOTHING_IS_LOST}"#
    ));
    let runs = stage.every_run(&text).await;
    runs.must_be_given_to_their_clients();
    assert_eq!(runs.counts(), [4, 0, 0, 2]);
    let sent = "POST /members/deposit?client=2&session=user-2&cookie=user-2";
    for run in &runs.runs {
        let rows = &run.trace.rows;
        let is_there = rows
            .iter()
            .any(|it| it.step.label == sent && it.client.index() == 1);
        assert!(is_there, "{run:#?}");
    }
}

async fn the_application_can_be_asked_what_must_hold(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let text = stage.file(&format!(
        "{}\n[[invariant]]\nname = \"the balance says it\"\n\
         probe = {{ path = \"/balance\", pointer = \"/account/balance\", equals = 20 }}\n",
        two("/autocommit?")
    ));
    let runs = stage.every_run(&text).await;
    runs.must_be_given_to_their_clients();
    assert_eq!(runs.counts(), [18, 0, 0, 2]);
}

/// Each file has its copies, its proxy and tables of its own.
async fn the_tables_of_one_file_are_not_in_the_way_of_the_next(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let one = stage.two_clients("/autocommit?");
    let shelf = "CREATE TABLE shelf (id INT PRIMARY KEY);\nCREATE TABLE worker";
    let other = one.replace("CREATE TABLE worker", shelf);
    let found = stage.explore_all(&[&one, &other]).await;
    assert!(found.error.is_none(), "{:?}", found.error);
    assert!(found.broken.is_empty(), "{:?}", found.broken);
    let counts: Vec<_> = found
        .findings
        .iter()
        .map(|it| (it.tally.schedules, it.tally.anomalies()))
        .collect();
    assert_eq!(counts, [(20, 18), (20, 18)]);
}
