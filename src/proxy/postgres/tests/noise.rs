//! Whatever comes, nothing panics.

use super::building::*;
use super::recorded::RECORDS;
use crate::proxy::framing::Framing as _;
use crate::proxy::postgres::values::value;
use crate::proxy::postgres::*;
use crate::proxy::test_support::{Numbers, bytes_of};

/// Bytes that are the ends of numbers, and a tag.
const TELLING: [u8; 6] = [0x00, 0x01, 0x7F, 0x80, 0xFF, b'S'];

const OF_CLIENT: &[u8] = b"QPBDCESHFXdcf!";
const OF_SERVER: &[u8] = b"123tTnDCIsGHdcWVZEANS!";

#[test]
fn random_openings_are_read_or_refused() {
    let mut numbers = Numbers::of(1);
    for _ in 0..20_000 {
        let mut opening = b"\0\0\0\x1a\0\x03\0\0user\0app\0database\0\0\0".to_vec();
        numbers.damage(&mut opening, &TELLING);
        let _ = Opening::read(&opening);
        let _ = Opening::read(&numbers.draw_bytes(40));
    }
}

#[test]
fn random_values_have_a_text() {
    const TYPES: [u32; 16] = [
        16, 18, 20, 21, 23, 26, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 3802,
    ];
    const ARRAYS: [u32; 4] = [1007, 1009, 1231, 1187];
    let mut numbers = Numbers::of(2);
    for _ in 0..50_000 {
        let of = numbers.draw_of(&TYPES);
        let bytes = numbers.draw_bytes(20);
        value(&bytes, of, true);
        value(&bytes, of, false);
        let mut array = b"\0\0\0\x02\0\0\0\0\0\0\0\x17\0\0\0\x02\0\0\0\x01".to_vec();
        array.extend(b"\0\0\0\x01\0\0\0\x01\0\0\0\x04\0\0\0\x09\xff\xff\xff\xff");
        numbers.damage(&mut array, &TELLING);
        value(&array, numbers.draw_of(&ARRAYS), true);
    }
}

#[test]
fn random_messages_are_read_or_not_understood() {
    let mut numbers = Numbers::of(3);
    for _ in 0..20_000 {
        let mut conversation = begin();
        for _ in 0..numbers.draw(40) {
            let body = numbers.draw_bytes(12);
            match numbers.draw(8) {
                0 => drop(conversation.authentication(&message(numbers.draw_of(OF_SERVER), body))),
                1 => drop(conversation.client_data(message(numbers.draw_of(OF_CLIENT), body))),
                2..5 => conversation.client(message(numbers.draw_of(OF_CLIENT), body)),
                5 => drop(conversation.next_unit()),
                _ => drop(conversation.answer(&message(numbers.draw_of(OF_SERVER), body))),
            }
        }
    }
}

#[test]
fn damaged_conversations_are_read_or_not_understood() {
    let mut numbers = Numbers::of(4);
    let records = RECORDS.map(|record| [bytes_of(record.client), bytes_of(record.server)]);
    for round in 0..5_000 {
        let mut conversation = begin();
        let mut streams = records[round % records.len()].clone();
        for stream in &mut streams {
            numbers.damage(stream, &TELLING);
        }
        let [client, server] = streams.map(|stream| {
            let mut reader = MessageReader::default();
            reader.fill(&stream);
            reader
        });
        follow(&mut conversation, client, server);
    }
}

/// Lets both sides take turns, as far as they are understood.
fn follow(conversation: &mut Conversation, mut client: MessageReader, mut server: MessageReader) {
    while let Some(message) = client.next_packet() {
        conversation.client(message);
        while let Some(unit) = conversation.next_unit() {
            let mut goes_on = unit.awaits_answer;
            while goes_on {
                let Some(message) = server.next_packet() else {
                    return;
                };
                match conversation.answer(&message) {
                    Progress::GoesOn | Progress::Unasked => {}
                    Progress::Done(_) => goes_on = false,
                    Progress::NotUnderstood(_) => return,
                    Progress::AwaitsClient => loop {
                        let Some(message) = client.next_packet() else {
                            return;
                        };
                        if conversation.client_data(message).is_last {
                            break;
                        }
                    },
                }
            }
        }
    }
}
