//! Who does not get in, and what they are told.

use racy::engine::ServerPlace;
use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlSslMode;

use crate::support::proxied::{Proxied, options_at, place_at, proxy_before};
use crate::support::wire::{COMPRESS, PLAIN, RawClient, SSL, error, hello};
use crate::support::{HeldPort, TestEngine};

on_engines!(
    innodb:
        a_client_that_begins_tls_is_told_how_to_do_without,
        a_client_that_insists_on_compression_is_told_how_to_do_without,
        neither_tls_nor_compression_is_offered,
        a_server_that_is_gone_is_named,
        a_port_without_a_server_is_named,
        a_user_whom_the_server_refuses_is_told_so_by_the_server;
);

async fn a_client_that_begins_tls_is_told_how_to_do_without(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = RawClient::greeted(proxied.proxy.address()).await;
    client.send(1, &hello(PLAIN | SSL)).await;
    let (code, said) = refused(&mut client).await;
    assert_eq!(code, 1043);
    for way_out in [
        "offers no TLS",
        "ssl-mode=DISABLED",
        "--skip-ssl",
        "`ssl` option",
    ] {
        assert!(said.contains(way_out), "{said}");
    }
    assert!(proxied.proxy.refusals()[0].contains("offers no TLS"));
    assert_eq!(proxied.proxy.connections(), 0);
}

async fn a_client_that_insists_on_compression_is_told_how_to_do_without(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let mut client = RawClient::greeted(proxied.proxy.address()).await;
    let response = [
        &hello(PLAIN | COMPRESS)[..],
        b"root\0\0mysql\0mysql_native_password\0",
    ];
    client.send(1, &response.concat()).await;
    let (code, said) = refused(&mut client).await;
    assert_eq!(code, 1043);
    assert!(said.contains("Switch compression off"), "{said}");
    assert!(proxied.proxy.refusals()[0].contains("compression"));
}

/// The last words of a server that closes the connection.
async fn refused(client: &mut RawClient) -> (u16, String) {
    let words = client.rest().await;
    assert_eq!(words.len(), 1, "{words:?}");
    assert_eq!(words[0].0, 2, "the number after the client's");
    error(&words[0].1)
}

/// A client that can do without goes on, and one that cannot says so itself.
async fn neither_tls_nor_compression_is_offered(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let options = options_at(&proxied.lab.database, proxied.proxy.address());
    let preferred = options.clone().ssl_mode(MySqlSslMode::Preferred);
    preferred.connect().await.unwrap();
    let required = options.ssl_mode(MySqlSslMode::Required);
    let refused = required.connect().await.unwrap_err().to_string();
    assert!(refused.contains("does not support TLS"), "{refused}");
}

async fn a_server_that_is_gone_is_named(engine: TestEngine) {
    let gone = ServerPlace::Socket("/no/such/folder/server.sock".into());
    let proxy = proxy_before(engine, gone).await;
    let mut client = RawClient::greeted(proxy.address()).await;
    let (code, said) = error(&client.greeting);
    assert_eq!(code, 1043);
    let words = "Racy's proxy cannot reach the database server at /no/such/folder/server.sock";
    assert!(said.contains(words), "{said}");
    assert!(client.rest().await.is_empty());
    assert!(proxy.refusals()[0].starts_with(words));
}

async fn a_port_without_a_server_is_named(engine: TestEngine) {
    let port = HeldPort::new();
    let address = port.address();
    let proxy = proxy_before(engine, place_at(address)).await;
    let client = RawClient::greeted(proxy.address()).await;
    let (_, said) = error(&client.greeting);
    assert!(said.contains(&format!("server at {address}")), "{said}");
}

async fn a_user_whom_the_server_refuses_is_told_so_by_the_server(engine: TestEngine) {
    let proxied = Proxied::start(engine).await;
    let options = options_at(&proxied.lab.database, proxied.proxy.address());
    let stranger = options.username("no_such_user");
    let refused = stranger.connect().await.unwrap_err();
    let refused = refused.as_database_error().unwrap();
    assert!(refused.message().contains("Access denied"), "{refused}");
    assert!(proxied.proxy.refusals()[0].contains("Access denied"));
    // The next one gets in.
    proxied.client(PLAIN).await;
}
