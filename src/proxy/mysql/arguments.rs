//! Arguments of prepared statements and attributes of queries.

use std::collections::BTreeMap;

use super::bytes::{Bytes, NotUnderstood};
use super::columns::{ValueType, types};
use super::values::{binary, is_set, kind};
use super::{capabilities::Capabilities, floats};
use crate::answer::{Datum, DatumKind};
use crate::proxy::shown::{MOST_BYTES, of_bytes};

/// In the flags of EXECUTE: there are attributes although the statement has no arguments.
const HAS_COUNT: u8 = 0x08;

/// The beginning of an argument that came in commands of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct LongArgument {
    start: Vec<u8>,
}

impl LongArgument {
    /// Appends a part. What would be cut anyway is not kept.
    pub(super) fn append(&mut self, part: &[u8]) {
        // One byte more than is shown: it says that the value was cut.
        let room = (MOST_BYTES + 1).saturating_sub(self.start.len());
        self.start.extend(part.iter().take(room));
    }
}

/// What a statement remembers from one execution to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Binding {
    /// How many arguments the statement has.
    pub(super) count: usize,
    /// The types that were sent last. Later executions may leave them out.
    pub(super) types: Vec<ValueType>,
    /// The arguments that were sent ahead of the execution.
    pub(super) long: BTreeMap<usize, LongArgument>,
}

/// Reads the arguments of EXECUTE. `bytes` begins after the count of iterations.
pub(super) fn of_execute(
    mut bytes: Bytes<'_>,
    flags: u8,
    agreed: Capabilities,
    binding: &mut Binding,
) -> Result<Vec<Datum>, NotUnderstood> {
    let has_attributes = agreed.has(Capabilities::QUERY_ATTRIBUTES);
    let sends_count = binding.count > 0 || flags & HAS_COUNT != 0;
    let count = if has_attributes && sends_count {
        as_count(bytes.length()?)
    } else {
        binding.count
    };
    if count == 0 {
        return Ok(Vec::new());
    }
    let nulls = bytes.take(count.div_ceil(8))?;
    if bytes.u8()? == 1 {
        binding.types = read_types(&mut bytes, count, has_attributes)?;
    }
    let mut arguments = Vec::new();
    for index in 0..count.min(binding.count) {
        let of = *binding.types.get(index).ok_or_else(types_unknown)?;
        arguments.push(if let Some(long) = binding.long.get(&index) {
            of_bytes(&long.start, kind(of))
        } else if is_set(nulls, index) {
            Datum::Null
        } else {
            argument(&mut bytes, of)?
        });
    }
    Ok(arguments)
}

/// Counts the rows of MariaDB's bulk execution. `bytes` begins after the statement's id.
pub(super) fn count_of_bulk(
    mut bytes: Bytes<'_>,
    binding: &mut Binding,
) -> Result<usize, NotUnderstood> {
    const SENDS_TYPES: u16 = 0x80;
    if bytes.u16()? & SENDS_TYPES != 0 {
        binding.types = read_types(&mut bytes, binding.count, false)?;
    }
    let mut rows = 0;
    while !bytes.is_empty() && binding.count > 0 {
        for index in 0..binding.count {
            let of = *binding.types.get(index).ok_or_else(types_unknown)?;
            // An indicator other than zero stands for a value: NULL, DEFAULT or none.
            if bytes.u8()? == 0 {
                argument(&mut bytes, of)?;
            }
        }
        rows += 1;
    }
    Ok(rows)
}

/// The text of a query, which follows its attributes.
pub(super) fn text_after_attributes(payload: &[u8]) -> Result<&[u8], NotUnderstood> {
    let mut bytes = Bytes::new(payload);
    let count = as_count(bytes.length()?);
    // The number of sets, which is always 1.
    bytes.length()?;
    if count > 0 {
        let nulls = bytes.take(count.div_ceil(8))?;
        // Types always follow: there is no earlier execution.
        bytes.u8()?;
        let types = read_types(&mut bytes, count, true)?;
        for (index, of) in types.iter().enumerate() {
            if !is_set(nulls, index) {
                argument(&mut bytes, *of)?;
            }
        }
    }
    Ok(bytes.rest())
}

fn read_types(
    bytes: &mut Bytes<'_>,
    count: usize,
    has_names: bool,
) -> Result<Vec<ValueType>, NotUnderstood> {
    const UNSIGNED: u8 = 0x80;
    /// The digits are not fixed: no column says how many there are.
    const NOT_FIXED: u8 = 31;
    let mut read = Vec::new();
    for _ in 0..count {
        let number = bytes.u8()?;
        let flags = bytes.u8()?;
        if has_names {
            bytes.sized()?;
        }
        read.push(ValueType {
            number,
            is_unsigned: flags & UNSIGNED != 0,
            is_binary: (types::TINY_BLOB..=types::BLOB).contains(&number),
            decimals: NOT_FIXED,
            zerofill: None,
        });
    }
    Ok(read)
}

fn argument(bytes: &mut Bytes<'_>, of: ValueType) -> Result<Datum, NotUnderstood> {
    if of.number == types::FLOAT {
        let value = f32::from_bits(bytes.u32()?);
        Ok(Datum::Value {
            text: floats::float_argument(value),
            kind: DatumKind::Number,
        })
    } else {
        binary(bytes, of)
    }
}

/// A count that is too large for this machine is too large for the packet as well.
fn as_count(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

fn types_unknown() -> NotUnderstood {
    NotUnderstood("the types of the arguments were never sent".to_owned())
}
