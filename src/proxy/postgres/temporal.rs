//! Dates and times of the binary format, in PostgreSQL's default styles: `ISO` and `postgres`.

/// Microseconds.
const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A `date`: the days since 2000-01-01.
pub(super) fn date(days: i32) -> String {
    match days {
        i32::MAX => "infinity".to_owned(),
        i32::MIN => "-infinity".to_owned(),
        days => {
            let (date, era) = date_of(days.into());
            date + era
        }
    }
}

/// A `timestamp`: the microseconds since the beginning of 2000. Its zone is appended.
pub(super) fn timestamp(micros: i64, zone: &str) -> String {
    match micros {
        i64::MAX => "infinity".to_owned(),
        i64::MIN => "-infinity".to_owned(),
        micros => {
            let (date, era) = date_of(micros.div_euclid(DAY));
            let clock = time(micros.rem_euclid(DAY));
            format!("{date} {clock}{zone}{era}")
        }
    }
}

/// A `time`: the microseconds since midnight.
pub(super) fn time(micros: i64) -> String {
    let micros = micros.unsigned_abs();
    let unit = |of: i64| of.unsigned_abs();
    let (hours, minutes) = (micros / unit(HOUR), micros / unit(MINUTE) % 60);
    let seconds = micros / unit(SECOND) % 60;
    let fraction = match micros % unit(SECOND) {
        0 => String::new(),
        fraction => format!(".{fraction:06}").trim_end_matches('0').to_owned(),
    };
    format!("{hours:02}:{minutes:02}:{seconds:02}{fraction}")
}

/// A `timetz`, whose zone is in seconds west of Greenwich.
pub(super) fn timetz(micros: i64, west: i32) -> String {
    let sign = if west > 0 { '-' } else { '+' };
    let seconds = west.unsigned_abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let zone = match (minutes, seconds) {
        (0, 0) => format!("{sign}{hours:02}"),
        (minutes, 0) => format!("{sign}{hours:02}:{minutes:02}"),
        (minutes, seconds) => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
    };
    time(micros) + &zone
}

/// An `interval`: `1 year 2 mons -3 days +04:05:06`.
pub(super) fn interval(micros: i64, days: i32, months: i32) -> String {
    let mut text = String::new();
    let mut was_negative = false;
    let parts = [(months / 12, "year"), (months % 12, "mon"), (days, "day")];
    for (value, unit) in parts.into_iter().filter(|(value, _)| *value != 0) {
        let space = if text.is_empty() { "" } else { " " };
        let plus = if was_negative && value > 0 { "+" } else { "" };
        let plural = if value == 1 { "" } else { "s" };
        text.push_str(&format!("{space}{plus}{value} {unit}{plural}"));
        was_negative = value < 0;
    }
    if micros != 0 || text.is_empty() {
        let space = if text.is_empty() { "" } else { " " };
        let sign = match (micros < 0, was_negative) {
            (true, _) => "-",
            (false, true) => "+",
            (false, false) => "",
        };
        text.push_str(&format!("{space}{sign}{}", time(micros)));
    }
    text
}

/// A date of the Gregorian calendar, and what follows it if it is before our era.
fn date_of(days: i64) -> (String, &'static str) {
    /// The days from 0000-03-01 to 2000-01-01.
    const SHIFT: i64 = 730_425;
    /// The days of 400 years.
    const ERA: i64 = 146_097;
    // Years begin in March here, so that the leap day is the last one.
    let days = days + SHIFT;
    let era = days.div_euclid(ERA);
    let day_of_era = days.rem_euclid(ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    // The year before 1 is 1 BC.
    let (year, suffix) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    (format!("{year:04}-{month:02}-{day:02}"), suffix)
}
