//! Dates and times of the binary protocol.

use super::bytes::{Bytes, NotUnderstood};

/// A DATE. All that was left out is zero.
pub(super) fn date(bytes: &mut Bytes<'_>) -> Result<String, NotUnderstood> {
    let mut fields = Bytes::new(bytes.sized()?);
    date_of(&mut fields)
}

/// A DATETIME or TIMESTAMP with this number of digits of the second's fraction.
pub(super) fn datetime(bytes: &mut Bytes<'_>, decimals: u8) -> Result<String, NotUnderstood> {
    let mut fields = Bytes::new(bytes.sized()?);
    let date = date_of(&mut fields)?;
    let (hour, minute, second) = clock(&mut fields)?;
    let fraction = fraction(&mut fields, decimals)?;
    Ok(format!(
        "{date} {hour:02}:{minute:02}:{second:02}{fraction}"
    ))
}

/// A TIME, which may be negative and longer than a day.
pub(super) fn time(bytes: &mut Bytes<'_>, decimals: u8) -> Result<String, NotUnderstood> {
    let mut fields = Bytes::new(bytes.sized()?);
    let (sign, days) = if fields.is_empty() {
        ("", 0)
    } else {
        let sign = if fields.u8()? == 0 { "" } else { "-" };
        (sign, fields.u32()?)
    };
    let (hour, minute, second) = clock(&mut fields)?;
    let fraction = fraction(&mut fields, decimals)?;
    let hours = u64::from(days) * 24 + u64::from(hour);
    Ok(format!(
        "{sign}{hours:02}:{minute:02}:{second:02}{fraction}"
    ))
}

fn date_of(fields: &mut Bytes<'_>) -> Result<String, NotUnderstood> {
    let (year, month, day) = if fields.is_empty() {
        (0, 0, 0)
    } else {
        (fields.u16()?, fields.u8()?, fields.u8()?)
    };
    Ok(format!("{year:04}-{month:02}-{day:02}"))
}

fn clock(fields: &mut Bytes<'_>) -> Result<(u8, u8, u8), NotUnderstood> {
    if fields.is_empty() {
        Ok((0, 0, 0))
    } else {
        Ok((fields.u8()?, fields.u8()?, fields.u8()?))
    }
}

/// The fraction of a second with its point. It is left out if it is zero and its digits are not
/// fixed.
fn fraction(fields: &mut Bytes<'_>, decimals: u8) -> Result<String, NotUnderstood> {
    /// The digits of a microsecond.
    const MOST_DIGITS: usize = 6;
    let micros = if fields.is_empty() { 0 } else { fields.u32()? };
    let digits = format!("{micros:06}");
    let decimals = usize::from(decimals);
    let shown = match decimals {
        0 => 0,
        1..=MOST_DIGITS => decimals,
        _ if micros == 0 => 0,
        _ => MOST_DIGITS,
    };
    Ok(match digits.get(..shown) {
        None | Some("") => String::new(),
        Some(digits) => format!(".{digits}"),
    })
}
