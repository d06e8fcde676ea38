//! Reaching a server by its URL: what is told where it cannot be reached, and what is never shown.

use std::time::Duration;

use racy::engine::choice::DatabaseUrl;
use racy::engine::{Address, Database, Settings};
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::commands::{output, text};
use crate::support::TestEngine;
use crate::support::lab::Fresh;
use crate::support::process::racy;

on_engines!(
    servers:
        an_ipv6_address_is_reached_and_shown_in_brackets,
        a_failed_connection_says_its_cause,
        a_server_that_says_nothing_is_told,
        a_socket_that_is_not_there_is_told,
        encryption_is_had_or_refused_and_told;
);

fn scheme(engine: TestEngine) -> &'static str {
    match engine {
        TestEngine::Postgres => "postgres",
        _ => "mysql",
    }
}

/// A port that leads to the engine's own server, which listens on a socket alone.
async fn port_to(fresh: &Fresh, address: &str) -> u16 {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let socket = match &fresh.address {
        Address::MySql(options) => options.get_socket().unwrap().clone(),
        Address::Postgres(options) => {
            let name = format!(".s.PGSQL.{}", options.get_port());
            options.get_socket().unwrap().join(name)
        }
        Address::Sqlite(_) => panic!("SQLite has no server"),
    };
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = UnixStream::connect(&socket).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    port
}

fn user(fresh: &Fresh) -> String {
    match &fresh.address {
        Address::Postgres(options) => options.get_username().to_owned(),
        _ => "root".to_owned(),
    }
}

async fn an_ipv6_address_is_reached_and_shown_in_brackets(engine: TestEngine) {
    let fresh = engine.fresh().await;
    let port = port_to(&fresh, "::1").await;
    let (scheme, user) = (scheme(engine), user(&fresh));
    let place = format!("{scheme}://[::1]:{port}/{}", fresh.name);
    let url = place.replace("//", &format!("//{user}@"));
    let output = output(racy(&["migrate", "--database-url", &url])).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(&place), "{said}");
    assert!(said.contains("the connection is "), "{said}");
}

/// What is told of a connection by this URL, which fails.
async fn told(url: &str) -> String {
    told_within(url, Settings::default().acquire_timeout).await
}

async fn told_within(url: &str, acquire_timeout: Duration) -> String {
    let settings = Settings {
        acquire_timeout,
        ..Settings::default()
    };
    let address = match url.parse().unwrap() {
        DatabaseUrl::MySql(options) => Address::MySql(options),
        DatabaseUrl::Postgres(options) => Address::Postgres(options),
        other => panic!("no server: {other}"),
    };
    let error = Database::connect(&address, &settings).await.unwrap_err();
    error.to_string()
}

/// A server that says this to each client and then nothing more.
async fn that_says(greeting: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut clients: Vec<TcpStream> = Vec::new();
        while let Ok((mut client, _)) = listener.accept().await {
            client.write_all(greeting).await.unwrap();
            clients.push(client);
        }
    });
    port
}

/// A URL with a password, at a port of this machine.
fn url_to(fresh: &Fresh, engine: TestEngine, port: u16) -> String {
    let (scheme, user) = (scheme(engine), user(fresh));
    format!("{scheme}://{user}:geheim@127.0.0.1:{port}/bank")
}

async fn a_failed_connection_says_its_cause(engine: TestEngine) {
    let fresh = engine.fresh().await;
    // A port for which root would have to start something.
    let free = 1;
    // In MySQL's framing, and in none of PostgreSQL's.
    let foreign = that_says(b"\x03\x00\x00\x00abc").await;
    let real = port_to(&fresh, "127.0.0.1").await;
    let refused = match engine {
        TestEngine::Postgres => "database \"bank\" does not exist",
        _ => "Access denied for user 'root'",
    };
    let unknown_host = format!("{}://u:geheim@no-such-host.invalid/bank", scheme(engine));
    let here = |port: u16| url_to(&fresh, engine, port);
    for (url, words) in [
        (
            unknown_host,
            "the host name no-such-host.invalid is not found".to_owned(),
        ),
        (here(free), format!("nothing listens at 127.0.0.1:{free}")),
        (
            here(foreign),
            format!("127.0.0.1:{foreign} does not speak the protocol of"),
        ),
        (here(real), refused.to_owned()),
    ] {
        let told = told(&url).await;
        assert!(told.contains(&words), "{words}: {told}");
        assert!(!told.contains("geheim"), "{told}");
        assert!(told.starts_with("cannot open the database: "), "{told}");
    }
}

async fn a_server_that_says_nothing_is_told(engine: TestEngine) {
    let fresh = engine.fresh().await;
    let silent = that_says(b"").await;
    let url = url_to(&fresh, engine, silent);
    // Soon, because it is waited for until the time is up.
    let told = told_within(&url, Duration::from_millis(100)).await;
    let words = format!("127.0.0.1:{silent} accepts the connection and then says nothing");
    assert!(told.contains(&words), "{told}");
}

async fn a_socket_that_is_not_there_is_told(engine: TestEngine) {
    let socket = match engine {
        TestEngine::Postgres => "postgres://u@localhost/bank?host=/no/folder",
        _ => "mysql://u@localhost/bank?socket=/no/folder/socket",
    };
    let told = told(socket).await;
    assert!(told.contains("there is no socket /no/folder/"), "{told}");
}

async fn encryption_is_had_or_refused_and_told(engine: TestEngine) {
    let fresh = engine.fresh().await;
    let port = port_to(&fresh, "127.0.0.1").await;
    let (scheme, user) = (scheme(engine), user(&fresh));
    let url = |mode: &str| format!("{scheme}://{user}@127.0.0.1:{port}/{}?{mode}", fresh.name);
    let (plain, required, verified) = match engine {
        TestEngine::Postgres => ("sslmode=disable", "sslmode=require", "sslmode=verify-full"),
        _ => (
            "ssl-mode=DISABLED",
            "ssl-mode=REQUIRED",
            "ssl-mode=VERIFY_CA",
        ),
    };
    let migrate = async |mode: &str| {
        let output = output(racy(&["migrate", "--database-url", &url(mode)])).await;
        (output.status.code(), text(&output.stderr))
    };
    let (code, said) = migrate(plain).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the connection is not encrypted"), "{said}");
    let (code, said) = migrate(required).await;
    match code {
        Some(0) => assert!(said.contains("the connection is encrypted: TLS"), "{said}"),
        _ => assert!(said.contains("server does not support TLS"), "{said}"),
    }
    assert_eq!(code == Some(0), engine == TestEngine::MySql, "{said}");
    if engine == TestEngine::MySql {
        let (code, said) = migrate(verified).await;
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("certificate"), "{said}");
    }
}

/// Whatever is wrong with a command line, the password in it is not shown.
#[tokio::test]
async fn no_complaint_shows_a_piece_of_a_password() {
    const URLS: [&str; 6] = [
        "mysql://u:gehe/im@db/bank",
        "mysql://u:gehe#im@db/bank",
        "postgres://u:12?gehe=im@db/bank",
        "mysql://u:geheim@db/bank?ssl_mode=REQUIRED",
        "oracle://u:geheim@db/bank",
        "u:geheim@db/bank",
    ];
    for url in URLS {
        let mut by_variable = racy(&["migrate"]);
        by_variable.env("DATABASE_URL", url);
        for command in [
            by_variable,
            racy(&["migrate", "--database-url", url]),
            racy(&["migrate", url]),
            racy(&["explore", url]),
            racy(&["watch", "--url", url]),
            racy(&["serve", "--listen", url]),
        ] {
            let output = output(command).await;
            let said = text(&output.stderr) + &text(&output.stdout);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(!said.contains("gehe"), "{said}");
            assert!(!said.contains("im@"), "{said}");
        }
    }
}
