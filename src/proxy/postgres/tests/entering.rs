//! What a client says first, and its authentication.

use super::building::*;
use crate::proxy::framing::Framing as _;
use crate::proxy::postgres::reply::ServerError;
use crate::proxy::postgres::*;

/// A first message with this code.
fn opening(code: u32, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 8).to_be_bytes();
    [&length, code.to_be_bytes().as_slice(), body].concat()
}

fn startup(code: u32) -> Vec<u8> {
    opening(
        code,
        b"user\0app\0database\0shop\0application_name\0web\0\0",
    )
}

#[test]
fn a_client_may_ask_for_tls_and_gssapi_in_any_order() {
    let tls = opening(80_877_103, &[]);
    let gss = opening(80_877_104, &[]);
    let first = startup(196_608);
    for order in [[&tls, &gss], [&gss, &tls]] {
        let stream = [order[0].as_slice(), order[1], &first].concat();
        let mut read = Vec::new();
        let mut at = 0;
        while at < stream.len() {
            let (opening, used) = Opening::read(&stream[at..]).unwrap().unwrap();
            read.push(opening);
            at += used;
        }
        assert!(matches!(read[2], Opening::Startup(_)), "{read:?}");
        assert!(read.contains(&Opening::Tls) && read.contains(&Opening::Gss));
    }
}

#[test]
fn every_third_version_is_negotiated_by_the_server() {
    for code in [196_608, 196_610, 3 << 16 | 9999] {
        let bytes = startup(code);
        let (opening, used) = Opening::read(&bytes).unwrap().unwrap();
        let expected = Startup {
            user: Some("app".to_owned()),
            database: Some("shop".to_owned()),
            replication: false,
            settings: vec![("application_name".to_owned(), "web".to_owned())],
        };
        assert_eq!((opening, used), (Opening::Startup(expected), bytes.len()));
    }
    let second = Opening::read(&startup(131_072));
    assert_eq!(second.unwrap_err().0, "the client speaks the protocol 2.0");
}

#[test]
fn what_a_client_sets_as_it_comes_in_is_read() {
    let startup = |body: &[u8]| match Opening::read(&opening(196_608, body)).unwrap() {
        Some((Opening::Startup(startup), _)) => startup.settings,
        other => panic!("{other:?}"),
    };
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        owned.collect()
    };
    let options = b"user\0app\0search_path\0s2\0options\0-c statement_timeout=5s \
        -csearch_path=s1,\\ s3 --lock-timeout=1 -e\0_pq_.wide\0on\0\0";
    let expected = pairs(&[
        ("statement_timeout", "5s"),
        ("search_path", "s1, s3"),
        ("lock_timeout", "1"),
        ("search_path", "s2"),
    ]);
    assert_eq!(startup(options), expected);
    let expected = pairs(&[("application_name", "web")]);
    assert_eq!(startup(b"user\0app\0application_name\0web\0\0"), expected);
}

#[test]
fn an_opening_waits_for_its_last_byte() {
    let bytes = startup(196_608);
    for length in 0..bytes.len() {
        assert_eq!(Opening::read(&bytes[..length]), Ok(None), "{length} bytes");
    }
    let with_more = [bytes.as_slice(), b"p\0\0\0\x08abc\0"].concat();
    let (_, used) = Opening::read(&with_more).unwrap().unwrap();
    assert_eq!(used, bytes.len());
}

#[test]
fn a_cancellation_may_have_a_key_of_any_length() {
    for length in [4, 32, 256] {
        let bytes = opening(80_877_102, &vec![7; 4 + length]);
        let read = Opening::read(&bytes).unwrap();
        assert_eq!(read, Some((Opening::Cancel, bytes.len())));
    }
}

#[test]
fn tls_may_begin_without_asking() {
    let read = Opening::read(&[0x16, 3, 1]).unwrap();
    assert_eq!(read, Some((Opening::DirectTls, 0)));
}

#[test]
fn what_is_no_opening_is_refused() {
    for bytes in [b"GET / HTTP/1.1\r\n".as_slice(), &[0, 0, 0, 4], &[0xFF; 8]] {
        assert!(Opening::read(bytes).is_err(), "{bytes:x?}");
    }
    let without_end = opening(196_608, b"user\0app\0");
    assert!(Opening::read(&without_end).is_err());
}

#[test]
fn the_database_has_the_users_name_if_none_is_named() {
    for body in [b"user\0app\0\0".as_slice(), b"database\0\0user\0app\0\0"] {
        let bytes = opening(196_608, body);
        let Ok(Some((Opening::Startup(startup), _))) = Opening::read(&bytes) else {
            panic!("{bytes:x?}");
        };
        assert_eq!(startup.database.as_deref(), Some("app"));
    }
}

#[test]
fn a_copy_of_the_server_is_only_forwarded() {
    const CASES: [(&str, bool); 6] = [
        ("database", true),
        ("true", true),
        ("1", true),
        ("0", false),
        ("off", false),
        ("no", false),
    ];
    for (value, copies) in CASES {
        let bytes = opening(196_608, format!("replication\0{value}\0\0").as_bytes());
        let Ok(Some((Opening::Startup(startup), _))) = Opening::read(&bytes) else {
            panic!("{bytes:x?}");
        };
        assert_eq!(startup.replication, copies, "{value}");
        let mut conversation = Conversation::new(&startup);
        conversation.authentication(&ready(b'I'));
        let unit = send(&mut conversation, &[query("IDENTIFY_SYSTEM")]);
        assert_eq!(matches!(unit.what, What::Opaque(_)), copies, "{value}");
        assert_eq!(unit.bytes, query("IDENTIFY_SYSTEM").bytes);
    }
}

#[test]
fn an_authentication_ends_when_the_server_waits_for_the_client() {
    for key in [4, 32] {
        let mut conversation = Conversation::new(&Startup::default());
        let process = [&[0, 0, 4, 210], vec![9; key].as_slice()].concat();
        let messages = [
            // Which version is spoken, a method, its end, a setting, and the process.
            message(b'v', [0, 3, 0, 0, 0, 0, 0, 0]),
            message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"),
            message(b'R', [0; 4]),
            message(b'S', "TimeZone\0UTC\0"),
            message(b'K', process),
            notice(),
        ];
        for message in messages {
            let progress = conversation.authentication(&message);
            assert_eq!(progress, AuthProgress::GoesOn, "{message:x?}");
        }
        assert_eq!(conversation.in_transaction(), None);
        let progress = conversation.authentication(&ready(b'I'));
        assert_eq!(progress, AuthProgress::Done);
        assert_eq!(conversation.process(), Some(1234));
        assert_eq!(conversation.in_transaction(), Some(false));
    }
}

#[test]
fn the_server_may_refuse_a_client() {
    let mut conversation = Conversation::new(&Startup::default());
    let body = "SFATAL\0VFATAL\0C28P01\0Mwrong\0Dit is\0Htry again\0Fauth.c\0\0";
    let expected = ServerError {
        code: "28P01".to_owned(),
        severity: "FATAL".to_owned(),
        message: "wrong".to_owned(),
        detail: Some("it is".to_owned()),
        hint: Some("try again".to_owned()),
    };
    let progress = conversation.authentication(&message(b'E', body));
    assert_eq!(progress, AuthProgress::Refused(expected));
}

#[test]
fn a_refusal_is_a_fatal_error() {
    let mut reader = MessageReader::default();
    reader.fill(&refusal("no\0TLS"));
    let refusal = reader.next_packet().unwrap();
    assert!(reader.take_rest().is_empty());
    let progress = Conversation::new(&Startup::default()).authentication(&refusal);
    let AuthProgress::Refused(error) = progress else {
        panic!("{progress:?}");
    };
    assert_eq!(error.severity, "FATAL");
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("08004", "no TLS")
    );
}
