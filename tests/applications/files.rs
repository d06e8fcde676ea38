//! Mistakes in a file with an application: each is said with its line and column.

use racy::scenarios::Scenario;

const APPLICATION: &str = "[application]\ncommand = ['true']\n";

const CLIENT: &str = "[[client]]\nrequest = { path = '/' }\n";

/// What follows the file's first lines, which are `title` and `engines`, and what is said of it.
const MISTAKES: &[(&str, &str)] = &[
    (
        "[application]\nready = '/'\n[[client]]\nrequest = { path = '/' }",
        "test.toml:3:1: an application has either a `command` that starts it, or a `base_url`",
    ),
    (
        "[application]\ncommand = ['true']\nbase_url = 'http://127.0.0.1:8000'\n\
         [[client]]\nrequest = { path = '/' }",
        "test.toml:3:1: an application has either a `command` that starts it, or a `base_url`",
    ),
    (
        "[application]\nbase_url = 'http://127.0.0.1:8000'\n[[client]]\nrequest = { path = '/' }",
        "test.toml:3:1: with `base_url`, `listen` says where the proxy is",
    ),
    (
        "[application]\nbase_url = '127.0.0.1:8000'\nlisten = '127.0.0.1:1'\n\
         [[client]]\nrequest = { path = '/' }",
        "test.toml:4:12: \"127.0.0.1:8000\" is no address of an application",
    ),
    (
        "[application]\ncommand = ['true']\nlisten = '3307'\n[[client]]\nrequest = { path = '/' }",
        "test.toml:5:10: \"3307\" is no address to listen on",
    ),
    (
        "[application]\ncommand = ['true']\nenv = { 'A=B' = '1' }\n[[client]]\nrequest = { path = '/' }",
        "test.toml:5:17: \"A=B\" cannot name a variable: a name has a letter, and no =",
    ),
    (
        "[application]\ncommand = []\n[[client]]\nrequest = { path = '/' }",
        "test.toml:4:11: a command has a program",
    ),
    (
        "[application]\ncommand = ['node', '{port}']\n[[client]]\nrequest = { path = '/' }",
        "test.toml:4:11: {port} has no value here; there are {app_port}, {db_host}, {db_port}",
    ),
    (
        "[application]\ncommand = ['true']\nenv = { PORT = 'on {app_port' }\n\
         [[client]]\nrequest = { path = '/' }",
        "test.toml:5:20: a name in braces is wanted here; `{{` is a brace",
    ),
    (
        "[application]\nbase_url = 'http://127.0.0.1:8000'\nlisten = '127.0.0.1:1'\n\
         restore = 'restart'\n[[client]]\nrequest = { path = '/' }",
        "test.toml:6:11: an application that is not started here cannot be restarted",
    ),
    (
        "[application]\ncommand = ['true']\nrestore = 'reset'\n[[client]]\nrequest = { path = '/' }",
        "test.toml:5:11: \"reset\" brings nothing back",
    ),
    (
        "[application]\ncommand = ['true']\ninstances = 0\n[[client]]\nrequest = { path = '/' }",
        "test.toml:5:13: `instances` is at least 1",
    ),
    (
        "[application]\ncommand = ['true']\nlisten = '127.0.0.1:1'\ninstances = 2\n\
         [[client]]\nrequest = { path = '/' }",
        "test.toml:6:13: several `instances` need a `command` that starts each of them",
    ),
    (
        "[application]\ncommand = ['true']\n[explore]\n[[client]]\nrequest = { path = '/' }",
        "test.toml:5:1: `explore` has either `exhaustive = true` or `preemptions`",
    ),
    (
        "[application]\ncommand = ['true']\n[[client]]\nrequest = { path = '/' }\n\
         [expect.else]\nsafe = 2",
        "test.toml:8:8: a number of schedules is one of all, or of all within a bound",
    ),
    (
        "[[client]]\nrequest = { path = '/' }",
        "a `request` needs an [application] that answers it",
    ),
];

/// The same for requests: what follows the application.
const REQUESTS: &[(&str, &str)] = &[
    (
        "[[client]]\nrequest = { path = 'pay' }",
        "test.toml:6:20: `path` begins with a slash",
    ),
    (
        "[[client]]\nrequest = { path = '/pay/{order}' }",
        "test.toml:6:21: {order} has no value here; there are {n}",
    ),
    (
        "[[client]]\nrequest = { path = '/pay', form = { id = '{n' } }",
        "test.toml:6:43: a name in braces is wanted here",
    ),
    (
        "[[client]]\nrequest = { path = '/pay', method = 'post' }",
        "test.toml:6:37: \"post\" is no method: GET, POST",
    ),
    (
        "[[client]]\nrequest = { path = '/pay', capture = { id = 'order.id' } }",
        "test.toml:6:45: \"order.id\" captures nothing: json:/pointer, header:NAME",
    ),
    (
        "[[client]]\nrequest = { path = '/pay', capture = { id = 'json:order' } }",
        "test.toml:6:45: \"order\" is no JSON pointer: it begins with a slash",
    ),
    (
        "[[client]]\nrequest = { path = '/pay', capture = { id = 'regex:id' } }",
        "test.toml:6:45: a regular expression captures its one group",
    ),
    (
        "[[client]]\nrequest = { path = '/pay', capture = { id = 'regex:(' } }",
        "test.toml:6:45: \"(\" is no expression",
    ),
    (
        "[[client]]\nrequest = { path = '/pay', form = { a = 'b' }, body = 'c' }",
        "test.toml:6:20: a request has one body: `form`, `json` or `body`",
    ),
    (
        "[[client]]\nrequest = { path = '/pay', headers = { 'a b' = 'c' } }",
        "\"a b\" is no name of a header",
    ),
    (
        "[[client]]\nrequest = { path = '/pay' }\nacknowledged = { status = 'fine' }",
        "test.toml:7:27: \"fine\" is no list of statuses: 200, 2xx",
    ),
    (
        "[[client]]\nrequest = { path = '/' }\nscript = 'SELECT 1;'",
        "test.toml:5:1: ",
    ),
    (
        "[[client]]\nrequest = { path = '/' }\n[[invariant]]\nname = 'i'\n\
         probe = { path = '/b', pointer = 'money', equals = 1 }",
        "test.toml:9:34: a JSON pointer begins with a slash: /account/balance",
    ),
    (
        "[[client]]\nrequest = { path = '/' }\n[[invariant]]\nname = 'i'\n\
         probe = { path = 'b', equals = 1 }",
        "test.toml:9:18: `path` begins with a slash",
    ),
    (
        "[[client]]\nrequest = { path = '/', capture.no = 'json:/no' }\n[[invariant]]\nname = 'i'\n\
         sql = 'SELECT COALESCE(:A.noo, 1) > 0'",
        "test.toml:9:24: an invariant has no variable :A.noo; what client A captures is :A.no, \
         :A.status",
    ),
];

fn complaint(rest: &str) -> String {
    let text = format!("title = 'A shop'\nengines = ['mysql', 'mariadb']\n{rest}");
    match Scenario::parse("test.toml", &text) {
        Ok(_) => panic!("nothing is wrong with {text}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_mistake_about_an_application_has_its_place() {
    for (rest, expected) in MISTAKES {
        let said = complaint(rest);
        assert!(
            said.contains(expected),
            "{expected:?} is not in {said}: {rest}"
        );
    }
}

#[test]
fn a_mistake_in_a_request_has_its_place() {
    for (rest, expected) in REQUESTS {
        let said = complaint(&format!("{APPLICATION}{rest}"));
        assert!(
            said.contains(expected),
            "{expected:?} is not in {said}: {rest}"
        );
    }
}

/// What is wrong with a client that is a command, and what is said of it.
const COMMANDS: &[(&str, &str)] = &[
    (
        "[[client]]\ncommand = { run = [] }",
        "test.toml:4:19: a command has a program, and perhaps arguments",
    ),
    (
        "[[client]]\ncommand = { run = ['job', '{db_password}'] }",
        "test.toml:4:19: {db_password} has no value here; there are {db_host}, {db_port}, {db_name}, \
         {db_user}, {n}. A password belongs in `env`",
    ),
    (
        "[[client]]\ncommand = { run = ['job'], env = { PORT = '{app_port}' } }",
        "{app_port} has no value here; there are {db_host}",
    ),
    (
        "[[client]]\ncommand = { run = ['job'], acknowledged = 256 }",
        "test.toml:4:43: an exit status is from 0 to 255",
    ),
    (
        "[[client]]\ncommand = { run = ['job'], acknowledged = [0, 3], declined = [3, 4] }",
        "test.toml:4:62: exit status 3 is in `acknowledged` already",
    ),
    (
        "[[client]]\ncommand = { run = ['job'], declined = [0] }",
        "test.toml:4:39: exit status 0 says that it was done, unless `acknowledged` names another",
    ),
    (
        "[[client]]\ncommand = { run = ['job'], ends_within = 61 }",
        "test.toml:4:42: `ends_within` is from 1 to 60 seconds",
    ),
    (
        "[[client]]\ncommand = { run = ['job'], capture = { id = 'header:Location' } }",
        "an output has neither headers nor cookies: regex:… with one group, or json:/pointer",
    ),
    (
        "[[client]]\ncommand = { run = ['job'] }\nretry = { on = ['deadlock'], times = 2 }",
        "test.toml:3:1: `isolation` and `retry` are for a `script`",
    ),
    (
        "[[client]]\ncommand = { run = ['job'] }\nacknowledged = { status = '200' }",
        "test.toml:3:1: `acknowledged` is for a `request`; a command has it in [client.command]",
    ),
    (
        "[[client]]\ncommand = { run = ['job'] }\nbefore = [{ path = '/' }]",
        "test.toml:3:1: `before` is for a `request` or a `command` beside an [application]",
    ),
    (
        "[[client]]\ncommand = { run = ['job'] }\nscript = 'SELECT 1;'",
        "test.toml:3:1: a client has either a `script` of SQL, a `request` to the application or a \
         `command`",
    ),
    (
        "[[client]]\ncommand = { run = ['job'] }\n[[invariant]]\nname = 'i'\n\
         probe = { path = '/b', equals = 1 }",
        "a `probe` needs an [application] that answers it",
    ),
    (
        "[[client]]\ncommand = { run = ['job'] }\n[[invariant]]\nname = 'i'\nsql = 'SELECT 1'\n\
         when = 'every-commit'",
        "`when = \"every-commit\"` is for scripts alone",
    ),
    (
        "[application]\nprepare = [['migrate']]\n[[client]]\nrequest = { path = '/' }",
        "test.toml:3:1: an application has either a `command` that starts it, or a `base_url`",
    ),
];

#[test]
fn a_mistake_about_a_command_has_its_place() {
    for (rest, expected) in COMMANDS {
        let said = complaint(rest);
        assert!(
            said.contains(expected),
            "{expected:?} is not in {said}: {rest}"
        );
    }
}

#[test]
fn a_command_needs_an_engine_with_a_proxy_and_no_place_that_starts_none() {
    let client = "[[client]]\ncommand = { run = ['job'] }";
    let text = format!("title = 'Jobs'\nengines = ['mysql', 'sqlite']\n{client}");
    let said = Scenario::parse("test.toml", &text).unwrap_err().to_string();
    let words = "a command can be explored on mysql, mariadb and postgres, and not on sqlite";
    assert!(said.contains(words), "{said}");
    let scenario = Scenario::parse("test.toml", &format!("title = 'Jobs'\n{client}")).unwrap();
    let said = scenario.without_an_application().unwrap_err().to_string();
    let words = "test.toml: it has a `command`: only the command line starts one";
    assert!(said.contains(words), "{said}");
}

#[test]
fn an_application_needs_an_engine_with_a_proxy() {
    let text = format!("title = 'A shop'\nengines = ['mysql', 'sqlite']\n{APPLICATION}{CLIENT}");
    let said = Scenario::parse("test.toml", &text).unwrap_err().to_string();
    let words = "an application can be explored on mysql, mariadb and postgres, and not on sqlite";
    assert!(said.contains(words), "{said}");
}
