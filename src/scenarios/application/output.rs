//! What a command prints: read as it comes, and kept up to a limit.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use tokio::net::unix::pipe::Receiver;

/// The bytes that are kept of one output: the last ones. What was before is forgotten.
const KEPT: usize = 64 * 1024;

/// How much is read at once.
const READ: usize = 16 * 1024;

/// One output of a program.
#[derive(Debug)]
pub(super) struct Output {
    pipe: Receiver,
    /// Whether the program may still write.
    pub(super) is_open: bool,
    kept: VecDeque<u8>,
}

impl Output {
    pub(super) fn of(pipe: impl Into<OwnedFd>) -> io::Result<Self> {
        Ok(Self {
            pipe: Receiver::from_owned_fd(pipe.into())?,
            is_open: true,
            kept: VecDeque::new(),
        })
    }

    /// Waits until something comes, and reads it. Losing the future loses nothing.
    pub(super) async fn read(&mut self) {
        if self.pipe.readable().await.is_err() {
            self.is_open = false;
        }
        self.read_at_hand();
    }

    /// Reads what has come. False if nothing has, or nothing can come any more.
    fn read_at_hand(&mut self) -> bool {
        let mut buffer = [0; READ];
        match self.pipe.try_read(&mut buffer) {
            Ok(0) => self.is_open = false,
            Ok(length) => {
                self.kept.extend(&buffer[..length]);
                self.kept.drain(..self.kept.len().saturating_sub(KEPT));
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.is_open = false,
        }
        false
    }

    /// The end of all that was written. The program has ended; what it has started may still write,
    /// and is not waited for.
    pub(super) fn end(mut self) -> String {
        const MOST: usize = 1024;
        for _ in 0..MOST {
            if !self.read_at_hand() {
                break;
            }
        }
        let bytes: Vec<u8> = self.kept.into();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// The last line that is not empty.
pub(super) fn last_line(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim).rev();
    lines.find(|it| !it.is_empty()).unwrap_or_default()
}

/// The last lines with words, each of limited length, with ` / ` between them.
pub(super) fn last_lines(text: &str) -> String {
    const LINES: usize = 3;
    const MOST: usize = 160;
    let shortened = last_of(text, LINES).into_iter().map(|it| {
        let line: String = it.line.trim().chars().take(MOST).collect();
        format!("{line}{}", it.times())
    });
    shortened.collect::<Vec<_>>().join(" / ")
}

/// The last lines with words, as they are, one below the other.
pub(super) fn last_lines_below(text: &str, most: usize) -> String {
    let last = last_of(text, most).into_iter();
    last.map(|it| format!("\n  {}{}", it.line.trim_end(), it.times()))
        .collect()
}

/// A line that was written one or more times in a row.
struct RepeatedLine<'t> {
    line: &'t str,
    count: usize,
}

impl RepeatedLine<'_> {
    /// How often, as the end of the line.
    fn times(&self) -> String {
        match self.count {
            1 => String::new(),
            count => format!(" ({count} times)"),
        }
    }
}

/// The last lines with words. Equal ones that follow each other are one.
fn last_of(text: &str, most: usize) -> Vec<RepeatedLine<'_>> {
    let mut last: Vec<RepeatedLine<'_>> = Vec::new();
    for line in text.lines().rev().filter(|it| has_words(it)) {
        let count = last.len();
        match last.last_mut() {
            Some(later) if later.line.trim_end() == line.trim_end() => later.count += 1,
            _ if count == most => break,
            _ => last.push(RepeatedLine { line, count: 1 }),
        }
    }
    last.reverse();
    last
}

/// Whether a line says something. Python marks a place in the line above with `^` and `~`.
fn has_words(line: &str) -> bool {
    line.chars()
        .any(|it| !it.is_whitespace() && !matches!(it, '^' | '~'))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_long_output_is_kept() {
        let (reading, mut writing) = io::pipe().unwrap();
        let mut output = Output::of(reading).unwrap();
        let writer = std::thread::spawn(move || {
            for number in 0..40_000 {
                writeln!(writing, "line {number}").unwrap();
            }
        });
        while output.is_open {
            output.read().await;
            assert!(output.kept.len() <= KEPT);
        }
        writer.join().unwrap();
        let text = output.end();
        assert_eq!(text.len(), KEPT);
        assert_eq!(last_line(&text), "line 39999");
    }

    #[test]
    fn the_last_lines_are_on_one() {
        let text = "0\n1\n2\n3\n\n 4 \n5\n";
        assert_eq!(last_lines(text), "3 / 4 / 5");
        assert_eq!(last_lines("\n"), "");
        assert_eq!(last_lines(&"x".repeat(300)).len(), 160);
    }

    #[test]
    fn of_the_last_lines_equal_ones_are_one_and_marks_are_left_out() {
        let line = "  GET /health 404";
        let many = format!("start\n{}", format!("{line}\n").repeat(15));
        assert_eq!(last_lines(&many), "start / GET /health 404 (15 times)");
        let below = "\n  start\n    GET /health 404 (15 times)";
        assert_eq!(last_lines_below(&many, 15), below);
        let trace = "  pay(order)\n  ~~~^^^^^^^\n\nKeyError: 'sum'\n";
        assert_eq!(last_lines(trace), "pay(order) / KeyError: 'sum'");
        assert_eq!(last_lines_below("a\nb\na\n", 2), "\n  b\n  a");
        assert_eq!(last_lines_below("\n ^\n", 2), "");
    }

    #[test]
    fn the_last_line_is_one_with_words() {
        assert_eq!(last_line("a\n b \n\n \n"), "b");
        assert_eq!(last_line("\n"), "");
    }
}
