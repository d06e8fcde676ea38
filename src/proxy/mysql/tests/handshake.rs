//! The greeting, the response and the authentication.

use super::building::*;
use crate::proxy::mysql::capabilities::Status;
use crate::proxy::mysql::reply::ServerError;
use crate::proxy::mysql::*;

/// What a MySQL 9.7 offers.
const MYSQL: Capabilities = Capabilities(0xDFFF_FFFF);

/// What a MariaDB 11.8 offers: no CLIENT_MYSQL, and capabilities of its own.
const MARIADB: Capabilities = Capabilities(0x3F_81FF_F7FE | Capabilities::SSL.0);

fn read_response(asked: Capabilities, shown: &[u8]) -> ClientHello {
    let shown = Greeting::read(shown).unwrap();
    ClientHello::read(&response(asked), &shown).unwrap()
}

#[test]
fn a_greeting_says_who_the_server_is() {
    let hello = ServerHello::read(&greeting(MYSQL, "9.7.4-2")).unwrap();
    let ServerHello::Greeting(greeting) = hello else {
        panic!("{hello:?}");
    };
    assert_eq!(greeting.connection, 7);
    assert_eq!(greeting.version, "9.7.4-2");
    assert!(!greeting.is_mariadb);
    assert_eq!(greeting.capabilities, MYSQL);
    assert_eq!(greeting.status.in_transaction, Some(false));
    assert!(greeting.status.autocommit);
}

#[test]
fn mariadb_is_recognised_by_the_bit_that_it_lacks() {
    let greeting = Greeting::read(&greeting(MARIADB, "11.8.9-MariaDB")).unwrap();
    assert!(greeting.is_mariadb);
    assert_eq!(greeting.capabilities, MARIADB);
}

#[test]
fn an_older_mariadb_is_recognised_by_its_version() {
    let greeting = Greeting::read(&greeting(MYSQL, "5.5.5-10.1.48-MariaDB")).unwrap();
    assert!(greeting.is_mariadb);
    assert_eq!(greeting.capabilities, MYSQL);
}

#[test]
fn a_greeting_without_capabilities_is_as_long_as_before() {
    for (offered, version) in [(MYSQL, "9.7.4-2"), (MARIADB, "11.8.9-MariaDB")] {
        let original = greeting(offered, version);
        let hidden = Capabilities::HIDDEN;
        let changed = Greeting::without(&original, hidden).unwrap();
        assert_eq!(changed, greeting(offered.without(hidden), version));
        assert_eq!(changed.len(), original.len());
    }
}

#[test]
fn an_error_instead_of_a_greeting_is_a_refusal() {
    let hello = ServerHello::read(b"\xff\x10\x04Too many connections");
    let error = ServerError {
        code: 1040,
        state: None,
        message: "Too many connections".to_owned(),
    };
    assert_eq!(hello, Ok(ServerHello::Refused(error)));
}

#[test]
fn another_version_of_the_handshake_is_not_understood() {
    assert!(ServerHello::read(&[9, b'4', 0]).is_err());
    assert!(ServerHello::read(&[]).is_err());
}

#[test]
fn what_holds_is_what_both_sides_have() {
    let asked = MYSQL.without(Capabilities::COMPRESS | Capabilities::ZSTD);
    let hello = read_response(asked, &greeting(BASE, "9.7.4"));
    let response = Response {
        capabilities: BASE,
        database: Some("shop".to_owned()),
    };
    assert_eq!(hello, ClientHello::Response(response));
}

#[test]
fn the_capabilities_of_mariadb_are_read_only_between_mariadb_and_its_client() {
    let own = Capabilities::CACHE_METADATA;
    let asked = BASE.without(Capabilities::MYSQL) | own;
    let of_mariadb = greeting(MARIADB, "11.8.9-MariaDB");
    let agreed = |asked: Capabilities, shown: &[u8]| match read_response(asked, shown) {
        ClientHello::Response(response) => response.capabilities,
        other => panic!("{other:?}"),
    };
    assert!(agreed(asked, &of_mariadb).has(own));
    assert!(!agreed(asked | Capabilities::MYSQL, &of_mariadb).has(own));
    assert!(!agreed(asked, &greeting(MYSQL, "9.7.4")).has(own));
}

#[test]
fn a_response_asks_the_server_for_nothing_hidden() {
    let original = response(BASE | Capabilities::SSL | Capabilities::OPTIONAL_METADATA);
    let changed = Response::without(&original, Capabilities::HIDDEN).unwrap();
    assert_eq!(changed, response(BASE));
}

#[test]
fn a_client_that_begins_tls_is_recognised() {
    let asked = BASE | Capabilities::SSL;
    let shown = Greeting::read(&greeting(BASE, "9.7.4")).unwrap();
    let hello = ClientHello::read(&response(asked)[..32], &shown);
    assert_eq!(hello, Ok(ClientHello::TlsRequest));
}

#[test]
fn a_client_that_insists_on_compression_is_recognised() {
    for compression in [Capabilities::COMPRESS, Capabilities::ZSTD] {
        let hello = read_response(BASE | compression, &greeting(BASE, "9.7.4"));
        assert_eq!(hello, ClientHello::CompressionRequest);
    }
}

#[test]
fn a_response_of_before_mysql_4_1_is_not_understood() {
    let shown = Greeting::read(&greeting(BASE, "9.7.4")).unwrap();
    assert!(ClientHello::read(b"\x05\0\0\0\0user\0", &shown).is_err());
    assert!(ClientHello::read(&response(BASE)[..31], &shown).is_err());
}

#[test]
fn a_cached_password_needs_no_packet_of_the_client() {
    let mut conversation = greet(BASE);
    let cached = conversation.authentication(&packet([1, 3]));
    assert_eq!(cached, AuthProgress::GoesOn);
    let progress = conversation.authentication(&packet(ok(AUTOCOMMIT)));
    assert!(matches!(progress, AuthProgress::Done(_)), "{progress:?}");
}

#[test]
fn another_plugin_and_a_public_key_belong_to_the_authentication() {
    const OF_PLUGINS: [&[u8]; 5] = [
        b"\xfecaching_sha2_password\0scramble-of-20-bytes!\0",
        b"\x01\x04",
        b"\x01-----BEGIN PUBLIC KEY-----",
        b"\x02second_factor\0data",
        b"\xfe",
    ];
    let mut conversation = greet(BASE);
    for payload in OF_PLUGINS {
        let progress = conversation.authentication(&packet(payload));
        assert_eq!(progress, AuthProgress::GoesOn, "{payload:?}");
    }
    let refused = conversation.authentication(&packet(err(1045)));
    assert!(matches!(refused, AuthProgress::Refused(error) if error.code == 1045));
}

#[test]
fn the_state_begins_with_what_the_authentication_says() {
    let mut conversation = greet(BASE);
    conversation.authentication(&packet(ok(IN_TRANSACTION)));
    let expected = Status {
        in_transaction: Some(true),
        autocommit: false,
    };
    assert_eq!(conversation.status(), expected);
}
