//! Barriers, as axe-core finds them, on every page of ours; and pages on a phone.

use std::env;
use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::Visit;
use crate::support::TestEngine;

on_engines!(
    mysql:
        no_page_has_a_barrier;
);

const AXE: &str = include_str!("scripts/axe.js");

/// Every page of ours that needs no record, each kind once.
const PAGES: [&str; 18] = [
    "/",
    "/runs",
    "/runs?reveal=1",
    "/runs/unknown",
    "/explore",
    "/matrix?exhibit=deposits&engine=mysql",
    "/matrix?verdict=unknown&engine=sqlite",
    "/matrix/mysql/repeatable-read/atomic_no_delay",
    "/matrix/mysql/repeatable-read/row_locking_atomic_long_delay",
    "/why",
    "/why/atomic_long_delay",
    "/why/orders/bakery",
    "/scenarios",
    "/scenarios/templates/counter/lost.toml",
    "/compare",
    "/open",
    "/accounts.html",
    "/admin/login",
];

/// Those of a user who is signed in.
const KEPT_PAGES: [&str; 5] = [
    "/admin",
    "/admin/accounts/1",
    "/admin/changes",
    "/scenarios",
    "/runs",
];

async fn no_page_has_a_barrier(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    let run = visit.a_lossy_run().await;
    let fields = [("what", "strategy"), ("strategy", "non_atomic_no_delay")];
    let exploration = visit.made("/explore", &fields).await;
    let fields = [
        ("first", "atomic_long_delay"),
        ("second", "atomic_no_delay"),
        ("requests", "3"),
    ];
    let comparison = visit.made("/compare", &fields).await;
    let made = [&run, &exploration, &comparison].map(String::as_str);
    let mut barriers = Vec::new();
    for page in PAGES.into_iter().chain(made) {
        barriers.extend(barriers_of(&visit, page).await);
    }
    visit.browser.resize(1280, 900).await;
    visit.sign_in().await;
    for page in KEPT_PAGES {
        barriers.extend(barriers_of(&visit, page).await);
    }
    assert!(barriers.is_empty(), "{barriers:#?}");
    visit.browser.complains_only_of("status of 404").await;
    visit.end().await;
}

/// What is wrong with a page: light and dark, and on a phone.
async fn barriers_of(visit: &Visit, page: &str) -> Vec<String> {
    let browser = &visit.browser;
    browser.resize(1280, 900).await;
    browser.prefer("light").await;
    visit.goto(page).await;
    browser.run(&axe(), &[]).await;
    let mut wrong = Vec::new();
    for (scheme, rules) in [("light", json!([])), ("dark", json!(["color-contrast"]))] {
        browser.prefer(scheme).await;
        let found = browser.run_async(AXE, &[rules]).await;
        for it in found["incomplete"].as_array().unwrap() {
            println!("{page}, {scheme}: not decided: {it}");
        }
        let found = found["violations"].as_array().unwrap().iter();
        wrong.extend(found.map(|it| format!("{page}, {scheme}: {it}")));
    }
    browser.resize(360, 740).await;
    let wide = "const it = document.scrollingElement;\
                return [it.scrollWidth, it.clientWidth]";
    let wide = browser.run(wide, &[]).await;
    if wide[0].as_u64() > wide[1].as_u64() {
        wrong.push(format!(
            "{page}: it is {} wide on a phone of {}",
            wide[0], wide[1]
        ));
    }
    wrong
}

/// The script that tools/get-axe has fetched.
fn axe() -> String {
    let path = env::var_os("RACY_AXE")
        .map(PathBuf::from)
        .unwrap_or_else(|| {
            let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
            let cache = cache.filter(|it| it.is_absolute());
            let home = || PathBuf::from(env::var_os("HOME").unwrap()).join(".cache");
            cache.unwrap_or_else(home).join("racy/axe.min.js")
        });
    fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; tools/get-axe fetches it", path.display()))
}
