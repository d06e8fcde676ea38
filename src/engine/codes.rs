//! The engines' own codes, class by class, and the kind of fault that each means.
//!
//! A code in no list is [`FaultKind::Other`]: one of our statements is wrong, or something happened
//! that none of them should meet.

use super::FaultKind;

/// MySQL and MariaDB: a commit that is answered with one of these may have been kept nevertheless,
/// because the server broke off while it committed. Error during commit (1180), query interrupted
/// (1317), statement timeout (1969).
pub(super) const COMMIT_IN_DOUBT: [&str; 3] = ["1180", "1317", "1969"];

/// Whether this code means that the engine has ended the connection. The engine need not be known:
/// no code of one engine looks like one of another's here.
pub(super) fn is_cut_off(code: &str) -> bool {
    // PostgreSQL: connection exceptions; the end of the connection, the server or the database; a
    // transaction timeout; a statement of which it does not know itself whether it was done.
    let postgres = ["08", "57P", "25P04", "40003"];
    // MySQL and MariaDB: shutting down, network trouble as the server saw it, connection killed or
    // idle.
    let mysql = code.parse().is_ok_and(is_the_end_of_a_mysql_connection);
    mysql
        || postgres
            .iter()
            .any(|class| code.starts_with(class) && code.len() == 5)
}

fn is_the_end_of_a_mysql_connection(number: u16) -> bool {
    matches!(
        number,
        1053 | 1077 | 1079 | 1080 | 1152..=1161 | 1184 | 1927 | 4031
    )
}

/// Whether an engine says with this code that it does not understand a statement, or does not have
/// what it calls. The engine need not be known, as above.
pub(super) fn is_of_another_dialect(code: &str, message: &str) -> bool {
    match code {
        // PostgreSQL: syntax, feature, function, operator or type that it does not have
        "42601" | "0A000" | "42883" | "42704" => true,
        // MySQL and MariaDB: syntax (1064, 1149), setting (1193), feature (1235), function or
        // procedure (1305, 1630), name of a program's variable (1327)
        "1064" | "1149" | "1193" | "1235" | "1305" | "1327" | "1630" => true,
        // SQLite has one code for all mistakes.
        "1" => [
            "syntax error",
            "no such function",
            "unrecognized token",
            "incomplete input",
        ]
        .iter()
        .any(|words| message.contains(words)),
        _ => false,
    }
}

/// MySQL's and MariaDB's error numbers. The number and not the SQLSTATE decides: 1020 comes with
/// the state HY000, which says nothing.
/// See <https://dev.mysql.com/doc/mysql-errors/9.0/en/server-error-reference.html> and
/// <https://mariadb.com/kb/en/mariadb-error-code-reference/>.
pub(super) fn of_mysql(number: u16, message: &str) -> FaultKind {
    match number {
        // of rows or table metadata (1213), of named locks (3058)
        1213 | 3058 => FaultKind::Deadlock,
        // in vain (1205), at once because of NOWAIT (3572), given up for a lock that comes first
        // (1689)
        1205 | 1689 | 3572 => FaultKind::LockTimeout,
        1020 => FaultKind::SnapshotConflict,
        // Group Replication: the members' transactions do not fit together.
        3101 => FaultKind::SerializationFailure,
        1062 => FaultKind::UniqueViolation,
        // a row without its parent (1452), a parent that is still referred to (1451)
        1451 | 1452 => FaultKind::ForeignKeyViolation,
        // MySQL (3819), MariaDB (4025)
        3819 | 4025 => FaultKind::CheckViolation,
        // NULL (1048), left out and without a default (1364)
        1048 | 1364 => FaultKind::NotNullViolation,
        _ if is_the_end_of_a_mysql_connection(number) => FaultKind::Unavailable,
        // no handshake (1042, 1043), no part of a Galera cluster (1047), offline (3032), a plugin's
        // hook failed, such as Group Replication's (3100), not available (3168)
        1042 | 1043 | 1047 | 3032 | 3100 | 3168 => FaultKind::Unavailable,
        // connections: of the server (1040), of the user (1203, 1226); threads (1135)
        1040 | 1135 | 1203 | 1226 => FaultKind::LimitReached,
        // memory (1037, 1038, 1041), locks (1206), prepared statements (1461), transactions (1637),
        // a limit's name in the message (3170)
        1037 | 1038 | 1041 | 1206 | 1461 | 1637 | 3170 => FaultKind::LimitReached,
        // killed (1317), for longer than allowed on MariaDB (1969) and MySQL (3024)
        1317 | 1969 | 3024 => FaultKind::Interrupted,
        // table (1036), server (1290, 1836), transaction (1792), InnoDB (1874), schema (3989)
        1036 | 1290 | 1792 | 1836 | 1874 | 3989 => FaultKind::ReadOnly,
        // not let in: wrong user or password, blocked host, locked account, expired password, TLS
        // wanted
        1044 | 1045 | 1129 | 1130 | 1251 | 1698 | 1820 | 1862 | 3118 | 3159 | 3955 | 4151 => {
            FaultKind::NotAllowed
        }
        // no right to it: processes, tables, columns, routines, definers
        1095 | 1141..=1143 | 1227 | 1370 | 1410 | 1419 | 1449 => FaultKind::NotAllowed,
        // disk (20, 1021), table or tablespace (1114), temporary file (1878)
        20 | 1021 | 1114 | 1878 => FaultKind::DatabaseFull,
        // cannot write: why is in the message alone, as the operating system's number
        3 | 1026 | 1030 if says_no_room(message) => FaultKind::DatabaseFull,
        // files that cannot be made, opened, found, read or written
        1..=3 | 1016 | 1017 | 1023 | 1024 | 1026 | 1030 | 1812 | 1814 => FaultKind::DatabaseStorage,
        // files that are damaged
        1033..=1035 | 1194 | 1195 | 1712 | 1815 => FaultKind::DatabaseStorage,
        // no database (1046, 1049), table (1051, 1109, 1146, 1932), column (1054) or routine (1305)
        1046 | 1049 | 1051 | 1054 | 1109 | 1146 | 1305 | 1932 => FaultKind::SchemaMissing,
        // forgotten (1243), to be prepared again (1615), table changed after the snapshot (1412)
        1243 | 1412 | 1615 => FaultKind::StatementLost,
        1264 | 1690 => FaultKind::OutOfRange,
        _ => FaultKind::Other,
    }
}

/// Whether the message names `ENOSPC` or `EDQUOT`, by their numbers on Linux or macOS.
fn says_no_room(message: &str) -> bool {
    let numbers = [28, 69, 122];
    let spelled = |number| {
        let ways = [
            format!("rrno: {number} "),
            format!("rrno {number} "),
            format!("error {number} "),
        ];
        ways.iter().any(|way| message.contains(way.as_str()))
    };
    numbers.into_iter().any(spelled)
}

/// PostgreSQL's SQLSTATEs; the first two characters are the class.
/// See <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(super) fn of_postgres(state: &str, message: &str) -> FaultKind {
    match state {
        "40000" | "40001" | "40002" => FaultKind::SerializationFailure,
        "40P01" => FaultKind::Deadlock,
        "25P02" => FaultKind::TransactionAborted,
        "55P03" => FaultKind::LockTimeout,
        "23505" => FaultKind::UniqueViolation,
        "23503" | "23001" => FaultKind::ForeignKeyViolation,
        "23514" => FaultKind::CheckViolation,
        "23502" => FaultKind::NotNullViolation,
        "23P01" => FaultKind::ExclusionViolation,
        // by an administrator or a statement timeout
        "57014" => FaultKind::Interrupted,
        // idle in a transaction for too long
        "25P03" => FaultKind::Unavailable,
        _ if is_cut_off(state) => FaultKind::Unavailable,
        "53100" => FaultKind::DatabaseFull,
        // connections, memory, configured limits
        _ if state.starts_with("53") => FaultKind::LimitReached,
        "25006" => FaultKind::ReadOnly,
        // not let in (28), no right (42501), no such role (0P000), not granted (0L)
        "42501" | "0P000" | "0LP01" => FaultKind::NotAllowed,
        _ if state.starts_with("28") => FaultKind::NotAllowed,
        // input and output, missing or doubled files, damaged data and indexes
        "58030" | "58P01" | "58P02" | "XX001" | "XX002" => FaultKind::DatabaseStorage,
        // no database, schema, table, column, function, object
        "3D000" | "3F000" | "42P01" | "42703" | "42704" | "42883" => FaultKind::SchemaMissing,
        // unknown, or taken already, because a pooler has exchanged the connection
        "26000" | "42P05" => FaultKind::StatementLost,
        // The state means many things that are not supported. Only this one concerns us.
        "0A000" if message.contains("cached plan") => FaultKind::StatementLost,
        "22003" => FaultKind::OutOfRange,
        _ => FaultKind::Other,
    }
}

/// SQLite's result codes: the low byte is the primary code, the rest narrows it down.
/// See <https://www.sqlite.org/rescode.html>.
pub(super) fn of_sqlite(code: Option<&str>, message: &str) -> FaultKind {
    const ERROR: u32 = 1;
    const PERMISSION: u32 = 3;
    const BUSY: u32 = 5;
    const BUSY_SNAPSHOT: u32 = 517;
    const LOCKED: u32 = 6;
    const NO_MEMORY: u32 = 7;
    const READ_ONLY: u32 = 8;
    const INTERRUPT: u32 = 9;
    const IO_ERROR: u32 = 10;
    const IO_NO_MEMORY: u32 = 3082;
    const CORRUPT: u32 = 11;
    const FULL: u32 = 13;
    const CANNOT_OPEN: u32 = 14;
    const PROTOCOL: u32 = 15;
    const SCHEMA: u32 = 17;
    const NO_LARGE_FILES: u32 = 22;
    const AUTHORIZATION: u32 = 23;
    const NO_DATABASE: u32 = 26;
    const PRIMARY_KEY_TAKEN: u32 = 1555;
    const UNIQUE_TAKEN: u32 = 2067;
    const NO_SUCH_PARENT: u32 = 787;
    const CHECK: u32 = 275;
    const NOT_NULL: u32 = 1299;

    let Some(code) = code.and_then(|code| code.parse::<u32>().ok()) else {
        return FaultKind::Other;
    };
    match (code, code & 0xff) {
        (BUSY_SNAPSHOT, _) => FaultKind::SnapshotConflict,
        (PRIMARY_KEY_TAKEN | UNIQUE_TAKEN, _) => FaultKind::UniqueViolation,
        (NO_SUCH_PARENT, _) => FaultKind::ForeignKeyViolation,
        (CHECK, _) => FaultKind::CheckViolation,
        (NOT_NULL, _) => FaultKind::NotNullViolation,
        (IO_NO_MEMORY, _) | (_, NO_MEMORY) => FaultKind::LimitReached,
        // A race for the locks of the write-ahead log counts as busy.
        (_, BUSY | LOCKED | PROTOCOL) => FaultKind::Busy,
        (_, CANNOT_OPEN) => FaultKind::Unavailable,
        (_, READ_ONLY) => FaultKind::ReadOnly,
        (_, PERMISSION | AUTHORIZATION) => FaultKind::NotAllowed,
        (_, INTERRUPT) => FaultKind::Interrupted,
        (_, FULL | NO_LARGE_FILES) => FaultKind::DatabaseFull,
        (_, IO_ERROR | CORRUPT | NO_DATABASE) => FaultKind::DatabaseStorage,
        (_, SCHEMA) => FaultKind::StatementLost,
        // One code for every wrong statement: the message alone tells which.
        (ERROR, _) if message.starts_with("no such ") || message.contains("has no column") => {
            FaultKind::SchemaMissing
        }
        (ERROR, _) if message.contains("integer overflow") => FaultKind::OutOfRange,
        _ => FaultKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::FaultKind::*;
    use super::*;

    /// Each class of MySQL's and MariaDB's numbers.
    const MYSQL: [(&[u16], FaultKind); 17] = [
        (&[1213, 3058], Deadlock),
        (&[1205, 3572, 1689], LockTimeout),
        (&[1020], SnapshotConflict),
        (&[3101], SerializationFailure),
        (&[1062], UniqueViolation),
        (&[1451, 1452], ForeignKeyViolation),
        (&[3819, 4025], CheckViolation),
        (&[1048, 1364], NotNullViolation),
        (&[1047, 1053, 1158, 1927, 3032, 3100, 4031], Unavailable),
        (&[1040, 1203, 1226, 1041, 1461, 1637, 1206], LimitReached),
        (&[1317, 3024, 1969], Interrupted),
        (&[1290, 1792, 1836, 1036, 3989], ReadOnly),
        (
            &[1044, 1045, 1129, 1142, 1143, 1227, 1370, 1419, 3118],
            NotAllowed,
        ),
        (&[1021, 1114, 1878], DatabaseFull),
        (&[1016, 1030, 1034, 1194], DatabaseStorage),
        (&[1146, 1054, 1049, 1305], SchemaMissing),
        (&[1243, 1615, 1412], StatementLost),
    ];

    #[test]
    fn mysql_goes_by_the_number() {
        for (numbers, kind) in MYSQL {
            for number in numbers {
                assert_eq!(of_mysql(*number, ""), kind, "{number}");
            }
        }
        // A syntax error, and an implicit commit where none may be, are our own mistakes.
        for ours in [1064, 1422, 1406] {
            assert_eq!(of_mysql(ours, ""), Other, "{ours}");
        }
        assert_eq!(of_mysql(1264, ""), OutOfRange);
    }

    #[test]
    fn mysql_says_in_words_alone_that_it_cannot_write_for_lack_of_room() {
        for message in [
            "Got error 28 - 'No space left on device' from storage engine",
            "Error writing file '/tmp/MYfd=25' (OS errno 28 - No space left on device)",
            "Error writing file './x' (Errcode: 28 \"No space left on device\")",
        ] {
            let message = message.replace("Errcode", "errno");
            assert_eq!(of_mysql(1030, &message), DatabaseFull, "{message}");
        }
        let other = "Got error 5 - 'Input/output error' from storage engine";
        assert_eq!(of_mysql(1030, other), DatabaseStorage);
    }

    #[test]
    fn postgres_goes_by_the_sqlstate() {
        for (states, kind) in [
            (&["40001"][..], SerializationFailure),
            (&["40P01"], Deadlock),
            (&["55P03"], LockTimeout),
            (&["23505"], UniqueViolation),
            (&["23503"], ForeignKeyViolation),
            (&["23514"], CheckViolation),
            (&["23502"], NotNullViolation),
            (&["23P01"], ExclusionViolation),
            (&["25P02"], TransactionAborted),
            (
                &["08006", "25P03", "25P04", "57P01", "57P03", "57P05"],
                Unavailable,
            ),
            (&["53000", "53200", "53300", "53400"], LimitReached),
            (&["57014"], Interrupted),
            (&["25006"], ReadOnly),
            (&["28000", "28P01", "42501", "0P000"], NotAllowed),
            (&["53100"], DatabaseFull),
            (&["58030", "XX001"], DatabaseStorage),
            (&["3D000", "42P01", "42703"], SchemaMissing),
            (&["26000", "42P05"], StatementLost),
            (&["22003"], OutOfRange),
            (&["42601", "0A000", "XX000"], Other),
        ] {
            for state in states {
                assert_eq!(of_postgres(state, ""), kind, "{state}");
            }
        }
        let plan = "cached plan must not change result type";
        assert_eq!(of_postgres("0A000", plan), StatementLost);
    }

    #[test]
    fn sqlite_goes_by_the_code_and_for_the_one_of_all_mistakes_by_its_words() {
        for (codes, kind) in [
            (&["5", "261", "6", "15"][..], Busy),
            (&["517"], SnapshotConflict),
            (&["1555", "2067"], UniqueViolation),
            (&["787"], ForeignKeyViolation),
            (&["275"], CheckViolation),
            (&["1299"], NotNullViolation),
            (&["14"], Unavailable),
            (&["7", "3082"], LimitReached),
            (&["8", "264", "776", "1032"], ReadOnly),
            (&["3", "23"], NotAllowed),
            (&["9"], Interrupted),
            (&["13"], DatabaseFull),
            (&["10", "778", "11", "26"], DatabaseStorage),
            (&["17"], StatementLost),
            (&["1", "19", "21"], Other),
        ] {
            for code in codes {
                assert_eq!(of_sqlite(Some(code), ""), kind, "{code}");
            }
        }
        assert_eq!(of_sqlite(None, ""), Other);
        let of_one = |message| of_sqlite(Some("1"), message);
        assert_eq!(of_one("no such table: things"), SchemaMissing);
        assert_eq!(of_one("table things has no column named x"), SchemaMissing);
        assert_eq!(of_one("integer overflow"), OutOfRange);
        assert_eq!(of_one("near \"SELEC\": syntax error"), Other);
    }
}
