//! Values of both protocols.

use super::building::*;
use crate::answer::{Datum, DatumKind};
use crate::proxy::mysql::*;

const UNSIGNED: u8 = 0x20;
const UNSIGNED_ZEROFILL: u8 = 0x60;
const UTF8: u8 = 255;
const BINARY: u8 = 63;

/// The only value of a row of the binary protocol.
fn read_binary(definition: Vec<u8>, value: &[u8]) -> Datum {
    let mut conversation = begin_prepared(BASE, "SELECT a", 0, &[]);
    let row = [b"\0\0", value].concat();
    let answer = result(BASE, &[definition], &[row], AUTOCOMMIT);
    only(ask(&mut conversation, &execute(0, &[]), &answer))
}

/// The only value of a row of the text protocol.
fn read_text(definition: Vec<u8>, row: &[u8]) -> Datum {
    let mut conversation = begin(BASE);
    let answer = result(BASE, &[definition], &[row.to_vec()], AUTOCOMMIT);
    only(ask(&mut conversation, &query("SELECT a"), &answer))
}

fn only(results: Vec<StatementResult>) -> Datum {
    match results.as_slice() {
        [StatementResult::Rows(answer)] => answer.rows[0][0].clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn numbers_are_signed_unless_their_column_is_not() {
    const CASES: [(u8, u8, &[u8], &str); 10] = [
        (0x01, 0, &[0xFF], "-1"),
        (0x01, UNSIGNED, &[0xFF], "255"),
        (0x02, 0, &[0xD4, 0xFE], "-300"),
        (0x02, UNSIGNED, &[0xD4, 0xFE], "65236"),
        (0x03, 0, &[0xFE, 0xFF, 0xFF, 0xFF], "-2"),
        (0x09, UNSIGNED, &[0xFE, 0xFF, 0xFF, 0], "16777214"),
        (0x08, 0, &[0xFF; 8], "-1"),
        (0x08, UNSIGNED, &[0xFF; 8], "18446744073709551615"),
        (0x03, UNSIGNED_ZEROFILL, &[42, 0, 0, 0], "00042"),
        (0x0D, UNSIGNED, &[0xE8, 0x07], "2024"),
    ];
    for (number, flags, value, text) in CASES {
        let definition = column_with("a", number, BINARY, flags, 0);
        assert_eq!(read_binary(definition, value), Datum::number(text));
    }
}

#[test]
fn fractions_have_the_digits_of_their_column() {
    let double = |decimals| column_with("a", 0x05, BINARY, 0, decimals);
    let value = 1.5_f64.to_le_bytes();
    assert_eq!(read_binary(double(31), &value), Datum::number("1.5"));
    assert_eq!(read_binary(double(3), &value), Datum::number("1.500"));
    let float = column_with("a", 0x04, BINARY, 0, 31);
    let value = 0.1_f32.to_le_bytes();
    assert_eq!(read_binary(float, &value), Datum::number("0.1"));
    let decimal = column_with("a", 0xF6, BINARY, 0, 3);
    assert_eq!(read_binary(decimal, b"\x0512.50"), Datum::number("12.50"));
}

#[test]
fn dates_and_times_are_written_out() {
    const DATETIME: &[u8] = &[11, 0xE4, 0x07, 1, 2, 3, 4, 5, 6, 0, 0, 0];
    const CASES: [(u8, u8, &[u8], &str, &str); 10] = [
        (0x0A, 0, &[4, 0xE4, 0x07, 1, 2], "2020-01-02", "date"),
        (0x0A, 0, &[0], "0000-00-00", "date"),
        (0x0C, 0, &[0], "0000-00-00 00:00:00", "datetime"),
        (
            0x0C,
            0,
            &[4, 0xE4, 0x07, 1, 2],
            "2020-01-02 00:00:00",
            "datetime",
        ),
        (
            0x0C,
            3,
            &[7, 0xE4, 0x07, 1, 2, 3, 4, 5],
            "2020-01-02 03:04:05.000",
            "datetime",
        ),
        (0x0C, 6, DATETIME, "2020-01-02 03:04:05.000006", "datetime"),
        (0x07, 0, DATETIME, "2020-01-02 03:04:05", "timestamp"),
        (0x0B, 0, &[0], "00:00:00", "time"),
        (0x0B, 0, &[8, 1, 1, 0, 0, 0, 1, 2, 3], "-25:02:03", "time"),
        (
            0x0B,
            2,
            &[12, 0, 0, 0, 0, 0, 1, 2, 3, 0x20, 0xA1, 7, 0],
            "01:02:03.50",
            "time",
        ),
    ];
    for (number, decimals, value, text, name) in CASES {
        let definition = column_with("a", number, BINARY, 0, decimals);
        assert_eq!(read_binary(definition, value), typed(text, name));
    }
}

#[test]
fn bytes_are_told_from_texts_by_type_and_collation() {
    let text = Datum::text("ab");
    let binary = bytes("6162");
    let cases = [
        (0xFD, UTF8, text.clone()),
        (0xFC, UTF8, text.clone()),
        (0xFE, UTF8, text),
        (0xFD, BINARY, binary.clone()),
        (0xFC, BINARY, binary.clone()),
        (0x10, BINARY, binary.clone()),
        (0xFF, BINARY, binary),
        (0xF5, BINARY, typed("ab", "json")),
        (0xF6, BINARY, Datum::number("ab")),
    ];
    for (number, collation, expected) in cases {
        let definition = column_with("a", number, collation, 0, 0);
        assert_eq!(read_text(definition.clone(), b"\x02ab"), expected);
        assert_eq!(read_binary(definition, b"\x02ab"), expected);
    }
}

#[test]
fn a_text_in_another_character_set_is_shown_as_bytes() {
    assert_eq!(read_text(column("a", VARCHAR), b"\x02\xe4b"), bytes("e462"));
    // Half a character is no text either.
    assert_eq!(read_text(column("a", VARCHAR), b"\x01\xc3"), bytes("c3"));
}

#[test]
fn a_long_value_is_cut_at_a_whole_character() {
    // 1025 bytes, and the last character begins with the 1024th.
    let text = "x".repeat(1023) + "ä";
    let row = [b"\xfc\x01\x04", text.as_bytes()].concat();
    let expected = "x".repeat(1023) + "…";
    assert_eq!(read_text(column("a", VARCHAR), &row), Datum::text(expected));
    let Datum::Value { text, kind } = read_text(column("a", BLOB), &row) else {
        panic!("NULL");
    };
    assert_eq!(kind, DatumKind::Bytes);
    assert_eq!(text, "78".repeat(1023) + "c3…");
}

#[test]
fn a_row_that_does_not_fit_its_columns_is_not_understood() {
    for row in [b"\x02a".as_slice(), b"", b"\x01a\x01b"] {
        let mut conversation = begin(BASE);
        conversation.command(&query("SELECT a"));
        let answer = result(BASE, &[column("a", VARCHAR)], &[row.to_vec()], AUTOCOMMIT);
        let progress = answer
            .iter()
            .map(|it| conversation.answer(&packet(it.as_slice())));
        let last = progress.last().unwrap();
        assert!(matches!(last, Progress::NotUnderstood(_)), "{last:?}");
    }
}
