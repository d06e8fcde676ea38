//! The types of values, by the numbers that every PostgreSQL server has for its own ones.

use crate::answer::DatumKind;

pub(super) const BOOL: u32 = 16;
pub(super) const BYTEA: u32 = 17;
pub(super) const CHAR: u32 = 18;
pub(super) const NAME: u32 = 19;
pub(super) const INT8: u32 = 20;
pub(super) const INT2: u32 = 21;
pub(super) const INT4: u32 = 23;
pub(super) const TEXT: u32 = 25;
pub(super) const OID: u32 = 26;
pub(super) const JSON: u32 = 114;
pub(super) const XML: u32 = 142;
pub(super) const FLOAT4: u32 = 700;
pub(super) const FLOAT8: u32 = 701;
pub(super) const UNKNOWN: u32 = 705;
pub(super) const BPCHAR: u32 = 1042;
pub(super) const VARCHAR: u32 = 1043;
pub(super) const DATE: u32 = 1082;
pub(super) const TIME: u32 = 1083;
pub(super) const TIMESTAMP: u32 = 1114;
pub(super) const TIMESTAMPTZ: u32 = 1184;
pub(super) const INTERVAL: u32 = 1186;
pub(super) const TIMETZ: u32 = 1266;
pub(super) const NUMERIC: u32 = 1700;
pub(super) const UUID: u32 = 2950;
pub(super) const JSONB: u32 = 3802;

/// The types that this module can name: each with the type of its arrays.
const NAMED: [(u32, u32, &str, &str); 29] = [
    (BOOL, 1000, "bool", "bool[]"),
    (BYTEA, 1001, "bytea", "bytea[]"),
    (CHAR, 1002, "\"char\"", "\"char\"[]"),
    (NAME, 1003, "name", "name[]"),
    (INT8, 1016, "int8", "int8[]"),
    (INT2, 1005, "int2", "int2[]"),
    (INT4, 1007, "int4", "int4[]"),
    (TEXT, 1009, "text", "text[]"),
    (OID, 1028, "oid", "oid[]"),
    (JSON, 199, "json", "json[]"),
    (XML, 143, "xml", "xml[]"),
    (650, 651, "cidr", "cidr[]"),
    (FLOAT4, 1021, "float4", "float4[]"),
    (FLOAT8, 1022, "float8", "float8[]"),
    (790, 791, "money", "money[]"),
    (829, 1040, "macaddr", "macaddr[]"),
    (869, 1041, "inet", "inet[]"),
    (BPCHAR, 1014, "bpchar", "bpchar[]"),
    (VARCHAR, 1015, "varchar", "varchar[]"),
    (DATE, 1182, "date", "date[]"),
    (TIME, 1183, "time", "time[]"),
    (TIMESTAMP, 1115, "timestamp", "timestamp[]"),
    (TIMESTAMPTZ, 1185, "timestamptz", "timestamptz[]"),
    (INTERVAL, 1187, "interval", "interval[]"),
    (TIMETZ, 1270, "timetz", "timetz[]"),
    (1560, 1561, "bit", "bit[]"),
    (NUMERIC, 1231, "numeric", "numeric[]"),
    (UUID, 2951, "uuid", "uuid[]"),
    (JSONB, 3807, "jsonb", "jsonb[]"),
];

/// How a value of this type is written. One of a type that is not known is written as a text.
pub(super) fn kind(of: u32) -> DatumKind {
    match of {
        INT2 | INT4 | INT8 | OID | NUMERIC | FLOAT4 | FLOAT8 => DatumKind::Number,
        BOOL => DatumKind::Boolean,
        BYTEA => DatumKind::Bytes,
        CHAR | NAME | TEXT | BPCHAR | VARCHAR | UNKNOWN => DatumKind::Text,
        _ => {
            let name = NAMED.iter().find_map(|(one, array, name, of_array)| {
                let of_one = (*one == of).then_some(name);
                of_one.or_else(|| (*array == of).then_some(of_array))
            });
            name.map_or(DatumKind::Text, |it| DatumKind::Typed((*it).to_owned()))
        }
    }
}

/// Whether this is the type of arrays with elements of that type.
pub(super) fn is_array_of(of: u32, element: u32) -> bool {
    let named = NAMED.iter().find(|(_, array, ..)| *array == of);
    named.is_some_and(|(one, ..)| *one == element)
}
