//! What a client says first. These messages have no tag.

use super::bytes::{Bytes, NotUnderstood};

/// The longest first message that PostgreSQL accepts.
const LONGEST: usize = 10_000;

/// The first byte of a TLS connection that begins without asking.
const TLS_HANDSHAKE: u8 = 0x16;

/// The upper half of a code that is no version of the protocol.
const REQUEST: u16 = 1234;

/// The first message of a client, and the next ones until the last of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::proxy) enum Opening {
    /// The client asks for TLS. Who answers `N` gets another opening on the same connection.
    Tls,
    /// The client asks for encryption by GSSAPI. It is answered as TLS is.
    Gss,
    /// The client begins TLS without asking. Its bytes are not read.
    DirectTls,
    /// The client asks to cancel the statement of another connection. Nothing follows.
    Cancel,
    /// The client says who it is. The authentication follows.
    Startup(Startup),
}

/// Who a client is. It holds no password: that comes later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::proxy) struct Startup {
    /// The user. PostgreSQL refuses a client that names none.
    pub(in crate::proxy) user: Option<String>,
    /// The database. That with the user's name if the client names none.
    pub(in crate::proxy) database: Option<String>,
    /// Whether it is going to copy the server's data instead of asking for rows.
    pub(in crate::proxy) replication: bool,
    /// What it sets for its session, in the order in which it counts: names with their values.
    pub(in crate::proxy) settings: Vec<(String, String)>,
}

impl Opening {
    /// Reads an opening from the beginning of the client's bytes, and says how many bytes it has.
    /// `None` if more bytes are needed.
    pub(in crate::proxy) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, NotUnderstood> {
        if bytes.first() == Some(&TLS_HANDSHAKE) {
            return Ok(Some((Self::DirectTls, 0)));
        }
        let Some(length) = bytes.first_chunk() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if !(8..=LONGEST).contains(&length) {
            let complaint = "the client does not begin as one of PostgreSQL does";
            return Err(NotUnderstood(complaint.to_owned()));
        }
        let Some(message) = bytes.get(4..length) else {
            return Ok(None);
        };
        let mut body = Bytes::new(message);
        let opening = match (body.u16()?, body.u16()?) {
            (REQUEST, 5678) => Self::Cancel,
            (REQUEST, 5679) => Self::Tls,
            (REQUEST, 5680) => Self::Gss,
            // The server negotiates about the lower half: 3.0, 3.2, or one that does not exist.
            (3, _) => Self::Startup(Startup::read(body)?),
            (major, minor) => {
                let complaint = format!("the client speaks the protocol {major}.{minor}");
                return Err(NotUnderstood(complaint));
            }
        };
        Ok(Some((opening, length)))
    }
}

impl Startup {
    fn read(mut body: Bytes<'_>) -> Result<Self, NotUnderstood> {
        let mut startup = Self::default();
        let mut options = Vec::new();
        loop {
            let name = body.name()?;
            if name.is_empty() {
                break;
            }
            let value = body.name()?;
            match name.as_str() {
                "user" => startup.user = Some(value),
                "database" => startup.database = Some(value),
                "replication" => startup.replication = !is_off(&value),
                "options" => options = settings_in(&value),
                // Of the protocol, and no settings.
                name if name.starts_with("_pq_.") => {}
                _ => startup.settings.push((name, value)),
            }
        }
        // Those of the packet itself count, if both set the same.
        startup.settings.splice(0..0, options);
        let named = startup.database.take().filter(|name| !name.is_empty());
        startup.database = named.or_else(|| startup.user.clone());
        Ok(startup)
    }
}

/// The settings in command-line options for the server process: `-c name=value`, `-cname=value` and
/// `--name=value`. A backslash makes the next character an ordinary one.
fn settings_in(options: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut letters = options.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => words
                .last_mut()
                .into_iter()
                .for_each(|it| it.extend(letters.next())),
            it if it.is_ascii_whitespace() => words.push(String::new()),
            it => words.last_mut().into_iter().for_each(|word| word.push(it)),
        }
    }
    let mut words = words.into_iter().filter(|it| !it.is_empty());
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let pair = match word.strip_prefix("-c") {
            Some("") => words.next(),
            Some(pair) => Some(pair.to_owned()),
            None => word.strip_prefix("--").map(str::to_owned),
        };
        // The server takes a - for a _ in a name.
        if let Some((name, value)) = pair.as_deref().and_then(|it| it.split_once('=')) {
            settings.push((name.replace('-', "_"), value.to_owned()));
        }
    }
    settings
}

/// What PostgreSQL's drivers set, and what concerns the client's own texts alone.
const OF_DRIVERS: [&str; 13] = [
    "names",
    "client_encoding",
    "application_name",
    "datestyle",
    "intervalstyle",
    "time zone",
    "timezone",
    "extra_float_digits",
    "bytea_output",
    "client_min_messages",
    "xmloption",
    "lc_messages",
    "jit",
];

/// Whether drivers of PostgreSQL set this for themselves, so that it says nothing of the
/// application.
pub(crate) fn is_of_drivers(name: &str) -> bool {
    OF_DRIVERS.iter().any(|it| name.eq_ignore_ascii_case(it))
}

/// Whether PostgreSQL reads this as false.
fn is_off(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let begins = |word: &str, least: usize| value.len() >= least && word.starts_with(&value);
    value == "0" || begins("false", 1) || begins("no", 1) || begins("off", 2)
}

/// An ErrorResponse for a client that cannot get in. It ends the connection.
pub(in crate::proxy) fn refusal(why: &str) -> Vec<u8> {
    // sqlserver_rejected_establishment_of_sqlconnection. No driver retries it.
    const CODE: &str = "08004";
    // A zero would end the text.
    let why = why.replace('\0', " ");
    let body = format!("SFATAL\0VFATAL\0C{CODE}\0M{why}\0\0");
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [b"E", length.to_be_bytes().as_slice(), body.as_bytes()].concat()
}
