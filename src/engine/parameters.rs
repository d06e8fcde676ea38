//! The parameters after a database URL's `?`: which ones there are, and which values each takes.
//!
//! sqlx ignores a name that it does not know, so `?ssl_mode=REQUIRED` would connect in plain text
//! without any message. So every name and every value is checked here before sqlx sees it. A
//! mistake is answered with the nearest correct spelling.

use std::path::Path;

/// The parameters that a URL of one engine may have.
pub(super) struct KnownParameters {
    known: &'static [Parameter],
    /// Names of other programs, each with the name here.
    foreign_names: &'static [(&'static str, &'static str)],
    /// The TLS modes that check the server's certificate.
    verifying: [&'static str; 2],
}

struct Parameter {
    /// The recommended name, then its other spellings.
    names: &'static [&'static str],
    value: ValueKind,
}

#[derive(Clone, Copy)]
enum ValueKind {
    Text,
    Number,
    Port,
    Folder,
    /// A file that must exist.
    File,
    OneOf(&'static [&'static str]),
}

const fn parameter(names: &'static [&'static str], value: ValueKind) -> Parameter {
    Parameter { names, value }
}

/// MySQL's and MariaDB's.
pub(super) static MYSQL: KnownParameters = KnownParameters {
    known: &[
        parameter(&["socket"], ValueKind::Text),
        parameter(
            &["ssl-mode", "sslmode"],
            ValueKind::OneOf(&[
                "DISABLED",
                "PREFERRED",
                "REQUIRED",
                "VERIFY_CA",
                "VERIFY_IDENTITY",
            ]),
        ),
        parameter(&["ssl-ca", "sslca"], ValueKind::File),
        parameter(&["ssl-cert", "sslcert"], ValueKind::File),
        parameter(&["ssl-key", "sslkey"], ValueKind::File),
        parameter(&["charset"], ValueKind::Text),
        parameter(&["collation"], ValueKind::Text),
        parameter(&["timezone", "time-zone"], ValueKind::Text),
        parameter(&["statement-cache-capacity"], ValueKind::Number),
    ],
    foreign_names: &[
        ("unix_socket", "socket"),
        ("unixsocket", "socket"),
        ("tls", "ssl-mode"),
        ("ssl", "ssl-mode"),
        ("usessl", "ssl-mode"),
        ("sslrootcert", "ssl-ca"),
        ("ssl-root-cert", "ssl-ca"),
    ],
    verifying: ["VERIFY_CA", "VERIFY_IDENTITY"],
};

/// PostgreSQL's. `options[NAME]` sets a variable of the session.
pub(super) static POSTGRES: KnownParameters = KnownParameters {
    known: &[
        parameter(&["host"], ValueKind::Folder),
        parameter(&["hostaddr"], ValueKind::Text),
        parameter(&["port"], ValueKind::Port),
        parameter(&["dbname"], ValueKind::Text),
        parameter(&["user"], ValueKind::Text),
        parameter(&["password"], ValueKind::Text),
        parameter(
            &["sslmode", "ssl-mode"],
            ValueKind::OneOf(&["disable", "prefer", "require", "verify-ca", "verify-full"]),
        ),
        parameter(&["sslrootcert", "ssl-root-cert", "ssl-ca"], ValueKind::File),
        parameter(&["sslcert", "ssl-cert"], ValueKind::File),
        parameter(&["sslkey", "ssl-key"], ValueKind::File),
        parameter(&["application_name"], ValueKind::Text),
        parameter(&["options"], ValueKind::Text),
        parameter(&["statement-cache-capacity"], ValueKind::Number),
    ],
    foreign_names: &[
        ("socket", "host"),
        ("unix_socket", "host"),
        ("tls", "sslmode"),
        ("ssl", "sslmode"),
        ("database", "dbname"),
        ("schema", "options[search_path]"),
        ("currentschema", "options[search_path]"),
        ("search_path", "options[search_path]"),
    ],
    verifying: ["verify-ca", "verify-full"],
};

/// The parameters of one URL. All of them are known, and have valid values.
pub(super) struct UrlParameters<'q>(Vec<(String, &'q str)>);

impl UrlParameters<'_> {
    /// Whether the URL has this parameter. `name` is the recommended name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn value(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(given, _)| given == name);
        found.map(|(_, value)| *value)
    }
}

impl KnownParameters {
    /// Parses the text after the `?`.
    ///
    /// # Errors
    /// What is wrong, and what would be right. It never contains a value, which may be a secret,
    /// nor a name that could be the end of a password.
    pub(super) fn read<'q>(&self, query: &'q str) -> Result<UrlParameters<'q>, String> {
        let mut given: Vec<(String, &str)> = Vec::new();
        let mut has_password = false;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = name.replace("%5B", "[").replace("%5b", "[");
            let name = name.replace("%5D", "]").replace("%5d", "]");
            // After an unencoded &, a name may be the rest of a password.
            let may_be_shown = pair.contains('=') && !query.contains('@') && !has_password;
            let name = self.recommended(&name, may_be_shown)?;
            has_password |= name == "password";
            if given.iter().any(|(before, _)| *before == name) {
                return Err(format!("{name} is given twice; give it once"));
            }
            self.check(&name, value)?;
            given.push((name, value));
        }
        let given = UrlParameters(given);
        self.check_certificates(&given)?;
        Ok(given)
    }

    /// The recommended name of a parameter.
    fn recommended(&self, name: &str, may_be_shown: bool) -> Result<String, String> {
        if let Some(known) = self.known.iter().find(|it| it.names.contains(&name)) {
            return Ok(known.names[0].to_owned());
        }
        let variable = name
            .strip_prefix("options[")
            .and_then(|it| it.strip_suffix(']'));
        let takes_variables = self.known.iter().any(|it| it.names[0] == "options");
        if takes_variables && variable.is_some_and(is_a_word) {
            return Ok(name.to_owned());
        }
        let what = if may_be_shown && is_a_word(name) {
            format!("{name} is not a known parameter")
        } else {
            "it has an unknown parameter".to_owned()
        };
        Err(match self.nearest(name) {
            Some(nearest) => format!("{what}; write {nearest}=…"),
            None => format!("{what}; the known ones are {}", self.names().join(", ")),
        })
    }

    fn names(&self) -> Vec<&'static str> {
        self.known.iter().map(|it| it.names[0]).collect()
    }

    fn nearest(&self, name: &str) -> Option<&'static str> {
        let name = name.to_ascii_lowercase();
        let foreign = self
            .foreign_names
            .iter()
            .find(|(theirs, _)| *theirs == name);
        if let Some((_, ours)) = foreign {
            return Some(*ours);
        }
        let alike = |known: &Parameter| {
            let names = known.names.iter();
            names.map(|it| edits(it, &name)).min()
        };
        let known = self.known.iter();
        let close = known.filter_map(|it| Some((alike(it)?, it.names[0])));
        let nearest = close.min_by_key(|(edits, _)| *edits);
        nearest.and_then(|(edits, ours)| (edits <= name.len().min(9) / 3).then_some(ours))
    }

    fn check(&self, name: &str, value: &str) -> Result<(), String> {
        let known = self.known.iter().find(|it| it.names[0] == name);
        match known.map(|it| it.value) {
            Some(ValueKind::Number) if value.parse::<usize>().is_err() => {
                Err(format!("{name} takes a whole number"))
            }
            Some(ValueKind::Port) if !is_a_port(value) => {
                Err(format!("{name} takes a number from 1 to 65535"))
            }
            Some(ValueKind::Folder) if value.contains(',') => {
                Err(format!("{name} takes one host or folder, not a list"))
            }
            Some(ValueKind::File) => check_file(name, &decoded(value)),
            Some(ValueKind::OneOf(choices)) => check_choice(name, value, choices),
            _ if value.is_empty() => Err(format!("{name} has no value; write {name}=…")),
            _ => Ok(()),
        }
    }

    /// Refuses a CA's certificate that the mode does not use: the server would seem to be checked,
    /// and would not be.
    fn check_certificates(&self, given: &UrlParameters<'_>) -> Result<(), String> {
        let name = |one: &str| {
            let known = self.known.iter().find(|it| it.names.contains(&one));
            known.map_or("", |it| it.names[0])
        };
        let (mode, ca) = (name("ssl-mode"), name("ssl-ca"));
        let (cert, key) = (name("ssl-cert"), name("ssl-key"));
        if given.has(cert) != given.has(key) {
            return Err(format!(
                "{cert} and {key} belong together; give both or none"
            ));
        }
        let verifies = given.value(mode).is_some_and(|value| {
            let mut modes = self.verifying.iter();
            modes.any(|it| it.eq_ignore_ascii_case(value))
        });
        if given.has(ca) && !verifies {
            let [one, other] = self.verifying;
            return Err(format!(
                "{ca} has no effect without {mode}={one} or {mode}={other}"
            ));
        }
        Ok(())
    }
}

fn check_choice(name: &str, value: &str, choices: &[&str]) -> Result<(), String> {
    if choices.iter().any(|it| it.eq_ignore_ascii_case(value)) {
        return Ok(());
    }
    let value = value.to_ascii_lowercase();
    let nearest = choices
        .iter()
        .map(|it| (edits(&it.to_ascii_lowercase(), &value), it))
        .min()
        .filter(|(edits, _)| *edits <= 3);
    let choices = choices.join(", ");
    Err(match nearest {
        Some((_, nearest)) => {
            format!("{name} takes one of {choices}; write {name}={nearest}")
        }
        None => format!("{name} takes one of {choices}"),
    })
}

fn check_file(name: &str, value: &str) -> Result<(), String> {
    if value.trim().starts_with("-----BEGIN") {
        return Ok(());
    }
    match std::fs::File::open(Path::new(value)) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{name} names the file {value}: {error}")),
    }
}

pub(super) fn is_a_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|it| it != 0)
}

fn is_a_word(text: &str) -> bool {
    let may = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !text.is_empty() && text.bytes().all(may)
}

/// A value as sqlx decodes it: `+` is a space, `%2F` is a slash.
fn decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = value.get(at + 1..at + 3);
        match (byte, digits.and_then(|it| u8::from_str_radix(it, 16).ok())) {
            (b'%', Some(meant)) => {
                decoded.push(meant);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// How many letters must be inserted, removed or changed to turn one word into the other.
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (index, theirs) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *theirs);
            diagonal = row[index + 1];
            row[index + 1] = changed.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[other.len()]
}

/// The variables from which PostgreSQL's programs and sqlx take what a URL leaves out.
const POSTGRES_VARIABLES: [&str; 13] = [
    "PGHOST",
    "PGHOSTADDR",
    "PGPORT",
    "PGUSER",
    "PGPASSWORD",
    "PGPASSFILE",
    "PGDATABASE",
    "PGSSLMODE",
    "PGSSLROOTCERT",
    "PGSSLCERT",
    "PGSSLKEY",
    "PGAPPNAME",
    "PGOPTIONS",
];

/// Those of PostgreSQL's variables that are set.
pub(super) fn postgres_variables() -> Vec<&'static str> {
    let set = |name: &&str| std::env::var_os(name).is_some();
    POSTGRES_VARIABLES.into_iter().filter(set).collect()
}

/// Refuses a mode or a port that does not exist, which sqlx would treat as not set.
///
/// # Errors
/// Which variable is wrong, and which values it takes.
pub(super) fn check_postgres_variables(
    given: &UrlParameters<'_>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(), String> {
    for (name, parameter) in [("PGSSLMODE", "sslmode"), ("PGPORT", "port")] {
        if let Some(value) = variable(name)
            && !given.has(parameter)
        {
            let checked = POSTGRES.check(parameter, &value);
            checked.map_err(|mistake| format!("the variable {name}: {mistake}"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(parameters: &KnownParameters, query: &str) -> String {
        match parameters.read(query) {
            Ok(_) => "none".to_owned(),
            Err(mistake) => mistake,
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_right_one() {
        for (query, nearest) in [
            ("ssl_mode=REQUIRED", "ssl-mode"),
            ("SSL-MODE=REQUIRED", "ssl-mode"),
            ("sslMode=REQUIRED", "ssl-mode"),
            ("unix_socket=/s", "socket"),
            ("sockets=/s", "socket"),
            ("tls=true", "ssl-mode"),
            ("sslrootcert=/c", "ssl-ca"),
            ("char-set=utf8mb4", "charset"),
            ("time_zone=UTC", "timezone"),
        ] {
            let mistake = mistake(&MYSQL, query);
            assert!(
                mistake.ends_with(&format!("; write {nearest}=…")),
                "{mistake}"
            );
        }
        for (query, nearest) in [
            ("ssl_mode=require", "sslmode"),
            ("socket=/run", "host"),
            ("search_path=x", "options[search_path]"),
            ("applicationname=x", "application_name"),
            ("db_name=x", "dbname"),
        ] {
            let mistake = mistake(&POSTGRES, query);
            assert!(
                mistake.ends_with(&format!("; write {nearest}=…")),
                "{mistake}"
            );
        }
        let far = mistake(&MYSQL, "connect_timeout=3");
        assert!(
            far.starts_with("connect_timeout is not a known parameter; the known ones are socket"),
            "{far}"
        );
    }

    #[test]
    fn a_wrong_value_is_answered_with_the_right_ones() {
        for (parameters, query, nearest) in [
            (&MYSQL, "ssl-mode=REQUIRE", "ssl-mode=REQUIRED"),
            (&MYSQL, "sslmode=verify-ca", "ssl-mode=VERIFY_CA"),
            (&MYSQL, "ssl-mode=disable", "ssl-mode=DISABLED"),
            (&POSTGRES, "sslmode=required", "sslmode=require"),
            (&POSTGRES, "ssl-mode=VERIFY_FULL", "sslmode=verify-full"),
        ] {
            let mistake = mistake(parameters, query);
            assert!(mistake.ends_with(&format!("write {nearest}")), "{mistake}");
        }
        let allow = mistake(&POSTGRES, "sslmode=allow");
        assert!(allow.starts_with("sslmode takes one of disable"), "{allow}");
        assert!(mistake(&MYSQL, "statement-cache-capacity=x").contains("whole number"));
        assert!(mistake(&POSTGRES, "port=0").contains("1 to 65535"));
        assert!(mistake(&MYSQL, "socket").contains("no value"));
        assert!(mistake(&MYSQL, "ssl-ca=/no/file").contains("/no/file: No such file"));
        assert_eq!(mistake(&MYSQL, "ssl-mode=required"), "none");
    }

    #[test]
    fn a_parameter_that_is_given_twice_or_has_no_effect_is_refused() {
        let twice = mistake(&MYSQL, "ssl-mode=REQUIRED&sslmode=DISABLED");
        assert_eq!(twice, "ssl-mode is given twice; give it once");
        let twice = mistake(&POSTGRES, "options[a]=1&options%5Ba%5D=2");
        assert_eq!(twice, "options[a] is given twice; give it once");
        let none = mistake(&MYSQL, "ssl-mode=REQUIRED&ssl-ca=/dev/null");
        assert!(
            none.contains("no effect without ssl-mode=VERIFY_CA"),
            "{none}"
        );
        let none = mistake(&POSTGRES, "sslrootcert=/dev/null");
        assert!(
            none.contains("no effect without sslmode=verify-ca"),
            "{none}"
        );
        let half = mistake(&MYSQL, "ssl-cert=/dev/null");
        assert!(half.contains("belong together"), "{half}");
        assert!(mistake(&POSTGRES, "options[=1").contains("unknown parameter"));
    }

    #[test]
    fn a_name_that_may_be_the_end_of_a_password_is_not_shown() {
        for query in ["secret=1@db/bank", "secret@db/bank", "se:cret=1"] {
            let mistake = mistake(&MYSQL, query);
            assert!(!mistake.contains("cret"), "{mistake}");
        }
        for query in ["password=a&secret", "password=a&secret=1", "secret"] {
            let mistake = mistake(&POSTGRES, query);
            assert!(!mistake.contains("cret"), "{mistake}");
        }
    }

    #[test]
    fn a_variable_that_sqlx_would_ignore_is_refused() {
        let checked = |query, name: &str, value: &str| {
            let given = POSTGRES.read(query).unwrap();
            check_postgres_variables(&given, |asked| (asked == name).then(|| value.to_owned()))
        };
        let mistake = checked("", "PGSSLMODE", "REQUIRED").unwrap_err();
        assert!(mistake.starts_with("the variable PGSSLMODE: "), "{mistake}");
        assert!(mistake.ends_with("write sslmode=require"), "{mistake}");
        assert!(checked("", "PGPORT", "postgres").is_err());
        assert!(checked("sslmode=require", "PGSSLMODE", "REQUIRED").is_ok());
        assert!(checked("", "PGSSLMODE", "require").is_ok());
    }
}
