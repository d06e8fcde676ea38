//! Conversations as real clients had them with PostgreSQL 15, after the authentication.

use super::building::*;
use crate::answer::Datum;
use crate::proxy::framing::Framing as _;
use crate::proxy::postgres::*;
use crate::proxy::test_support::bytes_of;

/// The bytes of both sides. Each side is a stream of its own: it does not matter when they came.
/// Errors are without the fields that are not read.
pub(super) struct Record {
    pub(super) client: &'static str,
    pub(super) server: &'static str,
}

/// All records.
pub(super) const RECORDS: [&Record; 11] = [
    &PSYCOPG,
    &PSYCOPG2,
    &ASYNCPG,
    &PG8000,
    &COPY_WITH_EARLY_SYNC,
    &COPY_OF_NOTHING,
    &COPY_BEFORE_A_TRIGGER,
    &COPY_OF_A_WRONG_ROW,
    &DEFERRED,
    &QUERY_IN_PLACE_OF_SYNC,
    &THREE_BEFORE_SYNC,
];

/// psycopg 3.3 in its pipeline mode: three statements before one Sync, the second of which fails.
/// Then all three succeed.
pub(super) const PSYCOPG: Record = Record {
    client: "500000002b00696e7365727420696e746f20612076616c7565732824312c24322900000200000015000000\
15420000001e00000002000100010002000000020001000000020002000100004400000006500045000000090000000000\
500000001f0073656c65637420312f2869642d6964292066726f6d2061000000420000000e000000000000000100004400\
000006500045000000090000000000500000001d0075706461746520612073657420763d24310000010000001542000000\
16000000010001000100000002000500010000440000000650004500000009000000000053000000044800000004500000\
002b00696e7365727420696e746f20612076616c7565732824312c2432290000020000001500000015420000001e000000\
0200010001000200000002000100000002000200010000440000000650004500000009000000000050000000200073656c\
6563742069642c763a3a746578742066726f6d2061000000420000000e0000000000000001000044000000065000450000\
00090000000000500000001d0075706461746520612073657420763d243100000100000015420000001600000001000100\
010000000200050001000044000000065000450000000900000000004800000004530000000448000000045800000004",
    server: "310000000432000000046e00000004430000000f494e534552542030203100310000000432000000045400\
00002100013f636f6c756d6e3f00000000000000000000170004ffffffff0000450000002c534552524f5200564552524f\
5200433232303132004d6469766973696f6e206279207a65726f00005a0000000549310000000432000000046e00000004\
430000000f494e53455254203020310031000000043200000004540000002f0002696400000040910001000000170004ff\
ffffff0000760000000000000000000019ffffffffffff00004400000010000200000001310000000132430000000d5345\
4c454354203100310000000432000000046e00000004430000000d5550444154452031005a0000000549",
};

/// psycopg2 2.9: a transaction of queries.
pub(super) const PSYCOPG2: Record = Record {
    client: "510000000a424547494e00510000002c75706461746520612073657420763d372077686572652069643d31\
2072657475726e696e67207600510000000b434f4d4d4954005800000004",
    server: "430000000a424547494e005a0000000554540000001a00017600000040910002000000170004ffffffff00\
00440000000b00010000000137430000000d5550444154452031005a0000000554430000000b434f4d4d4954005a000000\
0549",
};

/// asyncpg 0.32: a statement that is described once and executed twice, and a cursor.
pub(super) const ASYNCPG: Record = Record {
    client: "50000000355f5f6173796e6370675f73746d745f315f5f0073656c65637420762066726f6d206120776865\
72652069643d24310000004400000018535f5f6173796e6370675f73746d745f315f5f004800000004420000002a005f5f\
6173796e6370675f73746d745f315f5f000001000100010000000400000001000100014500000009000000000153000000\
04420000002a005f5f6173796e6370675f73746d745f315f5f000001000100010000000400000002000100014500000009\
00000000015300000004510000000b424547494e3b00500000003c5f5f6173796e6370675f73746d745f325f5f0073656c\
6563742067656e65726174655f73657269657328312c2431293a3a696e74340000004400000018535f5f6173796e637067\
5f73746d745f325f5f004800000004420000003e5f5f6173796e6370675f706f7274616c5f335f5f005f5f6173796e6370\
675f73746d745f325f5f000001000100010000000400000003000100015300000004450000001d5f5f6173796e6370675f\
706f7274616c5f335f5f00000000025300000004450000001d5f5f6173796e6370675f706f7274616c5f335f5f00000000\
025300000004510000000c434f4d4d49543b005800000004",
    server: "3100000004740000000a000100000017540000001a00017600000040910002000000170004ffffffff0000\
3200000004440000000e0001000000040000000773000000045a00000005493200000004430000000d53454c4543542030\
005a0000000549430000000a424547494e005a00000005543100000004740000000a000100000017540000002800016765\
6e65726174655f73657269657300000000000000000000170004ffffffff000032000000045a0000000554440000000e00\
010000000400000001440000000e0001000000040000000273000000045a0000000554440000000e000100000004000000\
03430000000d53454c4543542031005a0000000554430000000b434f4d4d4954005a0000000549",
};

/// pg8000 1.31: COPY.
pub(super) const PG8000: Record = Record {
    client: "500000001900636f707920612066726f6d20737464696e0000004800000004530000000444000000065300\
48000000045300000004420000000c00000000000000004800000004450000000900000000004800000004530000000464\
0000000e323009310a323109310a630000000453000000045800000004",
    server: "31000000045a0000000549740000000600006e000000045a00000005493200000004470000000b00000200\
000000430000000b434f50592032005a0000000549",
};

/// COPY in the order of tokio-postgres: Sync comes before the data and after them.
pub(super) const COPY_WITH_EARLY_SYNC: Record = Record {
    client: "500000001900636f707920612066726f6d20737464696e000000420000000c000000000000000045000000\
09000000000053000000046400000009333009310a630000000453000000045800000004",
    server: "31000000043200000004470000000b00000200000000430000000b434f50592031005a0000000549",
};

/// The same at once into a table that does not exist: both Syncs are answered.
pub(super) const COPY_OF_NOTHING: Record = Record {
    client: "500000001b00636f7079206e69782066726f6d20737464696e000000420000000c00000000000000004500\
000009000000000053000000046400000006310a630000000453000000045800000004",
    server: "310000000432000000044500000039534552524f5200564552524f5200433432503031004d72656c617469\
6f6e20226e69782220646f6573206e6f7420657869737400005a00000005495a0000000549",
};

/// The same into a table whose trigger refuses it after it has begun: both Syncs are answered.
pub(super) const COPY_BEFORE_A_TRIGGER: Record = Record {
    client: "500000001900636f707920732066726f6d20737464696e000000420000000c000000000000000045000000\
09000000000053000000046400000006310a630000000453000000045800000004",
    server: "31000000043200000004470000000900000100004500000020534552524f5200564552524f520043503030\
3031004d626f6f6d00005a00000005495a0000000549",
};

/// The same with a row that is refused: one Sync is answered.
pub(super) const COPY_OF_A_WRONG_ROW: Record = Record {
    client: "500000001900636f707920612066726f6d20737464696e000000420000000c000000000000000045000000\
09000000000053000000046400000006780a630000000453000000045800000004",
    server: "31000000043200000004470000000b000002000000004500000046534552524f5200564552524f52004332\
32503032004d696e76616c696420696e7075742073796e74617820666f72207479706520696e74656765723a2022782200\
005a0000000549",
};

/// A constraint is violated by Sync: once with the execution, once alone.
pub(super) const DEFERRED: Record = Record {
    client: "500000002100696e7365727420696e746f20662076616c75657328312c3929000000420000000c00000000\
00000000450000000900000000005300000004500000002100696e7365727420696e746f20662076616c75657328312c39\
29000000420000000c000000000000000045000000090000000000480000000453000000045800000004",
    server: "31000000043200000004430000000f494e5345525420302031004500000090534552524f5200564552524f\
5200433233353033004d696e73657274206f7220757064617465206f6e207461626c65202266222076696f6c6174657320\
666f726569676e206b657920636f6e73747261696e742022665f75705f666b65792200444b657920287570293d28392920\
6973206e6f742070726573656e7420696e207461626c65202266222e00005a000000054931000000043200000004430000\
000f494e5345525420302031004500000090534552524f5200564552524f5200433233353033004d696e73657274206f72\
20757064617465206f6e207461626c65202266222076696f6c6174657320666f726569676e206b657920636f6e73747261\
696e742022665f75705f666b65792200444b657920287570293d283929206973206e6f742070726573656e7420696e2074\
61626c65202266222e00005a0000000549",
};

/// A query ends what was executed before it. After an error it is skipped.
pub(super) const QUERY_IN_PLACE_OF_SYNC: Record = Record {
    client: "500000002200696e7365727420696e746f20612076616c7565732834302c3129000000420000000c000000\
000000000045000000090000000000510000000d73656c656374203200500000002200696e7365727420696e746f206120\
76616c7565732834302c3129000000420000000c000000000000000045000000090000000000510000000d73656c656374\
20330053000000045800000004",
    server: "31000000043200000004430000000f494e534552542030203100540000002100013f636f6c756d6e3f0000\
0000000000000000170004ffffffff0000440000000b00010000000132430000000d53454c4543542031005a0000000549\
310000000432000000044500000072534552524f5200564552524f5200433233353035004d6475706c6963617465206b65\
792076616c75652076696f6c6174657320756e6971756520636f6e73747261696e742022615f706b65792200444b657920\
286964293d2834302920616c7265616479206578697374732e00005a0000000549",
};

/// Three statements that another statement follows, all at once.
pub(super) const THREE_BEFORE_SYNC: Record = Record {
    client: "50000000100073656c6563742031000000420000000c000000000000000044000000065000450000000900\
00000000500000000d00626567696e000000420000000c0000000000000000450000000900000000005000000012007365\
6c65637420277827000000420000000c000000000000000044000000065000450000000900000000005300000004510000\
0015636f6d6d69743b2073656c6563742035005800000004",
    server: "31000000043200000004540000002100013f636f6c756d6e3f00000000000000000000170004ffffffff00\
00440000000b00010000000131430000000d53454c45435420310031000000043200000004430000000a424547494e0031\
000000043200000004540000002100013f636f6c756d6e3f0000000000000000000019ffffffffffff0000440000000b00\
010000000178430000000d53454c4543542031005a0000000554430000000b434f4d4d495400540000002100013f636f6c\
756d6e3f00000000000000000000170004ffffffff0000440000000b00010000000135430000000d53454c454354203100\
5a0000000549",
};

/// A stream that comes in chunks of this size.
struct Stream {
    bytes: Vec<u8>,
    size: usize,
    reader: MessageReader,
}

impl Stream {
    fn new(digits: &str, size: usize) -> Self {
        Self {
            bytes: bytes_of(digits),
            size,
            reader: MessageReader::default(),
        }
    }

    fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.reader.next_packet() {
                return Some(message);
            }
            if self.bytes.is_empty() {
                assert!(self.reader.take_rest().is_empty());
                return None;
            }
            let size = self.size.min(self.bytes.len());
            let chunk = self.bytes.drain(..size).collect::<Vec<_>>();
            self.reader.fill(&chunk);
        }
    }
}

/// What each unit of a record does, and its results. Both streams are read to their ends.
fn replay(record: &Record, size: usize) -> Vec<(What, Vec<StatementResult>)> {
    let mut conversation = begin();
    let mut client = Stream::new(record.client, size);
    let mut server = Stream::new(record.server, size);
    let mut replayed = Vec::new();
    while let Some(message) = client.next() {
        conversation.client(message);
        while let Some(unit) = conversation.next_unit() {
            let mut results = Vec::new();
            let mut goes_on = unit.awaits_answer;
            while goes_on {
                let message = server.next().unwrap();
                match conversation.answer(&message) {
                    Progress::GoesOn | Progress::Unasked => {}
                    Progress::Done(outcome) => {
                        results = outcome.results;
                        goes_on = false;
                    }
                    Progress::AwaitsClient => {
                        while !conversation.client_data(client.next().unwrap()).is_last {}
                    }
                    Progress::NotUnderstood(why) => panic!("{why} after {message:x?}"),
                }
            }
            replayed.push((unit.what, results));
        }
    }
    while let Some(message) = server.next() {
        assert_eq!(conversation.answer(&message), Progress::Unasked);
    }
    replayed
}

#[test]
fn all_records_end_with_the_connection() {
    for record in RECORDS {
        let replayed = replay(record, usize::MAX);
        assert_eq!(replayed.last(), Some(&(What::Terminate, vec![])));
    }
}

#[test]
fn it_does_not_matter_how_a_stream_is_cut() {
    for record in RECORDS {
        let whole = replay(record, usize::MAX);
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(replay(record, size), whole, "chunks of {size}");
        }
    }
}
/// What the units of a record run, and whether that was refused: with which code.
fn outcomes(record: &Record) -> Vec<(String, Vec<Result<u64, String>>)> {
    let replayed = replay(record, usize::MAX).into_iter();
    let outcomes = replayed.map(|(what, results)| {
        let what = match what {
            What::Query { text } => text,
            What::Execute { text, .. } => text.unwrap(),
            other => format!("{other:?}"),
        };
        let results = results.into_iter().map(|result| match result {
            StatementResult::Done { affected_rows } => Ok(affected_rows),
            StatementResult::Rows(answer) => Ok(answer.row_count),
            StatementResult::Refused(error) => Err(error.code),
        });
        (what, results.collect())
    });
    outcomes.collect()
}

fn check(record: &Record, expected: &[(&str, &[Result<u64, &str>])]) {
    let expected = expected.iter().map(|(what, results)| {
        let results = results.iter().map(|it| it.map_err(str::to_owned));
        ((*what).to_owned(), results.collect())
    });
    assert_eq!(outcomes(record), expected.collect::<Vec<_>>());
}

#[test]
fn psycopg_ends_a_pipeline_with_one_sync() {
    check(
        &PSYCOPG,
        &[
            ("insert into a values($1,$2)", &[Ok(1)]),
            ("select 1/(id-id) from a", &[Err("22012")]),
            // The update of the first pipeline never ran. Each Sync comes alone.
            ("Passes", &[]),
            ("Passes", &[]),
            ("insert into a values($1,$2)", &[Ok(1)]),
            ("select id,v::text from a", &[Ok(1)]),
            ("update a set v=$1", &[Ok(1)]),
            ("Commit", &[]),
            ("Passes", &[]),
            ("Terminate", &[]),
        ],
    );
    let replayed = replay(&PSYCOPG, usize::MAX);
    let arguments = [Datum::number(1), Datum::number(2)];
    let inserted = executes_with("insert into a values($1,$2)", &arguments);
    assert_eq!(replayed[0], (inserted, vec![done(1)]));
    let row: &[Datum] = &[Datum::number(1), Datum::text("2")];
    assert_eq!(replayed[5].1, [rows(&["id", "v"], &[row])]);
}

#[test]
fn psycopg2_sends_queries() {
    check(
        &PSYCOPG2,
        &[
            ("BEGIN", &[Ok(0)]),
            ("update a set v=7 where id=1 returning v", &[Ok(1)]),
            ("COMMIT", &[Ok(0)]),
            ("Terminate", &[]),
        ],
    );
}

#[test]
fn asyncpg_describes_a_statement_once() {
    let replayed = replay(&ASYNCPG, usize::MAX);
    let text = "select v from a where id=$1";
    let results = [
        (1, rows(&["v"], &[&[Datum::number(7)]])),
        (2, rows(&["v"], &[])),
    ];
    for (at, (id, result)) in results.into_iter().enumerate() {
        let executed = executes_with(text, &[Datum::number(id)]);
        assert_eq!(replayed[at + 1], (executed, vec![result]));
    }
    let text = "select generate_series(1,$1)::int4";
    let [.., first, second, _, _] = replayed.as_slice() else {
        panic!("{replayed:?}");
    };
    let two: [&[Datum]; 2] = [&[Datum::number(1)], &[Datum::number(2)]];
    let executed = executes_with(text, &[Datum::number(3)]);
    let column = ["generate_series"];
    assert_eq!(*first, (executed.clone(), vec![rows(&column, &two)]));
    let three = rows(&column, &[&[Datum::number(3)]]);
    assert_eq!(*second, (executed, vec![three]));
}

#[test]
fn pg8000_flushes_after_each_message() {
    let outcomes = outcomes(&PG8000);
    let ran = outcomes.iter().filter(|(what, _)| what != "Passes");
    let expected = [
        ("copy a from stdin".to_owned(), vec![Ok(2)]),
        ("Terminate".to_owned(), vec![]),
    ];
    assert_eq!(ran.cloned().collect::<Vec<_>>(), expected);
}

#[test]
fn a_copy_with_an_early_sync_ends_with_one_state() {
    let end: (&str, &[Result<u64, &str>]) = ("Terminate", &[]);
    check(
        &COPY_WITH_EARLY_SYNC,
        &[("copy a from stdin", &[Ok(1)]), end],
    );
    check(
        &COPY_OF_A_WRONG_ROW,
        &[("copy a from stdin", &[Err("22P02")]), end],
    );
    check(
        &COPY_BEFORE_A_TRIGGER,
        &[("copy s from stdin", &[Err("P0001")]), end],
    );
    check(
        &COPY_OF_NOTHING,
        &[
            ("copy nix from stdin", &[Err("42P01")]),
            // The data, their end, and the other Sync.
            ("Passes", &[]),
            ("Passes", &[]),
            ("Passes", &[]),
            end,
        ],
    );
}

#[test]
fn a_deferred_constraint_refuses_sync() {
    check(
        &DEFERRED,
        &[
            ("insert into f values(1,9)", &[Ok(1), Err("23503")]),
            ("insert into f values(1,9)", &[Ok(1)]),
            ("Commit", &[Err("23503")]),
            ("Terminate", &[]),
        ],
    );
}

#[test]
fn a_query_in_place_of_sync_is_skipped_after_an_error() {
    check(
        &QUERY_IN_PLACE_OF_SYNC,
        &[
            ("insert into a values(40,1)", &[Ok(1)]),
            ("select 2", &[Ok(1)]),
            ("insert into a values(40,1)", &[Err("23505")]),
            ("Passes", &[]),
            ("Passes", &[]),
            ("Terminate", &[]),
        ],
    );
}

#[test]
fn statements_that_come_at_once_are_answered_one_by_one() {
    check(
        &THREE_BEFORE_SYNC,
        &[
            ("select 1", &[Ok(1)]),
            ("begin", &[Ok(0)]),
            ("select 'x'", &[Ok(1)]),
            ("commit; select 5", &[Ok(0), Ok(1)]),
            ("Terminate", &[]),
        ],
    );
}
