//! The map in `src/lib.rs`: what it says about the modules is so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules in the reading order of the map.
fn reading_order() -> Vec<String> {
    let library = fs::read_to_string(source().join("lib.rs")).unwrap();
    let (_, map) = library.split_once("# Map\n").unwrap();
    let lines = map.lines().take_while(|line| line.starts_with("//!"));
    let items = lines.filter_map(|line| line.strip_prefix("//! - ")?.split_once(": "));
    let names = items.flat_map(|(names, _)| names.split(", "));
    names
        .map(|name| name.trim_matches(['`', '[', ']']).to_owned())
        .collect()
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The source files of a module, without their unit tests.
fn code_of(module: &str) -> String {
    let file = source().join(format!("{module}.rs"));
    let files = if file.exists() {
        vec![file]
    } else {
        files_below(&source().join(module))
    };
    let code = files.iter().map(|file| {
        let code = fs::read_to_string(file).unwrap();
        let (code, _) = code
            .split_once("#[cfg(test)]\nmod tests")
            .unwrap_or((&code, ""));
        code.to_owned()
    });
    code.collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let files = entries.flat_map(|path| {
        if path.is_dir() {
            files_below(&path)
        } else {
            vec![path]
        }
    });
    files.collect()
}

/// The modules at the top that a module uses.
fn used_by(module: &str) -> BTreeSet<String> {
    let code = code_of(module);
    let statements = code
        .split(";\n")
        .filter_map(|it| it.split_once("use crate::"));
    let used = statements.flat_map(|(_, used)| match used.strip_prefix('{') {
        Some(several) => several.split(", ").collect(),
        None => vec![used],
    });
    let name = |used: &str| {
        used.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .next()
            .unwrap()
            .to_owned()
    };
    used.map(name).collect()
}

#[test]
fn the_map_has_every_module() {
    let library = fs::read_to_string(source().join("lib.rs")).unwrap();
    let declared = library.lines().filter_map(|line| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    let declared: BTreeSet<_> = declared.map(str::to_owned).collect();
    assert_eq!(declared, reading_order().into_iter().collect());
}

#[test]
fn used_modules_are_read_from_the_code() {
    assert!(used_by("run").contains("report"));
    assert!(used_by("exhibits").contains("race"));
}

/// So there is no circle.
#[test]
fn no_module_uses_a_later_one() {
    let order = reading_order();
    for (at, module) in order.iter().enumerate() {
        let later: BTreeSet<_> = order[at + 1..].iter().cloned().collect();
        let wrong: Vec<_> = used_by(module).intersection(&later).cloned().collect();
        assert!(wrong.is_empty(), "{module} uses {wrong:?}");
    }
}

#[test]
fn only_a_target_s_name_knows_the_exhibits() {
    for module in reading_order() {
        let knows = used_by(&module).contains("exhibits");
        let may = module == "target_name" || module == "exhibits";
        assert!(may || !knows, "{module} uses an exhibit");
    }
}
