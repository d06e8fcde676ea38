//! What to do instead of a meta-command that is not understood.

/// Says why a command with this name is refused.
pub(super) fn advice(name: &str) -> String {
    let instead = match name {
        "" | ";" => "a backslash begins a meta-command; statements are separated by ; alone",
        "." => "COPY … FROM STDIN has no data here; write INSERT",
        "g" | "gx" | "bind" | "bind_named" | "parse" | "close_prepared" => {
            "end the statement with ; (and capture its row with \\gset)"
        }
        "gexec" => "it would make statements of an answer; write them out",
        "gdesc" | "crosstabview" | "echo" | "qecho" | "warn" | "p" | "print" | "pset" | "x"
        | "timing" | "a" | "t" | "H" | "o" | "out" => {
            "nothing is printed while schedules are explored: the report shows each statement, its \
             answer and captured values"
        }
        "watch" => {
            "statements are not repeated; for another attempt after an error, give the client \
             `retry` in the scenario's file"
        }
        "sleep" => "no script waits: every order of the statements is tried, so leave it out",
        "copy" => "write INSERT, or COPY from a file of the server's",
        "i" | "ir" | "include" | "include_relative" => "write the statements into this script",
        "c" | "connect" => "a client has one connection; write another [[client]]",
        "!" | "setenv" | "getenv" | "prompt" | "password" => {
            "a script reaches nothing but its database; write the value with \\set"
        }
        "d" | "dt" | "l" | "z" => "read the catalogue with SELECT",
        "startpipeline" | "endpipeline" | "sync" | "syncpipeline" | "flush" => {
            "each statement is a step of its own, and none is sent together with others"
        }
        "aset" => "one row is captured at a time, by \\gset",
        "setrandom" => "runs must be the same each time; write the value with \\set",
        "elseif" | "elsif" => "psql spells it \\elif",
        "end" | "fi" => "psql spells it \\endif",
        "exit" => "psql spells it \\q",
        _ => return unknown(name),
    };
    format!("\\{name} is not understood: {instead}; {ALLOWED}")
}

const ALLOWED: &str = "the meta-commands are \\gset, \\set, \\unset, \\if, \\elif, \\else, \\endif \
                       and \\q";

fn unknown(name: &str) -> String {
    let without = name.trim_end_matches(';');
    if without.len() < name.len() {
        return format!(
            "\\{name} is not understood: a meta-command ends with its line, without a ;; write \
             `\\{without}`"
        );
    }
    if let Some(condition) = name.strip_prefix("if") {
        return format!(
            "\\{name} is not understood: a space is missing: `\\if {condition}`; {ALLOWED}"
        );
    }
    format!("\\{name} is not understood; {ALLOWED}")
}
