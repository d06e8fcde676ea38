//! How a time is written on the command line: `50ms`, `3s`, `2m`.

use std::str::FromStr as _;
use std::time::Duration;

/// No delay or limit of the lab is meant to be longer than a day.
const LONGEST: Duration = Duration::from_hours(24);

/// Reads a time: a number with `us`, `ms`, `s`, `m` or `h`. Without a unit it is in seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let complaint =
        || format!("{text:?} is no time: give a number and us, ms, s, m or h, e.g. 50ms");
    let trimmed = text.trim();
    let unit_at = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(unit_at);
    let seconds_per_unit = match unit.trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(complaint()),
    };
    let number = f64::from_str(number).map_err(|_| complaint())?;
    Duration::try_from_secs_f64(number * seconds_per_unit)
        .ok()
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| format!("{trimmed:?} is longer than a day"))
}

/// Reads a time that is not zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration.is_zero() {
        return Err("it has to be longer than zero".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: [(&str, Duration); 8] = [
        ("0", Duration::ZERO),
        ("3", Duration::from_secs(3)),
        ("3s", Duration::from_secs(3)),
        ("1.5s", Duration::from_millis(1500)),
        ("50ms", Duration::from_millis(50)),
        ("200us", Duration::from_micros(200)),
        (" 2 m ", Duration::from_secs(120)),
        ("24h", Duration::from_hours(24)),
    ];

    const NO_TIMES: [&str; 9] = [
        "",
        "s",
        "-1s",
        "1d",
        "25h",
        "1..2",
        "1.2.3s",
        "99999999m",
        "NaN",
    ];

    #[test]
    fn times_are_read_with_their_units() {
        for (text, time) in TIMES {
            assert_eq!(duration(text), Ok(time), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in NO_TIMES {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_that_must_be_positive_is_not_zero() {
        assert_eq!(positive_duration("1ms"), Ok(Duration::from_millis(1)));
        assert!(
            positive_duration("0")
                .unwrap_err()
                .contains("longer than zero")
        );
    }
}
