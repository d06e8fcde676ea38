//! Whatever comes, nothing panics.

use super::building::*;
use super::recorded::{MARIADB, MYSQL2, OF_MARIADB, OF_MYSQL2, OUT_PARAMETER, read_record};
use crate::proxy::mysql::*;
use crate::proxy::test_support::Numbers;

/// Bytes that lengths, NULL and the kinds of packets begin with.
const TELLING: [u8; 6] = [0x00, 0xFB, 0xFC, 0xFD, 0xFE, 0xFF];

#[test]
fn random_handshakes_are_read_or_refused() {
    let mut numbers = Numbers::of(1);
    let shown = Greeting::read(&greeting(OF_MARIADB, "11.8.9-MariaDB")).unwrap();
    for _ in 0..20_000 {
        let mut hello = greeting(OF_MYSQL2, "9.7.4");
        let mut answer = response(OF_MARIADB);
        numbers.damage(&mut hello, &TELLING);
        numbers.damage(&mut answer, &TELLING);
        for payload in [hello, answer, numbers.draw_bytes(80)] {
            let _ = ServerHello::read(&payload);
            let _ = Greeting::without(&payload, Capabilities::HIDDEN);
            let _ = ClientHello::read(&payload, &shown);
            let _ = Response::without(&payload, Capabilities::HIDDEN);
        }
    }
}

#[test]
fn random_packets_are_read_or_not_understood() {
    let mut numbers = Numbers::of(2);
    for round in 0..20_000 {
        let agreed = Capabilities(numbers.draw(usize::MAX) as u64 | Capabilities::PROTOCOL_41.0);
        let mut conversation = begin_any(agreed);
        for _ in 0..numbers.draw(20) {
            let payload = packet(numbers.draw_bytes(40));
            match (round + numbers.draw(4)) % 4 {
                0 => drop(conversation.command(&payload.payload)),
                1 => drop(conversation.authentication(&payload)),
                2 => drop(conversation.client_data(&payload)),
                _ => drop(conversation.answer(&payload)),
            }
        }
    }
}

#[test]
fn damaged_conversations_are_read_or_not_understood() {
    let mut numbers = Numbers::of(3);
    let records = [
        (OF_MYSQL2, MYSQL2),
        (BASE, OUT_PARAMETER),
        (OF_MARIADB, MARIADB),
        (OF_MARIADB, MYSQL2),
        (BOTH_ENDS[1], OUT_PARAMETER),
    ];
    let records = records.map(|(agreed, record)| (agreed, read_record(record)));
    for round in 0..10_000 {
        let (agreed, record) = &records[round % records.len()];
        let mut conversation = begin_any(*agreed);
        for (is_client, packet) in record {
            let mut packet = packet.clone();
            numbers.damage(&mut packet.payload, &TELLING);
            if *is_client {
                conversation.command(&packet.payload);
            } else {
                conversation.answer(&packet);
            }
        }
    }
}

/// A conversation that agreed on these, whatever they are.
fn begin_any(agreed: Capabilities) -> Conversation {
    let offered = Capabilities(u64::MAX).without(Capabilities::MYSQL);
    let shown = Greeting::read(&greeting(offered, "11.8.9-MariaDB")).unwrap();
    let response = Response {
        capabilities: agreed,
        database: None,
    };
    let mut conversation = Conversation::new(&shown, &response);
    conversation.authentication(&packet(ok(AUTOCOMMIT)));
    conversation
}
