//! The grammar of a `.spec` file: set-up blocks, a teardown, sessions, permutations, in this order.
//!
//! What it makes still has names where a permutation means a step.

use super::lexer::{Keyword, Lexer, Token};
use super::{Place, SpecError, SpecSession, SpecStep, Sql};

/// A file before its names are resolved.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) setup: Vec<Sql>,
    pub(super) teardown: Option<Sql>,
    pub(super) sessions: Vec<SpecSession>,
    /// Where each step's name is, in the order of the sessions and their steps.
    pub(super) step_places: Vec<Place>,
    pub(super) permutations: Vec<NamedPermutation>,
}

#[derive(Debug)]
pub(super) struct NamedPermutation {
    pub(super) place: Place,
    pub(super) steps: Vec<NamedStep>,
}

#[derive(Debug)]
pub(super) struct NamedStep {
    pub(super) name: Name,
    pub(super) blockers: Vec<NamedBlocker>,
}

#[derive(Debug)]
pub(super) enum NamedBlocker {
    Once,
    Step(Name),
    Notices(Name, u32),
}

/// A step's name where a permutation uses it.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) place: Place,
}

/// Reads a file.
pub(super) fn parse(text: &str) -> Result<Parsed, SpecError> {
    let mut parser = Parser::new(text)?;
    let mut parsed = Parsed {
        setup: Vec::new(),
        teardown: None,
        sessions: Vec::new(),
        step_places: Vec::new(),
        permutations: Vec::new(),
    };
    while let Some(setup) = parser.block_after(Keyword::Setup)? {
        parsed.setup.push(setup);
    }
    parsed.teardown = parser.block_after(Keyword::Teardown)?;
    while parser.take_keyword(Keyword::Session)?.is_some() {
        let session = parser.session(&mut parsed.step_places)?;
        parsed.sessions.push(session);
    }
    if parsed.sessions.is_empty() {
        return Err(parser.misplaced("before the first session", "session NAME"));
    }
    while let Some(place) = parser.take_keyword(Keyword::Permutation)? {
        let steps = parser.permutation()?;
        parsed.permutations.push(NamedPermutation { place, steps });
    }
    parser.must_be_at_the_end(&parsed)?;
    Ok(parsed)
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    /// The token that comes next, and where it is.
    token: Token,
    place: Place,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, SpecError> {
        let mut lexer = Lexer::new(text);
        let (token, place) = lexer.next()?;
        Ok(Self {
            lexer,
            token,
            place,
        })
    }

    fn take(&mut self) -> Result<(Token, Place), SpecError> {
        let (token, place) = self.lexer.next()?;
        let taken = std::mem::replace(&mut self.token, token);
        Ok((taken, std::mem::replace(&mut self.place, place)))
    }

    /// The keyword's place, if it is what comes next.
    fn take_keyword(&mut self, keyword: Keyword) -> Result<Option<Place>, SpecError> {
        if self.token == Token::Keyword(keyword) {
            Ok(Some(self.take()?.1))
        } else {
            Ok(None)
        }
    }

    fn take_sign(&mut self, sign: &Token) -> Result<bool, SpecError> {
        let is_next = self.token == *sign;
        if is_next {
            self.take()?;
        }
        Ok(is_next)
    }

    /// The block after this keyword. None if the keyword does not come next.
    fn block_after(&mut self, keyword: Keyword) -> Result<Option<Sql>, SpecError> {
        match self.take_keyword(keyword)? {
            Some(_) => self
                .block(&format!("after \"{}\"", keyword.word()))
                .map(Some),
            None => Ok(None),
        }
    }

    fn block(&mut self, after: &str) -> Result<Sql, SpecError> {
        if !matches!(self.token, Token::Block(_)) {
            return Err(self.misplaced(after, "{ SQL }"));
        }
        match self.take()? {
            (Token::Block(text), Place { line, .. }) => Ok(Sql { text, line }),
            (token, place) => Err(unexpected(&token, place, after, "{ SQL }")),
        }
    }

    fn name(&mut self, after: &str) -> Result<Name, SpecError> {
        if !matches!(self.token, Token::Name(_)) {
            return Err(self.misplaced(after, "a name"));
        }
        match self.take()? {
            (Token::Name(text), place) => Ok(Name { text, place }),
            (token, place) => Err(unexpected(&token, place, after, "a name")),
        }
    }

    fn session(&mut self, step_places: &mut Vec<Place>) -> Result<SpecSession, SpecError> {
        let name = self.name("after \"session\"")?.text;
        let setup = self.block_after(Keyword::Setup)?;
        let mut steps = Vec::new();
        while self.take_keyword(Keyword::Step)?.is_some() {
            let Name { text: name, place } = self.name("after \"step\"")?;
            let sql = self.block(&format!("after \"step {name}\""))?;
            step_places.push(place);
            steps.push(SpecStep { name, sql });
        }
        if steps.is_empty() {
            let within = format!("in session \"{name}\", which has no step yet,");
            return Err(self.misplaced(&within, "step NAME { SQL }"));
        }
        let teardown = self.block_after(Keyword::Teardown)?;
        Ok(SpecSession {
            name,
            setup,
            steps,
            teardown,
        })
    }

    fn permutation(&mut self) -> Result<Vec<NamedStep>, SpecError> {
        let mut steps = Vec::new();
        while steps.is_empty() || matches!(self.token, Token::Name(_)) {
            let name = self.name("after \"permutation\"")?;
            let blockers = if self.take_sign(&Token::Open)? {
                self.blockers()?
            } else {
                Vec::new()
            };
            steps.push(NamedStep { name, blockers });
        }
        Ok(steps)
    }

    /// The annotations of a step, up to the closing parenthesis.
    fn blockers(&mut self) -> Result<Vec<NamedBlocker>, SpecError> {
        const RIGHT: &str = "*, STEP or STEP notices NUMBER";
        let mut blockers = Vec::new();
        loop {
            if self.take_sign(&Token::Star)? {
                blockers.push(NamedBlocker::Once);
            } else if matches!(self.token, Token::Name(_)) {
                blockers.push(self.blocker_by_name()?);
            } else {
                return Err(self.misplaced("in an annotation", RIGHT));
            }
            if self.take_sign(&Token::Close)? {
                return Ok(blockers);
            }
            if !self.take_sign(&Token::Comma)? {
                return Err(self.misplaced("in an annotation", "\",\" or \")\""));
            }
        }
    }

    fn blocker_by_name(&mut self) -> Result<NamedBlocker, SpecError> {
        let name = self.name("in an annotation")?;
        if self.take_keyword(Keyword::Notices)?.is_none() {
            return Ok(NamedBlocker::Step(name));
        }
        match self.token {
            Token::Number(count) => {
                self.take()?;
                Ok(NamedBlocker::Notices(name, count))
            }
            _ => Err(self.misplaced("after \"notices\"", "a number")),
        }
    }

    fn must_be_at_the_end(&self, parsed: &Parsed) -> Result<(), SpecError> {
        let right = match self.token {
            Token::End => return Ok(()),
            Token::Keyword(Keyword::Setup) => {
                "set-up comes before the first session or, for one session, before its first step"
            }
            Token::Keyword(Keyword::Teardown) if parsed.permutations.is_empty() => {
                "the file's teardown comes before the first session, and a session has one at most"
            }
            Token::Keyword(Keyword::Teardown) => {
                "teardown comes before the first session or, for one session, after its last step"
            }
            Token::Keyword(Keyword::Step) => {
                "steps come after \"session NAME\" and before the session's teardown"
            }
            Token::Keyword(Keyword::Session) => "sessions come before the first permutation",
            _ if parsed.permutations.is_empty() => {
                return Err(self.misplaced(
                    "after a session's steps",
                    "step, teardown, session or permutation",
                ));
            }
            _ => {
                return Err(self.misplaced(
                    "after a permutation's steps",
                    "a step's name, an annotation in parentheses, or permutation",
                ));
            }
        };
        Err(SpecError::new(
            self.place,
            format!("{} is out of place: {right}", self.token),
        ))
    }

    /// The error that something else would be right here.
    fn misplaced(&self, here: &str, right: &str) -> SpecError {
        unexpected(&self.token, self.place, here, right)
    }
}

fn unexpected(token: &Token, place: Place, here: &str, right: &str) -> SpecError {
    let mut what = format!("{here} comes {right}, not {token}");
    if let (Token::Keyword(keyword), "a name") = (token, right) {
        what.push_str(&format!(
            "; as a name it is written \"{}\" in quotes",
            keyword.word()
        ));
    }
    SpecError::new(place, what)
}
