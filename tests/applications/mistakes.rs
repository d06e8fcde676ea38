//! What a new user gets wrong: each mistake has a message that names its cause.

use std::path::Path;
use std::process::Stdio;

use super::kills::no_process_is_left_in;
use super::shop::{Habits, RunningShop};
use super::stage::{NOTHING_IS_LOST, Stage, two};
use crate::commands::text;
use crate::support::explored::ALL;
use crate::support::process::{racy, signal};
use crate::support::{TestEngine, open_folder, until};
use racy::engine::{Copies, LaneKind};

on_engines!(
    protocols:
        an_application_on_another_port_is_not_ready,
        an_application_that_listens_and_does_not_answer_is_told_apart,
        equal_lines_of_a_log_are_one,
        an_application_that_drops_the_connection_shows_its_log,
        a_start_that_is_interrupted_ends_at_once,
        a_start_that_is_broken_off_leaves_nothing_in_the_database,
        a_statement_that_fails_is_told_once,
        an_application_beside_the_proxy_is_noticed,
        a_table_that_cannot_be_restored_is_named,
        a_client_that_insists_on_tls_is_told_apart,
        a_missing_login_is_told_by_what_was_answered,
        a_program_that_does_not_run_shows_its_log,
        an_application_that_fails_before_it_asks_its_database_shows_its_log,
        two_explorations_of_one_database_are_told_apart,
        a_probe_that_points_at_nothing_says_so,
        what_an_application_cannot_be_asked_for_is_said;
);

fn must_say(said: &str, words: &[&str]) {
    for words in words {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

/// A file with an application of this table, to which two clients send a request.
fn started(application: &str) -> String {
    format!(
        "title = \"A shop\"\nengines = [\"mysql\", \"mariadb\", \"postgres\"]\n[application]\n{application}\n{}",
        two("/autocommit?")
    )
}

async fn an_application_on_another_port_is_not_ready(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let elsewhere = "command = [\"sleep\", \"1000\"]\nready_within = 1";
    let said = stage.broken(&started(elsewhere)).await;
    let words = [
        "the application is not ready after 1 s: http://127.0.0.1:",
        "nothing listens there. It has to listen on the port {app_port}, e.g. \"--bind\"",
    ];
    must_say(&said, &words);
}

/// What an application does with a connection, and what is said of it.
const STUCK: &[(&str, &str)] = &[
    ("kept.append(stream)", "it listens, and does not answer"),
    ("stream.close()", "it listens, and closed the connection"),
];

async fn an_application_that_listens_and_does_not_answer_is_told_apart(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    for (does, words) in STUCK {
        let program = format!(
            "import socket, sys\n\
             server, kept = socket.create_server((\"127.0.0.1\", int(sys.argv[1]))), []\n\
             while True:\n    stream, _ = server.accept()\n    {does}\n"
        );
        let application = format!(
            "command = [\"python3\", \"-c\", '''\n{program}''', \"{{app_port}}\"]\nready_within = 3"
        );
        let said = stage.broken(&started(&application)).await;
        let question = format!(
            "{words}. Does it reach its database at {{db_host}}:{{db_port}}, which is 127.0.0.1:"
        );
        must_say(&said, &[&question, ", where nothing has connected?"]);
        assert!(!said.contains("nothing listens there"), "{said}");
    }
}

/// It answers 404 to everything but `/`, and logs each request alike.
const HAS_NO_HEALTH: &str = r#"
ready = "/health"
ready_within = 3
command = ["python3", "-c", '''
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("GET", self.path, 404, file=sys.stderr, flush=True)
        self.send_response(404)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
''', "{app_port}"]
"#;

async fn equal_lines_of_a_log_are_one(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let said = stage.broken(&started(HAS_NO_HEALTH)).await;
    let words = [
        "/health: it answers 404 Not Found. `ready` names a path that it answers with 200 to 399",
        "it has written:\n  GET /health 404 (",
    ];
    must_say(&said, &words);
    assert!(said.ends_with(" times)"), "{said}");
    assert_eq!(said.matches("GET /health 404").count(), 1, "{said}");
}

/// It asks its database for each GET, and fails in each POST before it answers: the connection is
/// closed then.
const DROPS: &str = r#"
env.CLIENT = "0"
env.DATABASE_URL = "{db_url}"
env.DB_HOST = "{db_host}"
env.DB_PORT = "{db_port}"
env.DB_NAME = "{db_name}"
env.DB_USER = "{db_user}"
env.PGHOST = "{db_host}"
env.PGPORT = "{db_port}"
env.PGDATABASE = "{db_name}"
env.PGUSER = "{db_user}"
ready_within = 10
command = ["python3", "-B", "-c", '''
import http.server, sys, traceback
from sql import connect
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        connect().query("SELECT 1")
        self.send_response(200)
        self.end_headers()
    def do_POST(self):
        raise KeyError("wallet")
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_):
        traceback.print_exc()
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
''', "{app_port}"]
"#;

/// Where the programs' driver is.
const COMMANDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/applications/commands");

async fn an_application_that_drops_the_connection_shows_its_log(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let application = format!("{DROPS}directory = \"{COMMANDS}\"");
    let said = stage.broken(&started(&application)).await;
    let words = [
        "without any race (A, then B) no request is acknowledged; client A: no answer: error sending \
         request",
        "; it has written: ",
        "KeyError: 'wallet'. The application has failed: does its database have the tables",
    ];
    must_say(&said, &words);
    assert!(!said.contains("login"), "{said}");
}

/// An application that touches a file and goes on for ever: before it listens, or in a POST.
fn endless(mark: &Path, listens: bool) -> String {
    let wait = "open(sys.argv[2], \"w\").close(); time.sleep(1000)";
    let (first, in_a_post) = match listens {
        true => ("pass", wait),
        false => (wait, "pass"),
    };
    format!(
        r#"ready_within = 100
command = ["python3", "-c", '''
import http.server, sys, time
{first}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def do_POST(self):
        {in_a_post}
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
''', "{{app_port}}", "{}"]"#,
        mark.display()
    )
}

async fn a_start_that_is_interrupted_ends_at_once(engine: TestEngine) {
    for listens in [false, true] {
        let folder = open_folder();
        let mark = folder.path().join("mark");
        let file = folder.path().join("shop.toml");
        std::fs::write(&file, started(&endless(&mark, listens))).unwrap();
        let url = engine.own_url(folder.path());
        let mut command = racy(&["explore", file.to_str().unwrap(), "--database-url", &url]);
        command.env("TMPDIR", folder.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let process = command.spawn().unwrap();
        until("it is under way", || async { mark.exists() }).await;
        signal("INT", &process);
        let output = tokio::task::spawn_blocking(move || process.wait_with_output().unwrap());
        let output = output.await.unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{said}");
        assert_eq!(text(&output.stdout), "", "{said}");
        must_say(&said, &["racy: stopped before the first schedule"]);
        assert!(!said.contains("do not come to their end"), "{said}");
        no_process_is_left_in(folder.path()).await;
    }
}

async fn a_start_that_is_broken_off_leaves_nothing_in_the_database(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let folder = open_folder();
    let mark = folder.path().join("mark");
    let text = started(&endless(&mark, true));
    let job = stage.job(&[&text], ALL);
    let stop = async {
        until("it is under way", || async { mark.exists() }).await;
        assert!(has_copies(&stage).await);
        job.stop.stop();
    };
    let (stopped, ()) = tokio::join!(job.run(&|_| ()), stop);
    assert!(stopped.error.is_none(), "{:?}", stopped.error);
    assert!(stopped.broken.is_empty(), "{:?}", stopped.broken);
    assert!(stopped.findings.is_empty(), "{:?}", stopped.findings);
    assert!(!has_copies(&stage).await);
}

async fn has_copies(stage: &Stage) -> bool {
    let left = Copies::left_behind(&stage.database).await;
    !left.unwrap().is_empty()
}

async fn a_statement_that_fails_is_told_once(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let wrong =
        "[[client]]\ncount = 2\nscript = \"SELECT 1 FROM account WHERE no_such_column = 2;\"\n";
    let said = stage.broken(&stage.file_without_application(wrong)).await;
    must_say(&said, &["refused without any race (A, then B); client A, "]);
    assert_eq!(said.matches("no_such_column").count(), 1, "{said}");
}

async fn an_application_beside_the_proxy_is_noticed(engine: TestEngine) {
    let mut stage = Stage::set(engine).await;
    let past_the_proxy = stage.url_past_the_proxy();
    stage.shop = RunningShop::start(&past_the_proxy, Habits::default()).await;
    let said = stage.broken(&stage.two_clients("/autocommit?")).await;
    let listen = stage.listen.address();
    let words = [
        "the application is not pointed at the proxy",
        &format!("nothing has connected to {listen}"),
        &format!("{{db_host}} is 127.0.0.1, {{db_port}} is {}", listen.port()),
    ];
    must_say(&said, &words);
}

async fn a_table_that_cannot_be_restored_is_named(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let (restorable, not_restorable) = match engine {
        // Connections would go on with the numbers that they have taken.
        TestEngine::Postgres => ("AS IDENTITY PRIMARY", "AS IDENTITY (CACHE 20) PRIMARY"),
        _ => (
            "PRIMARY KEY, amount INT NOT NULL);",
            "PRIMARY KEY, amount INT) ENGINE = MyISAM;",
        ),
    };
    let text = stage.two_clients("/autocommit?");
    assert!(text.contains(restorable), "{text}");
    let text = text.replace(restorable, not_restorable);
    let said = stage.broken(&text).await;
    let words = [
        "the tables cannot be brought back to their beginning before each run",
        "deposit",
        "`restore` takes SQL of yours instead",
    ];
    must_say(&said, &words);
}

async fn a_client_that_insists_on_tls_is_told_apart(engine: TestEngine) {
    let mut stage = Stage::set(engine).await;
    let demand = match engine {
        TestEngine::Postgres => "sslmode=require",
        _ => "ssl-mode=REQUIRED",
    };
    let insists = format!("{}?{demand}", stage.url_through_the_proxy());
    stage.shop = RunningShop::start(&insists, Habits::default()).await;
    let said = stage.broken(&stage.two_clients("/autocommit?")).await;
    assert!(!said.contains("is not pointed at the proxy"), "{said}");
    must_say(&said, &["TLS"]);
}

async fn a_missing_login_is_told_by_what_was_answered(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let answered = "client A is answered 303 See Other, to /login";
    let without = format!("{}{NOTHING_IS_LOST}", two("/members/deposit?"));
    let said = stage.broken(&stage.file(&without)).await;
    must_say(
        &said,
        &[
            "because something is missing in `before`, such as a login",
            answered,
        ],
    );

    let told = format!(
        "{}acknowledged = {{ location_not = \"/login\" }}\n\
         before = [{{ path = \"/balance\" }}]\n{NOTHING_IS_LOST}",
        two("/members/deposit?")
    );
    let said = stage.broken(&stage.file(&told)).await;
    let words = [
        "without any race (A, then B) no request is acknowledged",
        answered,
        "Is something missing in `before`, such as a login or a CSRF token?",
    ];
    must_say(&said, &words);

    let refused = format!(
        "{}before = [{{ method = \"POST\", path = \"/login\", form = {{ csrf = \"x\", user = \"y\" }} \
         }}]\n{NOTHING_IS_LOST}",
        two("/members/deposit?")
    );
    let said = stage.broken(&stage.file(&refused)).await;
    must_say(
        &said,
        &["client A: POST /login, before any run, was answered 403 Forbidden"],
    );

    let captured = format!(
        "{}before = [{{ method = \"POST\", path = \"/members/deposit?client={{n}}\", \
         capture = {{ token = \"json:/token\" }} }}]\n{NOTHING_IS_LOST}",
        two("/members/deposit?")
    );
    let said = stage.broken(&stage.file(&captured)).await;
    let words = [
        "{token} was not captured",
        "it leads to /login: is a login missing in `before`?",
    ];
    must_say(&said, &words);
}

/// It answers 500 to everything, and writes why.
const FAILS: &str = r#"
command = ["python3", "-c", '''
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print("ValueError: no such wallet", file=sys.stderr, flush=True)
        self.send_response(500)
        self.end_headers()
    do_GET = do_POST
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
''', "{app_port}"]
"#;

async fn an_application_that_fails_before_it_asks_its_database_shows_its_log(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let said = stage.broken(&started(FAILS)).await;
    let words = [
        "the application has failed, and nothing has connected to the proxy at 127.0.0.1:",
        "Either it fails before it asks its database: its own log says why",
        "Or it is not pointed at the proxy: {db_host} is 127.0.0.1",
        "client A is answered 500 Internal Server Error: ; it has written: ValueError: no such wallet",
    ];
    must_say(&said, &words);
}

async fn two_explorations_of_one_database_are_told_apart(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let first = stage.database.lanes(2, 1, LaneKind::InPlace).await.unwrap();
    let second = stage.explore(&stage.two_clients("/autocommit?")).await;
    let said = second.error.map(|it| it.to_string()).unwrap_or_default();
    let words = [
        "another `racy explore --in-place` is at work in this database (connection ",
        "two would bring back each other's rows. Wait until it has ended or end it",
    ];
    must_say(&said, &words);
    first.close().await.unwrap();
    let third = stage.explore(&stage.two_clients("/autocommit?")).await;
    assert!(third.error.is_none(), "{:?}", third.error);
    assert!(!third.findings.is_empty());
}

/// What runs instead of an application, and what is said of it.
const PROGRAMS: &[(&str, &[&str])] = &[
    (
        "command = [\"no-such-program\", \"--port\", \"{app_port}\"]",
        &[
            "`no-such-program --port ",
            "exit status: 127 (is it installed, and is the path right",
        ],
    ),
    (
        "command = [\"sh\", \"-c\", \"echo a setting is missing >&2; exit 7\"]",
        &["ended with exit status: 7; it has written:\n  a setting is missing"],
    ),
    (
        "command = [\"sh\", \"-c\", \"exit 0\"]",
        &["ended with exit status: 0; it has written nothing"],
    ),
    (
        "command = [\"true\"]\nprepare = [[\"true\"], [\"sh\", \"-c\", \"echo no table; exit 3\"]]",
        &[
            "`prepare`: `sh -c echo no table; exit 3` ended with exit status: 3",
            "  no table",
        ],
    ),
    (
        "command = [\"true\"]\ndirectory = \"no/such/folder\"",
        &["no/such/folder is no folder: `true` runs there"],
    ),
    (
        "base_url = \"http://127.0.0.1:1\"\nlisten = \"127.0.0.1:0\"\nready_within = 1",
        &[
            "the application is not ready after 1 s: http://127.0.0.1:1/: nothing listens there",
            "`base_url` says where it runs: start it first, or give a `command`",
        ],
    ),
];

async fn a_program_that_does_not_run_shows_its_log(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    for (application, words) in PROGRAMS {
        let said = stage.broken(&started(application)).await;
        must_say(&said, words);
    }
}

async fn a_probe_that_points_at_nothing_says_so(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    for (probe, words) in [
        (
            "path = \"/balance\", pointer = \"/account/money\"",
            "GET /balance: the answer has nothing at \"/account/money\"",
        ),
        ("path = \"/text\"", "GET /text: the answer is no JSON"),
        (
            "path = \"/nowhere\"",
            "GET /nowhere was answered 404 Not Found",
        ),
    ] {
        let text = stage.file(&format!(
            "{}\n[[invariant]]\nname = \"it says it\"\nprobe = {{ {probe}, equals = 20 }}\n",
            two("/autocommit?")
        ));
        must_say(&stage.broken(&text).await, &[words]);
    }
}

async fn what_an_application_cannot_be_asked_for_is_said(engine: TestEngine) {
    let stage = Stage::set(engine).await;
    let nothing = stage.two_clients("/nothing?");
    let said = stage.broken(&nothing).await;
    must_say(&said, &["the application is not pointed at the proxy"]);
    let restore = "restore = { method = \"POST\", path = \"/no-such-path\" }";
    let clients = format!("{}{NOTHING_IS_LOST}", two("/autocommit?"));
    let said = stage.broken(&stage.file_with(restore, &clients)).await;
    must_say(&said, &["`restore` was answered 404 Not Found"]);
    let restore = "restore = \"DELETE FROM no_such_table\"";
    let said = stage.broken(&stage.file_with(restore, &clients)).await;
    must_say(&said, &["`restore`: ", "no_such_table"]);
}
