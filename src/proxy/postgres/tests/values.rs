//! Values in both formats. The expected texts are those of PostgreSQL 15.

use super::building::*;
use crate::answer::{Datum, DatumKind};
use crate::proxy::postgres::values::value as decoded;
use crate::proxy::test_support::bytes_of;

/// Decodes values of this type in the binary format.
fn check(of: u32, kind: DatumKind, cases: &[(&str, &str)]) {
    for (digits, text) in cases {
        let expected = value(text, kind.clone());
        assert_eq!(decoded(&bytes_of(digits), of, true), expected, "{digits}");
    }
}

fn kind(name: &str) -> DatumKind {
    DatumKind::Typed(name.to_owned())
}

#[test]
fn integers_and_booleans() {
    let number = DatumKind::Number;
    check(21, number.clone(), &[("8000", "-32768")]);
    check(23, number.clone(), &[("7fffffff", "2147483647")]);
    check(
        20,
        number.clone(),
        &[("8000000000000000", "-9223372036854775808")],
    );
    check(26, number, &[("ffffffff", "4294967295")]);
    check(16, DatumKind::Boolean, &[("00", "f"), ("01", "t")]);
}

#[test]
fn floating_point_numbers_keep_their_shortest_text() {
    const LONG: [(f64, &str); 14] = [
        (0.0, "0"),
        (-0.0, "-0"),
        (-0.5, "-0.5"),
        (100.0, "100"),
        (12_345.678, "12345.678"),
        (0.0001, "0.0001"),
        (1e-5, "1e-05"),
        (123_456_789_012_345.0, "123456789012345"),
        (1e15, "1e+15"),
        (9_007_199_254_740_992.0, "9.007199254740992e+15"),
        (1e300, "1e+300"),
        (3e-320, "3e-320"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ];
    for (number, text) in LONG {
        let read = decoded(&number.to_be_bytes(), 701, true);
        assert_eq!(read, Datum::number(text));
    }
    const SHORT: [(f32, &str); 5] = [
        (0.1, "0.1"),
        (1e5, "100000"),
        (999_999.0, "999999"),
        (1e6, "1e+06"),
        (1_234_567.0, "1.234567e+06"),
    ];
    for (number, text) in SHORT {
        let read = decoded(&number.to_be_bytes(), 700, true);
        assert_eq!(read, Datum::number(text));
    }
}

#[test]
fn exact_numbers() {
    let cases = [
        ("0000000000000000", "0"),
        ("0000000000000002", "0.00"),
        ("0003000140000005000109291a7c", "-12345.67800"),
        ("0001000100000000000a", "100000"),
        ("0001ffff0000000403e8", "0.1000"),
        ("0001fffe00000008000a", "0.00000010"),
        (
            "0006000400000004007b11d722c509291a850001",
            "1234567890123456789.0001",
        ),
        ("00000000c0000000", "NaN"),
        ("00000000d0000000", "Infinity"),
        ("00000000f0000020", "-Infinity"),
    ];
    check(1700, DatumKind::Number, &cases);
}

#[test]
fn a_long_number_is_cut() {
    let groups = [0x04, 0xD2].repeat(2000);
    let number = [&[7, 208, 7, 207, 0, 0, 0, 0], groups.as_slice()].concat();
    let expected = value(&format!("{}…", "1234".repeat(256)), DatumKind::Number);
    assert_eq!(decoded(&number, 1700, true), expected);
}

#[test]
fn dates_and_times() {
    check(
        1082,
        kind("date"),
        &[
            ("00000000", "2000-01-01"),
            ("ffffffff", "1999-12-31"),
            ("0000003b", "2000-02-29"),
            ("7fffffff", "infinity"),
            ("80000000", "-infinity"),
            ("fff4dbf9", "0001-01-01"),
            ("fff4dbf8", "0001-12-31 BC"),
        ],
    );
    check(
        1114,
        kind("timestamp"),
        &[
            ("ffffffffffffffff", "1999-12-31 23:59:59.999999"),
            ("000000000007a120", "2000-01-01 00:00:00.5"),
            ("7fffffffffffffff", "infinity"),
        ],
    );
    let with_zone = [("0000000000000000", "2000-01-01 00:00:00+00")];
    check(1184, kind("timestamptz"), &with_zone);
    check(
        1083,
        kind("time"),
        &[
            ("0000000000000001", "00:00:00.000001"),
            ("000000141dd76000", "24:00:00"),
        ],
    );
    check(
        1266,
        kind("timetz"),
        &[
            ("000000000000000000004d58", "00:00:00-05:30"),
            ("0000000000000000fffff1f0", "00:00:00+01"),
        ],
    );
}

#[test]
fn intervals() {
    check(
        1186,
        kind("interval"),
        &[
            ("00000000000000000000000000000000", "00:00:00"),
            ("0000000000000000000000030000000a", "10 mons 3 days"),
            ("00000001ad274800ffffffff00000000", "-1 days +02:00:00"),
            ("ffffffffffffffff0000000000000001", "1 mon -00:00:00.000001"),
            (
                "000000000000000000000001fffffff2",
                "-1 years -2 mons +1 day",
            ),
        ],
    );
}

#[test]
fn texts_and_documents() {
    check(25, DatumKind::Text, &[("c3a42700", "ä'\0"), ("", "")]);
    check(1043, DatumKind::Text, &[("4e554c4c", "NULL")]);
    check(114, kind("json"), &[("7b7d", "{}")]);
    check(3802, kind("jsonb"), &[("017b7d", "{}")]);
    check(142, kind("xml"), &[("3c612f3e", "<a/>")]);
    let id = "a0eebc999c0b4ef8bb6d6bb9bd380a11";
    check(
        2950,
        kind("uuid"),
        &[(id, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")],
    );
}

#[test]
fn bytes_are_hexadecimal_digits_in_both_formats() {
    let expected = value("00ff", DatumKind::Bytes);
    assert_eq!(decoded(&[0, 255], 17, true), expected);
    assert_eq!(decoded(b"\\x00ff", 17, false), expected);
    let long = decoded(format!("\\x{}", "ab".repeat(2000)).as_bytes(), 17, false);
    assert_eq!(
        long,
        value(&format!("{}…", "ab".repeat(1024)), DatumKind::Bytes)
    );
    assert_eq!(long, decoded(&[0xAB; 2000], 17, true));
}

#[test]
fn arrays_are_written_as_postgresql_does() {
    let two_dimensions = "0000000200000000000000170000000200000001000000020000000100000004\
                          00000001000000040000000200000004000000030000000400000004";
    let numbers = [
        ("000000000000000000000017", "{}"),
        (
            "00000001000000010000001700000002000000010000000400000001ffffffff",
            "{1,NULL}",
        ),
        (two_dimensions, "{{1,2},{3,4}}"),
    ];
    check(1007, kind("int4[]"), &numbers);
    let texts = "0000000100000001000000190000000800000001000000016100000003622063ffffffff\
                 000000044e554c4c00000000000000017b0000000122000000015c";
    let written = r#"{a,"b c",NULL,"NULL","","{","\"","\\"}"#;
    check(1009, kind("text[]"), &[(texts, written)]);
    let exact = "0000000100000001000006a400000002000000010000000c0002000000000001\
                 00011388ffffffff";
    check(1231, kind("numeric[]"), &[(exact, "{1.5,NULL}")]);
}

#[test]
fn a_long_array_is_cut() {
    let element = [0, 0, 0, 4, 0, 0, 0, 7];
    let head = bytes_of("0000000100000000000000170000138800000001");
    let array = [head, element.repeat(5000)].concat();
    let expected = value(&format!("{{{}7…", "7,".repeat(511)), kind("int4[]"));
    assert_eq!(decoded(&array, 1007, true), expected);
}

#[test]
fn an_array_of_other_elements_is_shown_as_bytes() {
    // Elements of another type, seven dimensions, and a size that no message has.
    for digits in [
        "000000000000000000000019",
        "000000070000000000000017",
        "000000010000000000000017ffffffff00000001",
    ] {
        let expected = value(digits, DatumKind::Bytes);
        assert_eq!(decoded(&bytes_of(digits), 1007, true), expected);
    }
}

#[test]
fn what_cannot_be_read_is_shown_as_bytes() {
    for (digits, of) in [
        ("00", 23),
        ("0000000000", 23),
        ("01", 600),
        ("ff", 25),
        ("", 16),
    ] {
        let expected = value(digits, DatumKind::Bytes);
        assert_eq!(decoded(&bytes_of(digits), of, true), expected);
    }
}

#[test]
fn texts_have_the_kind_of_their_type() {
    let cases = [
        (23, "5", DatumKind::Number),
        (16, "t", DatumKind::Boolean),
        (25, "x", DatumKind::Text),
        (1184, "2000-01-01 00:00:00+01", kind("timestamptz")),
        (1009, "{a}", kind("text[]")),
        // An enumeration, for instance.
        (16_400, "red", DatumKind::Text),
    ];
    for (of, text, kind) in cases {
        assert_eq!(decoded(text.as_bytes(), of, false), value(text, kind));
    }
}
