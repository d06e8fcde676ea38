//! The matrix: every strategy on every engine at every level, a cell for each.

use std::fmt::Write as _;

use super::text::{about_thinking, sentence};
use super::{FindingData, Report, sql, timeline};
use crate::engine::{Engine, Flavour, Journal};

/// What the page is about.
const HEADING: &str = "Which code goes wrong where";

/// One engine in one mode, with a column for each level.
#[derive(Debug)]
struct Table<'r> {
    title: String,
    columns: Vec<String>,
    rows: Vec<Row<'r>>,
}

/// One subject, with a cell for each column. None if it was not explored there.
#[derive(Debug)]
struct Row<'r> {
    strategy: &'r str,
    /// The number of instances in words. Empty if it is one.
    several_instances: String,
    cells: Vec<Option<&'r FindingData>>,
}

/// The tables that the findings make, in their order.
fn tables(findings: &[FindingData]) -> Vec<Table<'_>> {
    let titles = distinct(findings.iter().map(|finding| title(&finding.engine)));
    let table = |title_here: String| {
        let here = || findings.iter().filter(|it| title(&it.engine) == title_here);
        let columns = distinct(here().map(|finding| column(&finding.engine)));
        let key = |finding: &FindingData| (finding.strategy.clone(), finding.instances);
        let first_of_each = here().filter(|finding| {
            let first = here().find(|it| key(it) == key(finding));
            first.is_some_and(|first| std::ptr::eq(first, *finding))
        });
        let row = |first: &'_ FindingData| Row {
            cells: columns
                .iter()
                .map(|it| here().find(|f| key(f) == key(first) && column(&f.engine) == *it))
                .collect(),
            strategy: "",
            several_instances: first.several_instances(),
        };
        let rows = first_of_each.map(|first| Row {
            strategy: &first.strategy,
            ..row(first)
        });
        Table {
            rows: rows.collect(),
            title: title_here,
            columns,
        }
    };
    titles.into_iter().map(table).collect()
}

/// Which table: the engine, and the mode in which it behaves differently.
pub fn title(engine: &Engine) -> String {
    match (engine.flavour, engine.snapshot_isolation) {
        (Flavour::MariaDb, true) => "MariaDB, innodb_snapshot_isolation on".to_owned(),
        (Flavour::MariaDb, false) => "MariaDB, innodb_snapshot_isolation off".to_owned(),
        (flavour, _) => flavour.to_string(),
    }
}

/// Which column of it.
pub fn column(engine: &Engine) -> String {
    match engine.journal {
        Some(Journal::Wal) => "WAL".to_owned(),
        Some(Journal::Rollback) => "rollback journal".to_owned(),
        None => engine.isolation.to_string(),
    }
}

/// The items without those that came before.
pub fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.fold(Vec::new(), |mut known, item| {
        if !known.contains(&item) {
            known.push(item);
        }
        known
    })
}

/// A cell in words, with a dagger if something was left out where ends were compared.
pub fn cell(finding: &FindingData) -> String {
    let in_part = if finding.compared_in_part { " †" } else { "" };
    counts(finding) + in_part
}

/// The anomalies, the refusals with their codes, and the number of schedules.
fn counts(finding: &FindingData) -> String {
    let of = match (&*finding.policy, finding.exhaustive) {
        ("random", _) => format!("{} drawn", finding.schedules),
        (_, true) => finding.schedules.to_string(),
        (_, false) => format!("{} run", finding.schedules),
    };
    let refused = finding.refused.iter().map(|it| {
        let count = it.schedules;
        match (&it.code, it.fault) {
            (Some(code), _) => format!(", {count} refused ({code})"),
            (None, Some(fault)) => format!(", {count} refused ({fault})"),
            (None, None) => format!(", {count} declined"),
        }
    });
    let refused: String = refused.collect();
    let found = counts_by_word(finding);
    let nothing = &finding.nothing;
    match &found[..] {
        [] if finding.exhaustive && refused.is_empty() => format!("✓ all {of} safe"),
        [] if finding.exhaustive => format!("✓ 0 of {of} {nothing}{refused}"),
        [] => format!("? 0 of {of} {nothing}{refused}"),
        [(count, word)] => format!("✗ {count} of {of} {word}{refused}"),
        several => {
            let several: Vec<_> = several
                .iter()
                .map(|(count, word)| format!("{count} {word}"))
                .collect();
            format!("✗ {} of {of}{refused}", several.join(", "))
        }
    }
}

/// How many schedules go wrong, by the word for it. Several invariants of a scenario share a word.
fn counts_by_word(finding: &FindingData) -> Vec<(u64, &str)> {
    let mut counts: Vec<(u64, &str)> = Vec::new();
    for (anomaly, count) in finding.found() {
        match counts.iter_mut().find(|(_, word)| *word == &*anomaly.word) {
            Some((known, _)) => *known += count,
            None => counts.push((count, &anomaly.word)),
        }
    }
    counts
}

/// The engines on which all this was found.
fn grounds(findings: &[FindingData]) -> String {
    let engines = findings.iter().map(|finding| &finding.engine);
    let versions = engines.map(|engine| format!("{} {}", engine.flavour, engine.version));
    distinct(versions).join(", ")
}

/// What is not as the cards or the scenario files say, and where. It makes the exit status 1.
fn not_as_expected(findings: &[FindingData]) -> Vec<String> {
    let unexpected = findings.iter().flat_map(|finding| {
        let (strategy, engine) = (&finding.strategy, &finding.engine);
        let said = finding.unexpected.iter();
        said.map(move |it| format!("{strategy} on {engine}: {it}"))
    });
    unexpected.collect()
}

/// What the cells mean, made of the anomalies of what is shown.
pub fn legend(findings: &[FindingData]) -> String {
    let clients = distinct(findings.iter().map(|it| it.clients.to_string())).join(" or ");
    let anomalies = findings.iter().flat_map(|it| &it.legend);
    let words = distinct(anomalies.map(|it| format!("{}: {}", it.word, it.meaning)));
    let (schedules, open) = if findings.iter().all(|it| it.exhaustive) {
        ("of all schedules", "")
    } else {
        let open = " A question mark: no schedule that was run goes wrong, but not all were run.";
        ("of the schedules that were run", open)
    };
    let in_part = if findings.iter().any(|it| it.compared_in_part) {
        " A dagger: what differs between two runs of one serial order was not compared."
    } else {
        ""
    };
    format!(
        "Each cell counts how many {schedules} of {clients} clients go wrong, and how. It also counts those \
         in which a client is refused, with the engine's code, or declined by the strategy itself. The words \
         mean: {}.{open}{in_part}",
        words.join("; ")
    )
}

/// The matrix as Markdown tables, one for each engine.
pub fn markdown(report: &Report) -> String {
    let findings = &report.findings[..];
    let mut text = String::new();
    if !findings.is_empty() {
        let _ = writeln!(text, "# {HEADING}\n\n{}\n", legend(findings));
    }
    for table in tables(findings) {
        let _ = writeln!(text, "## {}\n", table.title);
        let _ = writeln!(text, "| strategy | {} |", table.columns.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(table.columns.len()));
        for row in &table.rows {
            let cells: Vec<_> = row
                .cells
                .iter()
                .map(|it| it.map(cell).unwrap_or_default())
                .collect();
            let (strategy, instances) = (row.strategy, &row.several_instances);
            let _ = writeln!(text, "| `{strategy}`{instances} | {} |", cells.join(" | "));
        }
        text.push('\n');
    }
    if !findings.is_empty() {
        let _ = writeln!(text, "Found on {}.", grounds(findings));
    }
    for unexpected in not_as_expected(findings) {
        let _ = writeln!(text, "Not as expected: {unexpected}");
    }
    for engine in &report.missing {
        let _ = writeln!(text, "Not run: {engine}");
    }
    let _ = write!(text, "\n{}", about_thinking(report));
    text
}

/// The matrix as one page without anything outside itself. Each cell leads to the verdict in words
/// and to the simplest schedule that goes wrong or, if none does, in which a client is refused.
///
/// One line names the versions. Apart from it, what is found on one engine is the same on every
/// machine, and so is its section, whatever else is in the page.
pub fn html(report: &Report) -> String {
    let findings = &report.findings[..];
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Racy: {HEADING}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header><h1>{HEADING}</h1>\n<p>{} Click a cell for the simplest schedule that goes wrong or, if \
         none does, in which a client is refused.</p>\n\
         <p>Found on {} by <code>racy explore --matrix --format html</code>.</p>\n",
        escaped(&legend(findings)),
        escaped(&grounds(findings)),
    );
    for unexpected in not_as_expected(findings) {
        let _ = writeln!(page, "<p>Not as expected: {}</p>", escaped(&unexpected));
    }
    for engine in &report.missing {
        let _ = writeln!(page, "<p>Not run: {}</p>", escaped(engine));
    }
    let _ = writeln!(
        page,
        "<p>{}</p>\n</header>\n<main>",
        escaped(about_thinking(report))
    );
    for table in tables(findings) {
        write_section(&mut page, &table);
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

/// A table and the details of its cells.
fn write_section(page: &mut String, table: &Table<'_>) {
    let _ = writeln!(page, "<section><h2>{}</h2>", escaped(&table.title));
    write_table(page, table);
    for finding in table.rows.iter().flat_map(|row| row.cells.iter().flatten()) {
        write_detail(page, finding);
    }
    page.push_str("</section>\n");
}

fn write_table(page: &mut String, table: &Table<'_>) {
    page.push_str("<div class=\"scroll\"><table>\n<thead><tr><th scope=\"col\">strategy</th>");
    for column in &table.columns {
        let _ = write!(page, "<th scope=\"col\">{}</th>", escaped(column));
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        let _ = write!(
            page,
            "<tr><th scope=\"row\"><code>{}</code>{}</th>",
            escaped(row.strategy),
            row.several_instances
        );
        for finding in &row.cells {
            let Some(finding) = finding else {
                page.push_str("<td></td>");
                continue;
            };
            let _ = write!(
                page,
                "<td class=\"{}\"><a href=\"#{}\">{}</a></td>",
                class(finding),
                anchor(finding),
                escaped(&cell(finding))
            );
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</tbody></table></div>\n");
}

/// The name of a finding's detail within the page.
fn anchor(finding: &FindingData) -> String {
    let (strategy, instances) = (&finding.strategy, finding.several_instances());
    let name = format!("{} {strategy}{instances}", place(finding));
    let words = name.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    words.join("-").to_lowercase()
}

/// The engine, its mode and its level, without the version.
fn place(finding: &FindingData) -> String {
    let engine = &finding.engine;
    format!("{}, {}", title(engine), column(engine))
}

/// The class of a cell. Its colour is not all that tells: each cell begins with a sign.
pub fn class(finding: &FindingData) -> &'static str {
    let is_anomalous = finding.found().next().is_some();
    match (is_anomalous, finding.refused.is_empty()) {
        (true, _) => "lost",
        (false, _) if !finding.exhaustive => "open",
        (false, true) => "safe",
        (false, false) => "refused",
    }
}

fn write_detail(page: &mut String, finding: &FindingData) {
    let _ = writeln!(
        page,
        "<article id=\"{}\">\n<p><a href=\"#\">← the matrix</a></p>\n\
         <h2><code>{}</code>{} on {}</h2>\n<p>{}.</p>",
        anchor(finding),
        escaped(&finding.strategy),
        finding.several_instances(),
        escaped(&place(finding)),
        escaped(&sentence(&finding.verdict)),
    );
    match finding.shown() {
        Some((heading, example)) => {
            let _ = writeln!(
                page,
                "<h3>{heading}: <code>{}</code>{}</h3>\n<pre>{}</pre>",
                example.schedule,
                example.preemptions_in_words(),
                escaped(&timeline::draw(finding, example)),
            );
            if let Some(script) = sql::script(finding, example) {
                let _ = writeln!(
                    page,
                    "<details><summary>The same as SQL</summary><pre>{}</pre></details>",
                    escaped(&script)
                );
            }
        }
        None => page.push_str("<p>No schedule goes wrong, and no client is refused.</p>\n"),
    }
    for assumption in &finding.assumptions {
        let _ = writeln!(page, "<p>Taken for granted: {}.</p>", escaped(assumption));
    }
    page.push_str("</article>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --safe: #2a7d2a; --refused: #9a6700; --lost: #c0261c; }
@media (prefers-color-scheme: dark) { :root { --safe: #6fce6f; --refused: #e3b341; --lost: #ff8b80; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; min-width: 40rem; }
th, td { border: 1px solid var(--line); padding: .35rem .6rem; text-align: left; font-weight: normal; }
thead th { font-weight: 600; }
td a { color: inherit; display: block; text-decoration-style: dotted; }
.safe { color: var(--safe); } .refused { color: var(--refused); } .lost { color: var(--lost); }
pre { border: 1px solid var(--line); padding: 1rem; overflow-x: auto; font-size: 14px; }
article { display: none; }
article:target { display: block; }
body:has(article:target) :is(header, section > :not(article)) { display: none; }
";

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::super::read::tests::report as sample;
    use super::*;

    #[test]
    fn a_cell_of_what_was_compared_in_part_has_a_dagger() {
        let mut report = read(sample().to_string().as_bytes()).unwrap();
        let page = html(&report);
        assert!(page.contains("<p>Taken for granted: yes.</p>"), "{page}");
        let table = markdown(&report);
        let cell = "| ✗ 1 of 3 drawn wrong, 1 refused (1213) † |";
        assert!(table.contains(cell), "{table}");
        assert!(table.contains(" A dagger: "), "{table}");
        report.findings[0].compared_in_part = false;
        assert!(!markdown(&report).contains(['†']));
        assert!(!legend(&report.findings).contains("dagger"));
    }

    #[test]
    fn nothing_in_a_page_is_taken_for_markup() {
        assert_eq!(
            escaped("a < b & \"c\" > d"),
            "a &lt; b &amp; &quot;c&quot; &gt; d"
        );
    }

    #[test]
    fn what_comes_twice_is_named_once_in_the_order_of_its_first() {
        assert_eq!(distinct([2, 1, 2, 3, 1].into_iter()), [2, 1, 3]);
    }
}
