//! Numbers of the binary format, as PostgreSQL prints them.

use super::bytes::{Bytes, NotUnderstood};
use crate::proxy::shown::MOST_BYTES;

/// A `float8`: the shortest text that is the same number.
pub(super) fn float8(value: f64) -> String {
    printed(&format!("{value:e}"), 15)
}

/// A `float4`: the shortest text that is the same number.
pub(super) fn float4(value: f32) -> String {
    printed(&format!("{value:e}"), 6)
}

/// Turns `1.25e2` into `125`. A number with `most` digits before its point, or more, keeps its
/// exponent, and so does a very small one.
fn printed(scientific: &str, most: i32) -> String {
    const LEAST: i32 = -4;
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific.replace("inf", "Infinity");
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(positive) => ("-", positive),
        None => ("", mantissa),
    };
    let exponent = exponent.parse::<i32>().unwrap_or_default();
    let digits = mantissa.replace('.', "");
    if !(LEAST..most).contains(&exponent) {
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{mantissa}e{direction}{:02}", exponent.abs());
    }
    match usize::try_from(exponent) {
        Err(_) => {
            let zeros = usize::try_from(-exponent - 1).unwrap_or_default();
            format!("{sign}0.{}{digits}", "0".repeat(zeros))
        }
        Ok(exponent) => match digits.split_at_checked(exponent + 1) {
            Some((whole, "")) => format!("{sign}{whole}"),
            Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
            None => format!("{sign}{digits:0<width$}", width = exponent + 1),
        },
    }
}

/// A `numeric`, which is written in groups of four digits. A very long one is read in part.
pub(super) fn numeric(bytes: &mut Bytes<'_>) -> Result<String, NotUnderstood> {
    let count = bytes.u16()?;
    // The place of the first group: 0 is that before the point.
    let weight = i32::from(bytes.i16()?);
    let sign = match bytes.u16()? {
        0x0000 => "",
        0x4000 => "-",
        0xC000 => return special(bytes, "NaN"),
        0xD000 => return special(bytes, "Infinity"),
        0xF000 => return special(bytes, "-Infinity"),
        other => {
            let complaint = format!("a number has no sign 0x{other:04X}");
            return Err(NotUnderstood(complaint));
        }
    };
    let scale = usize::from(bytes.u16()?);
    let groups = (0..count)
        .map(|_| bytes.u16())
        .collect::<Result<Vec<_>, _>>()?;
    let group_at = |place: i32| {
        let index = usize::try_from(weight - place).ok();
        index
            .and_then(|it| groups.get(it))
            .copied()
            .unwrap_or_default()
    };
    let mut text = sign.to_owned();
    if weight < 0 {
        text.push('0');
    }
    for place in (0..=weight).rev() {
        let group = group_at(place);
        if place == weight {
            text.push_str(&group.to_string());
        } else if text.len() <= MOST_BYTES {
            text.push_str(&format!("{group:04}"));
        }
    }
    if scale > 0 && text.len() <= MOST_BYTES {
        text.push('.');
        // One more than is shown, so that what is cut can be seen.
        let shown = scale.min(MOST_BYTES + 1);
        let places = (1..).map(|place| format!("{:04}", group_at(-place)));
        let mut fraction = places.take(shown.div_ceil(4)).collect::<String>();
        fraction.truncate(shown);
        text.push_str(&fraction);
    }
    Ok(text)
}

/// A number that has no digits.
fn special(bytes: &mut Bytes<'_>, text: &str) -> Result<String, NotUnderstood> {
    // The scale.
    bytes.u16()?;
    Ok(text.to_owned())
}
