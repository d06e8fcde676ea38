//! The files that the pages are made of. They are part of the program; in the compose lab nginx
//! serves the same files from `static/`.

/// A file that is part of the program.
#[derive(Debug, Clone, Copy)]
pub struct Asset {
    /// Its path in URLs.
    pub path: &'static str,
    /// Its type.
    pub media_type: &'static str,
    /// What is in it.
    pub text: &'static str,
}

/// The style sheet of all pages.
pub const STYLE: Asset = Asset {
    path: "/racy.css",
    media_type: "text/css; charset=utf-8",
    text: include_str!("../../static/racy.css"),
};

macro_rules! modules {
    ($($name:literal),* $(,)?) => {
        [$(Asset {
            path: concat!("/", $name),
            media_type: "text/javascript; charset=utf-8",
            text: include_str!(concat!("../../static/", $name)),
        }),*]
    };
}

/// The scripts, one ES module a file. Each stands behind those that it imports.
pub const MODULES: &[Asset] = &modules![
    "words.js",
    "address.js",
    "scale.js",
    "lanes.js",
    "marks.js",
    "chart.js",
    "details.js",
    "timeline.js",
    "source.js",
    "predict.js",
    "steps.js",
    "stepper.js",
    "live.js",
    "forms.js",
    "console.js",
];

/// All files.
pub fn all() -> impl Iterator<Item = &'static Asset> {
    [&STYLE].into_iter().chain(MODULES)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_in_the_folder_is_served() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("static");
        let files = fs::read_dir(folder).unwrap();
        let there: BTreeSet<_> = files
            .map(|file| format!("/{}", file.unwrap().file_name().to_str().unwrap()))
            // The types of the scripts, for a checker.
            .filter(|path| !path.ends_with(".d.ts"))
            .collect();
        let served: BTreeSet<_> = all().map(|asset| asset.path.to_owned()).collect();
        assert_eq!(served, there);
    }

    #[test]
    fn a_module_stands_behind_those_that_it_imports() {
        let mut before = BTreeSet::new();
        for module in MODULES {
            for line in module.text.lines().filter(|it| it.starts_with("import ")) {
                let imported = line.split(['\'', '"']).nth(1);
                let imported = imported.and_then(|it| it.strip_prefix("./"));
                let is_before = imported.is_some_and(|it| before.contains(it));
                assert!(is_before, "{}: {line}", module.path);
            }
            before.insert(module.path.strip_prefix('/').unwrap());
        }
    }
}
