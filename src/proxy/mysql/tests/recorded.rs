//! Conversations as real clients and servers had them. `C` is a packet of the client and `S` one of
//! the server, each with its sequence.

use super::building::*;
use crate::answer::{Answer, Datum};
use crate::proxy::mysql::*;
use crate::proxy::test_support::bytes_of;

/// mysql2 3.24 and MySQL 9.7, which agreed on attributes.
pub(super) const MYSQL2: &str = "
C 0 03000173656c65637420312c20277827
S 1 02
S 2 036465660000000131000c3f0002000000088100000000
S 3 036465660000000178000ce00004000000fd01001f0000
S 4 fe00000200
S 5 01310178
S 6 fe00000200
C 0 1673656c656374203f20617320612c203f20617320622c203f20617320632c203f2061732064
S 1 000100000004000400000000
S 2 036465660000000161000ce000fcff0000fd00001f0000
S 3 036465660000000162000ce000fcff0000fd00001f0000
S 4 036465660000000163000ce000fcff0000fd00001f0000
S 5 036465660000000164000ce000fcff0000fd00001f0000
S 6 fe00000200
S 7 036465660000000161000ce000fcff0000fd00001f0000
S 8 036465660000000162000ce000fcff0000fd00001f0000
S 9 036465660000000163000ce000fcff0000fd00001f0000
S 10 036465660000000164000ce000fcff0000fd00001f0000
S 11 fe00000200
C 0 17010000000801000000040401050000fd00000600000c0000000000000000f03f0574c3a478740b\
b207010100000000000000
S 1 04
S 2 036465660000000161000c3f00170000000580001f0000
S 3 036465660000000162000ce000fcff0000fd00001f0000
S 4 036465660000000163000ce000fcff0000fd00001f0000
S 5 036465660000000164000c3f001a0000000c8000060000
S 6 fe00000200
S 7 0010000000000000f03f0574c3a4787404b2070101
S 8 fe00000200
";

/// `CALL pr(5, ?)` with MySQL 9.7. The last EOF does not say that OK follows.
pub(super) const OUT_PARAMETER: &str = "
C 0 1663616c6c207072283f2c3f29
S 1 000500000000000200000000
S 2 03646566000000013f000c3f0015000000088000000000
S 3 03646566000000013f000c3f0015000000088000000000
S 4 fe00000000
C 0 170500000000010000000001030003000500000006000000
S 1 01
S 2 03646566000000036f6e6501780c3f000b000000030000000000
S 3 fe00000800
S 4 000005000000
S 5 fe00000800
S 6 01
S 7 036465660000000374776f0374776f0c3f000c000000080000000000
S 8 fe00002800
S 9 00000600000000000000
S 10 00000300000000000000
S 11 fe00002800
S 12 01
S 13 036465660174027072027072017901790c3f000b000000030000000000
S 14 fe00002810
S 15 00000a000000
S 16 fe00002000
S 17 00000020000000
";

/// MariaDB 11.8, which leaves the definitions out, executes in bulk and reports progress.
pub(super) const MARIADB: &str = "
C 0 1673656c6563742069642c732066726f6d2061206c696d69742032
S 1 001b00000002000000000000
S 2 03646566017401610161026964026964000c3f000b000000030342000000
S 3 0364656601740161016101730173000ce00050000000fd0000000000
C 0 171b0000000001000000
S 1 0200
S 2 0000010000000171
S 3 000002000000017a
S 4 fe000022000000
C 0 16696e7365727420696e746f20612873292076616c75657320283f29
S 1 001f00000000000100000000
S 2 03646566000000013f00000c3f0000000000068000000000
C 0 fa1f000000c000fd0000026161010003626262
S 1 0201
S 2 0364656600000002496400000c3f0015000000088100000000
S 3 036465660000000d41666665637465645f726f777300000c3f0015000000088100000000
S 4 000080000000000000000100000000000000
S 5 000081000000000000000100000000000000
S 6 000082000000000000000100000000000000
S 7 fe000002000000
C 0 03616c746572207461626c65206269672061646420696e646578202873292c20666f726365
S 1 ffffff010104050d0011636f707920746f20746d70207461626c65
S 2 ffffff0102040000000d456e61626c696e67206b657973
S 3 00fde0930400020000002b5265636f7264733a2033303030303020204475706c6963617465733a20\
3020205761726e696e67733a2030
";

/// What mysql2 and MySQL agreed on.
pub(super) const OF_MYSQL2: Capabilities = Capabilities(0x08BB_F3CE);

/// What a client agreed on with MariaDB.
pub(super) const OF_MARIADB: Capabilities = Capabilities(0x3D_018F_A288);

/// The packets of a record, each with whether the client sent it.
pub(super) fn read_record(record: &str) -> Vec<(bool, Packet)> {
    let lines = record.lines().filter(|line| !line.is_empty());
    let packets = lines.map(|line| {
        let [side, sequence, digits] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let packet = Packet {
            sequence: sequence.parse().unwrap(),
            payload: bytes_of(digits),
        };
        (side == "C", packet)
    });
    packets.collect()
}

/// The commands of a record and the results of each.
fn replay(agreed: Capabilities, record: &str) -> Vec<(CommandKind, Vec<StatementResult>)> {
    let mut conversation = begin(agreed);
    let mut replayed = Vec::new();
    for (is_client, packet) in read_record(record) {
        if is_client {
            replayed.push((conversation.command(&packet.payload).kind, Vec::new()));
        } else {
            match conversation.answer(&packet) {
                Progress::GoesOn => {}
                Progress::Done(outcome) => replayed.last_mut().unwrap().1 = outcome.results,
                other => panic!("{other:?} after {packet:x?}"),
            }
        }
    }
    replayed
}

#[test]
fn mysql2_says_that_a_query_has_no_attributes() {
    let replayed = replay(OF_MYSQL2, MYSQL2);
    let (kind, results) = &replayed[0];
    let text = "select 1, 'x'".to_owned();
    assert_eq!(*kind, CommandKind::Query { text });
    let row: &[Datum] = &[Datum::number(1), Datum::text("x")];
    assert_eq!(*results, [rows(&["1", "x"], &[row])]);
}

#[test]
fn mysql2_names_its_arguments() {
    let replayed = replay(OF_MYSQL2, MYSQL2);
    let (kind, results) = &replayed[2];
    let text = "select ? as a, ? as b, ? as c, ? as d";
    let one = Datum::number(1);
    let word = Datum::text("täxt");
    let expected = CommandKind::Execute {
        text: Some(text.into()),
        arguments: vec![
            one.clone(),
            word.clone(),
            Datum::Null,
            typed("1970-01-01 00:00:00", "datetime"),
        ],
        opens_cursor: false,
    };
    assert_eq!(*kind, expected);
    let row: &[Datum] = &[
        one,
        word,
        Datum::Null,
        typed("1970-01-01 00:00:00.000000", "datetime"),
    ];
    assert_eq!(*results, [rows(&["a", "b", "c", "d"], &[row])]);
}

#[test]
fn mysql_sends_ok_after_an_out_parameter() {
    let replayed = replay(BASE, OUT_PARAMETER);
    let (_, results) = &replayed[1];
    let two: [&[Datum]; 2] = [&[Datum::number(6)], &[Datum::number(3)]];
    let expected = [
        rows(&["one"], &[&[Datum::number(5)]]),
        rows(&["two"], &two),
        rows(&["y"], &[&[Datum::number(10)]]),
        done(0, 0),
    ];
    assert_eq!(*results, expected);
}

#[test]
fn mariadb_leaves_definitions_out_and_numbers_the_rows_of_a_bulk() {
    let replayed = replay(OF_MARIADB, MARIADB);
    let [_, selected, _, bulk, altered] = replayed.as_slice() else {
        panic!("{replayed:?}");
    };
    let found: [&[Datum]; 2] = [
        &[Datum::number(1), Datum::text("q")],
        &[Datum::number(2), Datum::text("z")],
    ];
    assert_eq!(selected.1, [rows(&["id", "s"], &found)]);
    let [StatementResult::Rows(Answer { columns, .. })] = bulk.1.as_slice() else {
        panic!("{bulk:?}");
    };
    assert_eq!(*columns, ["Id", "Affected_rows"]);
    assert_eq!(altered.1, [done(300_000, 0)]);
}
