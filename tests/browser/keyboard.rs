//! A visitor without a mouse.

use serde_json::{Value, json};

use super::Visit;
use crate::support::TestEngine;

on_engines!(
    mysql:
        the_focus_comes_to_every_control_and_is_seen,
        a_picture_and_a_schedule_are_walked_by_keys;
);

const WALK: &str = include_str!("scripts/walk.js");
const WALKED: &str = include_str!("scripts/walked.js");

const TAB: char = '\u{E004}';
const ENTER: char = '\u{E007}';
const ESCAPE: char = '\u{E00C}';
const END: char = '\u{E010}';
const HOME: char = '\u{E011}';
const LEFT: char = '\u{E012}';
const RIGHT: char = '\u{E014}';
const DOWN: char = '\u{E015}';

/// The pages with controls of their own. Of the matrix, few cells are enough.
const PAGES: [&str; 12] = [
    "/",
    "/runs",
    "/explore",
    "/matrix?exhibit=orders&engine=mysql",
    "/matrix/mysql/repeatable-read/atomic_no_delay",
    "/why",
    "/why/atomic_long_delay",
    "/scenarios",
    "/compare",
    "/open",
    "/accounts.html",
    "/admin/login",
];

async fn the_focus_comes_to_every_control_and_is_seen(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    let run = visit.a_lossy_run().await;
    let mut wrong = Vec::new();
    for page in PAGES.iter().copied().chain([run.as_str()]) {
        visit.goto(page).await;
        let controls = visit.browser.run(WALK, &[]).await.as_u64().unwrap();
        assert!(controls > 5, "{page}: {controls}");
        let more = 5;
        let presses = usize::try_from(controls).unwrap() + more;
        visit.browser.keys([TAB].repeat(presses)).await;
        let found = visit.browser.run(WALKED, &[]).await;
        wrong.extend(
            found
                .as_array()
                .unwrap()
                .iter()
                .map(|it| format!("{page}: {it}")),
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    visit.end().await;
}

async fn a_picture_and_a_schedule_are_walked_by_keys(engine: TestEngine) {
    let visit = Visit::to(engine).await;
    let run = visit.a_lossy_run().await;
    visit.picture(&run).await;
    assert_keys_walk_the_picture(&visit).await;
    assert_enter_selects_a_loss(&visit).await;
    assert_buttons_keep_the_focus(&visit).await;

    visit
        .picture("/matrix/mysql/repeatable-read/atomic_no_delay?reveal=1")
        .await;
    assert_keys_walk_the_schedule(&visit).await;
    assert_buttons_keep_the_focus(&visit).await;
    visit.end().await;
}

async fn focus(visit: &Visit, css: &str) {
    let focus = "document.querySelector(arguments[0]).focus()";
    visit.browser.run(focus, &[json!(css)]).await;
}

/// What stands after `#` in the address.
async fn hash(visit: &Visit) -> String {
    let hash = visit.browser.run("return location.hash", &[]).await;
    hash.as_str().unwrap().to_owned()
}

async fn assert_keys_walk_the_picture(visit: &Visit) {
    let browser = &visit.browser;
    focus(visit, "#picture .tl-bars").await;
    browser.keys([ESCAPE, ESCAPE, RIGHT, HOME]).await;
    let first = hash(visit).await;
    assert!(first.ends_with("-0"), "{first}");
    browser.keys([RIGHT, RIGHT, LEFT]).await;
    let second = hash(visit).await;
    let (lane_before, _) = first.rsplit_once('-').unwrap();
    assert_eq!(second, format!("{lane_before}-1"));
    browser
        .until("document.querySelector('#picture .ring').getAttribute('visibility') === 'visible'")
        .await;
    browser.keys([END]).await;
    let last = "return JSON.parse(document.getElementById('record').textContent)\
                .lanes[Number(location.hash.split('-')[1])].steps.length - 1";
    let last = browser.run(last, &[]).await;
    assert!(hash(visit).await.ends_with(&format!("-{last}")));
    let lane = |hash: String| hash.split('-').nth(1).unwrap().to_owned();
    let before = lane(hash(visit).await);
    browser.keys([DOWN]).await;
    assert_ne!(lane(hash(visit).await), before);
    let bars = "return document.querySelector('#picture .tl-bars').width.baseVal.value";
    let width = browser.run(bars, &[]).await.as_f64().unwrap();
    browser.keys(['+']).await;
    assert!(browser.run(bars, &[]).await.as_f64().unwrap() > width);
    // Enter leads to the step's row, and Enter there back to the step.
    browser.keys([ENTER]).await;
    browser
        .until("document.activeElement.closest('tr.on')")
        .await;
    assert_eq!(visible_focus(visit).await, json!(true));
}

/// Whether the focus is somewhere, and is seen.
async fn visible_focus(visit: &Visit) -> Value {
    let seen = "const it = document.activeElement; const style = getComputedStyle(it);\
                return it !== document.body && style.outlineStyle !== 'none'";
    visit.browser.run(seen, &[]).await
}

async fn assert_enter_selects_a_loss(visit: &Visit) {
    focus(visit, "#loss-2 a").await;
    visit.browser.keys([ENTER]).await;
    visit.browser.shows("#picture .which", "Loss 2 of").await;
    assert_eq!(hash(visit).await, "#loss=2");
    visit.browser.keys([TAB]).await;
    assert_eq!(visible_focus(visit).await, json!(true));
}

/// What a button draws anew does not take the focus away from it.
async fn assert_buttons_keep_the_focus(visit: &Visit) {
    let buttons = "window.tools = [...document.querySelectorAll('#picture .tools button')];\
                   return window.tools.length";
    let buttons = visit.browser.run(buttons, &[]).await.as_u64().unwrap();
    assert!(buttons >= 5, "{buttons}");
    for number in 0..buttons {
        // Beside the table there are no buttons for the picture.
        let focus = "document.querySelector('[data-mode=time]')?.click();\
                     window.pressed = window.tools[arguments[0]]; window.pressed.focus();\
                     return window.pressed.textContent";
        let label = visit.browser.run(focus, &[json!(number)]).await;
        visit.browser.keys([ENTER]).await;
        let kept = "return document.activeElement === window.pressed";
        assert_eq!(visit.browser.run(kept, &[]).await, json!(true), "{label}");
    }
}

async fn assert_keys_walk_the_schedule(visit: &Visit) {
    focus(visit, "#picture .sched").await;
    let steps = "return JSON.parse(document.getElementById('record').textContent).steps.length";
    let last = visit.browser.run(steps, &[]).await.as_u64().unwrap();
    for (keys, place) in [
        (vec![RIGHT, RIGHT, RIGHT], 3),
        (vec![LEFT], 2),
        (vec![END], last),
        (vec![RIGHT], last),
        (vec![LEFT], last - 1),
        (vec![HOME], 0),
        (vec![LEFT], 0),
    ] {
        visit.browser.keys(keys).await;
        assert_eq!(hash(visit).await, format!("#s={place}"));
        let said = match place {
            0 => "Start".to_owned(),
            _ => format!("Step {place} of {last}"),
        };
        visit.browser.shows("#picture .say", &said).await;
        visit
            .browser
            .until(&format!("document.querySelector('#s-{place}.on')"))
            .await;
    }
}
