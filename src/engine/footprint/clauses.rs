//! Clauses that the parser does not know, or not in full.

use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The tokens of a statement, with clauses left out or written in another way. Our own tokens tell
/// what locks, so that the parser need not.
pub(super) fn simplified(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    with_calls(&without_locks(&tokens))
}

/// Leaves out the clauses that lock, of which the parser knows only some.
fn without_locks(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    const CLAUSES: [&[&str]; 5] = [
        &["FOR", "NO", "KEY", "UPDATE"],
        &["FOR", "KEY", "SHARE"],
        &["FOR", "UPDATE"],
        &["FOR", "SHARE"],
        &["LOCK", "IN", "SHARE", "MODE"],
    ];
    let mut left = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let begins = |words: &&&[&str]| {
            let mut pairs = words.iter().enumerate();
            pairs.all(|(further, word)| tokens.get(at + further).is_some_and(|it| is(it, word)))
        };
        match CLAUSES.iter().find(begins) {
            Some(words) => at = end_of_lock(tokens, at + words.len()),
            None => {
                left.push(tokens[at].clone());
                at += 1;
            }
        }
    }
    left
}

/// Writes MariaDB's `NEXT VALUE FOR s` as `nextval(s)`, which is the same.
fn with_calls(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    const CALLS: [(&str, &str); 2] = [("NEXT", "nextval"), ("PREVIOUS", "lastval")];
    let mut left: Vec<TokenWithSpan> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let is_at =
            |further: usize, word: &str| tokens.get(at + further).is_some_and(|it| is(it, word));
        let call = CALLS.iter().find(|(word, _)| is_at(0, word));
        let Some((_, function)) = call.filter(|_| is_at(1, "VALUE") && is_at(2, "FOR")) else {
            left.push(tokens[at].clone());
            at += 1;
            continue;
        };
        let has_dot = tokens
            .get(at + 4)
            .is_some_and(|it| it.token == Token::Period);
        let end = tokens.len().min(at + if has_dot { 6 } else { 4 });
        left.push(TokenWithSpan::wrap(Token::make_word(function, None)));
        left.push(TokenWithSpan::wrap(Token::LParen));
        left.extend_from_slice(&tokens[(at + 3).min(end)..end]);
        left.push(TokenWithSpan::wrap(Token::RParen));
        at = end;
    }
    left
}

/// The place after what may follow a locking clause: the tables, and what is done instead of a
/// wait.
fn end_of_lock(tokens: &[TokenWithSpan], mut at: usize) -> usize {
    let is_at = |at: usize, word: &str| tokens.get(at).is_some_and(|it| is(it, word));
    if is_at(at, "OF") {
        at += 2;
        while tokens
            .get(at)
            .is_some_and(|it| matches!(it.token, Token::Comma | Token::Period))
        {
            at += 2;
        }
    }
    if is_at(at, "NOWAIT") {
        at += 1;
    } else if is_at(at, "SKIP") && is_at(at + 1, "LOCKED") {
        at += 2;
    }
    at
}

fn is(token: &TokenWithSpan, keyword: &str) -> bool {
    match &token.token {
        Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword),
        _ => false,
    }
}
