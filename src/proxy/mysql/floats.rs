//! Floating point numbers as the servers print them.

/// From this number on the digits after the point are not fixed.
const NOT_FIXED: u8 = 31;

/// The digits of a FLOAT that a server prints.
const FLOAT_DIGITS: usize = 6;

/// A DOUBLE as the server's text protocol has it.
pub(super) fn double(value: f64, decimals: u8) -> String {
    if decimals < NOT_FIXED {
        format!("{value:.*}", usize::from(decimals))
    } else {
        as_servers_print(&format!("{value:e}"))
    }
}

/// A FLOAT as the server's text protocol has it: with six digits, although it has more.
pub(super) fn float(value: f32, decimals: u8) -> String {
    let value = f64::from(value);
    if decimals < NOT_FIXED {
        format!("{value:.*}", usize::from(decimals))
    } else {
        as_servers_print(&format!("{value:.*e}", FLOAT_DIGITS - 1))
    }
}

/// A number as a client wrote it into a FLOAT: the shortest that is the same FLOAT.
pub(super) fn float_argument(value: f32) -> String {
    as_servers_print(&format!("{value:e}"))
}

/// Turns `1.25e2` into `125`. Very small and very large numbers keep their exponent.
fn as_servers_print(scientific: &str) -> String {
    /// Up to this number of digits before the point, or zeros after it, no exponent is written.
    const MOST_PLACES: i32 = 15;
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        // Not a number, or infinite.
        return scientific.to_owned();
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(positive) => ("-", positive),
        None => ("", mantissa),
    };
    let digits = mantissa.replace('.', "");
    let digits = digits.trim_end_matches('0');
    let exponent = exponent.parse::<i32>().unwrap_or_default();
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let before_point = exponent + 1;
    if count == 0 {
        format!("{sign}0")
    } else if before_point < 1 - MOST_PLACES
        || (before_point > MOST_PLACES && count <= before_point)
    {
        let (first, others) = digits.split_at(1);
        let point = if others.is_empty() { "" } else { "." };
        format!("{sign}{first}{point}{others}e{exponent}")
    } else if before_point <= 0 {
        let zeros = "0".repeat(usize::try_from(-before_point).unwrap_or_default());
        format!("{sign}0.{zeros}{digits}")
    } else {
        let before = usize::try_from(before_point).unwrap_or_default();
        match digits.split_at_checked(before) {
            Some((whole, "")) => format!("{sign}{whole}"),
            Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
            None => format!("{sign}{digits:0<before$}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_is_printed_as_the_servers_do() {
        const CASES: [(f64, &str); 14] = [
            (0.0, "0"),
            (-0.5, "-0.5"),
            (1.0, "1"),
            (100.0, "100"),
            (1234.5, "1234.5"),
            (0.1, "0.1"),
            (1e14, "100000000000000"),
            (1e15, "1e15"),
            (1.5e20, "1.5e20"),
            (123_456_789_012_345_680.0, "1.2345678901234568e17"),
            (1e-14, "0.00000000000001"),
            (1e-15, "0.000000000000001"),
            (1e-16, "1e-16"),
            (-2.5e-300, "-2.5e-300"),
        ];
        for (value, text) in CASES {
            assert_eq!(double(value, 31), text);
        }
        assert_eq!(double(2.0, 2), "2.00");
    }

    #[test]
    fn a_float_has_six_digits() {
        assert_eq!(float(0.1, 31), "0.1");
        assert_eq!(float(16_777_216.0, 31), "16777200");
        assert_eq!(float(1.5, 2), "1.50");
        assert_eq!(float_argument(16_777_216.0), "16777216");
    }
}
