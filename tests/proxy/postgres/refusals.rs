//! Who does not get in, and what they are told.

use racy::engine::ServerPlace;
use sqlx::postgres::PgSslMode;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::support::postgres_wire::{
    GSS_REQUEST, RawClient, SSL_REQUEST, V3_0, error, kinds, query, startup,
};
use crate::support::proxied::{
    Proxied, place_at, postgres_options_at, proxy_before, proxy_of, server_of,
};
use crate::support::{HeldPort, TestEngine, until};

on_engines!(
    postgres:
        a_client_that_insists_on_tls_is_told_about,
        a_client_that_begins_tls_without_asking_is_told_about,
        a_client_that_prefers_encryption_goes_on_without,
        data_that_come_with_a_request_for_tls_are_refused,
        a_server_that_is_gone_is_named,
        a_port_without_a_server_is_named,
        a_user_or_database_that_does_not_exist_is_told_so_by_the_server,
        a_password_is_proved_to_the_server,
        another_database_than_that_of_the_runs_is_refused;
);

const NO_TLS: &str = "offers no TLS";

async fn a_client_that_insists_on_tls_is_told_about(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let options = postgres_options_at(&proxied.lab.database, proxied.proxy.address());
    let required = options.ssl_mode(PgSslMode::Require);
    // It says so itself.
    let refused = required.connect().await.unwrap_err().to_string();
    assert!(refused.contains("does not support TLS"), "{refused}");
    until_refused(&proxied, NO_TLS).await;
    for way_out in ["sslmode=prefer", "sslnegotiation=postgres", "`ssl` option"] {
        let refusals = proxied.proxy.refusals();
        assert!(refusals[0].contains(way_out), "{refusals:?}");
    }
    assert_eq!(proxied.proxy.connections(), 0);
}

async fn until_refused(proxied: &Proxied, words: &str) {
    until("the proxy says why", || async {
        let refusals = proxied.proxy.refusals();
        refusals.iter().any(|it| it.contains(words))
    })
    .await;
}

async fn a_client_that_begins_tls_without_asking_is_told_about(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = RawClient::connect(proxied.proxy.address()).await;
    client.send(b"\x16\x03\x01\0\x05hello").await;
    assert_eq!(client.rest().await, []);
    until_refused(&proxied, NO_TLS).await;
}

/// It may ask for both kinds, on the same connection.
async fn a_client_that_prefers_encryption_goes_on_without(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = RawClient::connect(proxied.proxy.address()).await;
    for request in [SSL_REQUEST, GSS_REQUEST, SSL_REQUEST] {
        client.send(&request).await;
        assert_eq!(client.bytes(1).await, b"N");
    }
    let named = [("user", "postgres"), ("database", proxied.lab.name())];
    client.send(&startup(V3_0, &named)).await;
    client.begin().await;
    assert_eq!(kinds(&client.execute("SELECT 1").await), "TDCZ");
    let options = postgres_options_at(&proxied.lab.database, proxied.proxy.address());
    let preferred = options.ssl_mode(PgSslMode::Prefer);
    preferred.connect().await.unwrap();
    proxied.must_have_nothing_to_say();
}

async fn data_that_come_with_a_request_for_tls_are_refused(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = RawClient::connect(proxied.proxy.address()).await;
    let named = [("user", "postgres"), ("database", proxied.lab.name())];
    client
        .send(&[&SSL_REQUEST[..], &startup(V3_0, &named)].concat())
        .await;
    let (code, said) = refused(&mut client).await;
    assert_eq!(code, "08004");
    assert!(said.contains("with a request for TLS"), "{said}");
    assert_eq!(proxied.proxy.connections(), 0);
}

/// The only words to a client that does not get in.
async fn refused(client: &mut RawClient) -> (String, String) {
    let words = client.rest().await;
    assert_eq!(kinds(&words), "E");
    error(&words[0])
}

async fn a_server_that_is_gone_is_named(engine: TestEngine) {
    let gone = ServerPlace::Socket("/no/such/folder/server.sock".into());
    let proxy = proxy_before(engine, gone).await;
    let mut client = RawClient::connect(proxy.address()).await;
    let (code, said) = refused(&mut client).await;
    assert_eq!(code, "08004");
    let words = "Racy's proxy cannot reach the database server at /no/such/folder/server.sock";
    assert!(said.contains(words), "{said}");
    assert!(proxy.refusals()[0].starts_with(words));
}

async fn a_port_without_a_server_is_named(engine: TestEngine) {
    let port = HeldPort::new();
    let address = port.address();
    let proxy = proxy_before(engine, place_at(address)).await;
    let mut client = RawClient::connect(proxy.address()).await;
    let (_, said) = refused(&mut client).await;
    assert!(said.contains(&format!("server at {address}")), "{said}");
}

async fn a_user_or_database_that_does_not_exist_is_told_so_by_the_server(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let strangers = [
        ("no_such_user", proxied.lab.name(), "28000"),
        ("postgres", "no_such_database", "3D000"),
    ];
    for (user, database, expected) in strangers {
        let mut client = RawClient::connect(proxied.proxy.address()).await;
        let named = [("user", user), ("database", database)];
        client.send(&startup(V3_0, &named)).await;
        let (code, said) = error(client.rest().await.last().unwrap());
        assert_eq!(code, expected, "{said}");
        until_refused(&proxied, &said).await;
    }
    // The next one gets in.
    proxied.postgres_client().await;
}

/// The proof (SCRAM) takes several messages of both sides.
async fn a_password_is_proved_to_the_server(engine: TestEngine) {
    const RULES: &str = "CREATE ROLE keeper LOGIN PASSWORD 'a secret'; DO $$BEGIN EXECUTE format( \
        'COPY (VALUES (''local all keeper scram-sha-256''), (''local all all trust'')) TO %L', \
        current_setting('hba_file')); END$$; SELECT pg_reload_conf()";
    let (server, lab) = engine.lab_alone(racy::engine::Settings::default()).await;
    lab.run_in_database(RULES).await;
    let proxy = proxy_before(engine, server_of(&lab.database)).await;
    let options = postgres_options_at(&lab.database, proxy.address()).username("keeper");
    // The server reads its rules when it gets round to it.
    until("a password is asked for", || async {
        options.connect().await.is_err()
    })
    .await;
    let right = options.clone().password("a secret").connect().await;
    right.unwrap().close().await.unwrap();
    let wrong = options.password("a guess").connect().await.unwrap_err();
    let wrong = wrong.as_database_error().unwrap();
    assert_eq!(wrong.code().unwrap(), "28P01");
    let refusals = proxy.refusals();
    assert!(
        refusals.iter().any(|it| it == wrong.message()),
        "{refusals:?}"
    );
    lab.database.close().await;
    server.stop().await.unwrap();
}

async fn another_database_than_that_of_the_runs_is_refused(engine: TestEngine) {
    let lab = engine.lab().await;
    let only = Some(lab.name().to_owned());
    let proxy = proxy_of(engine, server_of(&lab.database), only).await;
    // Without a name, it is the database that is called like the user.
    for parameters in [
        vec![("user", "postgres"), ("database", "template1")],
        vec![("user", "postgres")],
    ] {
        let mut client = RawClient::connect(proxy.address()).await;
        client.send(&startup(V3_0, &parameters)).await;
        let (_, said) = refused(&mut client).await;
        let words = format!(
            "and only {:?} passes here: {{db_name}} in `env`",
            lab.name()
        );
        assert!(said.contains(&words), "{said}");
    }
    let mut client = RawClient::log_in(proxy.address(), lab.name()).await;
    assert_eq!(kinds(&client.ask(&query("SELECT 1")).await), "TDCZ");
}
