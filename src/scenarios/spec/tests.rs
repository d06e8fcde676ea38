use super::*;

const VOUCHER: &str = r#"
# One voucher.
setup { CREATE TABLE voucher (used int); }
setup
{
  INSERT INTO voucher VALUES (0);
}
teardown { DROP TABLE voucher; }

session "first one"
setup { BEGIN; }
step r1 { SELECT used FROM voucher; }
step "c ""1""" {	COMMIT;  }
teardown { SELECT 1; }

session s2
step w2$é { UPDATE voucher SET used = 1; }

permutation r1 "c ""1""" w2$é
permutation w2$é (r1, * , "c ""1""" notices 2) r1(*) "c ""1"""
"#;

fn parsed(text: &str) -> Spec {
    Spec::parse(text).unwrap()
}

fn error(text: &str) -> String {
    Spec::parse(text).unwrap_err().to_string()
}

fn names<'s>(spec: &'s Spec, permutation: &Permutation) -> Vec<&'s str> {
    let steps = permutation.steps.iter();
    steps.map(|it| spec.step(it).name.as_str()).collect()
}

#[test]
fn a_file_is_read_whole() {
    let spec = parsed(VOUCHER);
    assert_eq!(spec.setup.len(), 2);
    assert_eq!(spec.setup[0].text, "CREATE TABLE voucher (used int);");
    let second = &spec.setup[1];
    assert_eq!(
        (second.text.as_str(), second.line),
        ("\n  INSERT INTO voucher VALUES (0);\n", 5)
    );
    assert_eq!(spec.teardown.as_ref().unwrap().text, "DROP TABLE voucher;");
    let [first, second] = &spec.sessions[..] else {
        panic!("{:?}", spec.sessions);
    };
    assert_eq!(first.name, "first one");
    assert_eq!(first.setup.as_ref().unwrap().text, "BEGIN;");
    assert_eq!(first.teardown.as_ref().unwrap().line, 14);
    assert_eq!(first.steps[1].name, "c \"1\"");
    assert_eq!(first.steps[1].sql.text, "COMMIT;");
    assert_eq!((second.name.as_str(), second.steps[0].sql.line), ("s2", 17));
    assert_eq!(second.setup, None);
}

#[test]
fn permutations_mean_steps_and_annotations() {
    let spec = parsed(VOUCHER);
    let [plain, annotated] = &spec.permutations[..] else {
        panic!("{:?}", spec.permutations);
    };
    assert_eq!(names(&spec, plain), ["r1", "c \"1\"", "w2$é"]);
    assert_eq!((plain.line, annotated.line), (Some(19), Some(20)));
    assert_eq!(names(&spec, annotated), ["w2$é", "r1", "c \"1\""]);
    let expected = [
        Blocker::Step {
            session: 0,
            step: 0,
        },
        Blocker::Once,
        Blocker::Notices {
            session: 0,
            count: 2,
        },
    ];
    assert_eq!(annotated.steps[0].blockers, expected);
    assert_eq!(annotated.steps[1].blockers, [Blocker::Once]);
}

#[test]
fn steps_that_no_permutation_uses_are_known() {
    let text = "session s step a {A} step b {B} session t step c {C}";
    assert!(parsed(text).unused_steps().is_empty());
    let spec = parsed(&format!("{text} permutation c a"));
    let unused: Vec<_> = spec.unused_steps().iter().map(|it| &it.name).collect();
    assert_eq!(unused, ["b"]);
}

#[test]
fn without_a_permutation_every_interleaving_is_meant() {
    let spec = parsed("session s step a {A} step b {B} session t step c {C} step d {D}");
    let all: Vec<_> = spec.all_permutations().collect();
    let all: Vec<_> = all.iter().map(|it| names(&spec, it).concat()).collect();
    assert_eq!(all, ["abcd", "acbd", "acdb", "cabd", "cadb", "cdab"]);
}

#[test]
fn there_are_as_many_interleavings_as_the_formula_says() {
    let count = |text| parsed(text).all_permutations().count();
    assert_eq!(count("session s step a {}"), 1);
    assert_eq!(count("session s step a {} session t step b {}"), 2);
    let three = "session s step a {} step b {} session t step c {} step d {}
                 session u step e {} step f {}";
    assert_eq!(count(three), 90);
}

/// A text, and what its error says.
const ERRORS: [(&str, &str); 24] = [
    (
        "",
        "line 1, column 1: before the first session comes session NAME, not the end of the file",
    ),
    (
        "setup CREATE",
        "line 1, column 7: after \"setup\" comes { SQL }, not the name \"CREATE\"",
    ),
    (
        "setup { SELECT",
        "line 1, column 7: this block of SQL has no end; a \"}\"",
    ),
    (
        "session\n  \"s",
        "line 2, column 3: this quoted name has no end in its line",
    ),
    (
        "session 's'",
        "line 1, column 9: a name is quoted with \", not with '",
    ),
    (
        "session s\nstep a {'}'}",
        "line 2, column 11: a name is quoted with \", not with '. A block ends at its first",
    ),
    (
        "session s step a {} }",
        "line 1, column 21: \"}\" ends no block of SQL",
    ),
    (
        "session s step a {};",
        "line 1, column 20: \";\" stands within blocks of SQL only",
    ),
    (
        "session s step a {} [",
        "line 1, column 21: '[' begins nothing",
    ),
    (
        "session step",
        "line 1, column 9: after \"session\" comes a name, not the word \"step\"; as a name it is \
         written \"step\" in quotes",
    ),
    (
        "session s permutation a",
        "line 1, column 11: in session \"s\", which has no step yet, comes step NAME { SQL }",
    ),
    (
        "session s step a",
        "line 1, column 17: after \"step a\" comes { SQL }, not the end",
    ),
    (
        "session s step a {} step b {} step a {}",
        "line 1, column 36: a second step \"a\", beside the one in line 1",
    ),
    (
        "session s step a {} setup {}",
        "line 1, column 21: the word \"setup\" is out of place: set-up",
    ),
    (
        "session s step a {} teardown {} teardown {}",
        "line 1, column 33: the word \"teardown\" is out of place: the file's teardown comes",
    ),
    (
        "session s step a {} teardown {} step b {}",
        "out of place: steps come after \"session NAME\"",
    ),
    (
        "session s step a {} permutation a session t",
        "out of place: sessions come before the first permutation",
    ),
    (
        "session s step a {} permutation",
        "after \"permutation\" comes a name, not the end",
    ),
    (
        "session s step a {} permutation a b",
        "column 35: there is no step \"b\"; there are a",
    ),
    (
        "session s step a {} permutation a()",
        "in an annotation comes *, STEP or STEP notices NUMBER",
    ),
    (
        "session s step a {} permutation a(* *)",
        "in an annotation comes \",\" or \")\", not \"*\"",
    ),
    (
        "session s step a {} session t step b {} permutation a(b)",
        "column 55: step \"b\" is not in this permutation",
    ),
    (
        "session s step a {} step b {} permutation a b(a notices 1)",
        "step \"b\" cannot wait for step \"a\" of its own session \"s\"",
    ),
    (
        "session s step a {} permutation a(a notices 9999999999)",
        "column 45: 9999999999 is too large; at most 2147483647 is right",
    ),
];

#[test]
fn a_mistake_is_told_with_its_place_and_what_would_be_right() {
    for (text, expected) in ERRORS {
        let error = error(text);
        assert!(error.contains(expected), "{text}\n{error}\n{expected}");
    }
}

#[test]
fn keywords_are_told_from_names_that_begin_like_them() {
    let spec = parsed(
        "session sessions step steps {} step \"setup\" {} permutation setup1 steps"
            .replace("setup1", "\"setup\"")
            .as_str(),
    );
    assert_eq!(names(&spec, &spec.permutations[0]), ["setup", "steps"]);
}

/// Cuts, doubled and exchanged characters of a valid file, and noise of the format's own signs.
#[test]
fn no_input_panics() {
    let bounds = VOUCHER.char_indices().map(|(at, _)| at);
    for at in bounds {
        let _ = Spec::parse(&VOUCHER[..at]);
        let _ = Spec::parse(&VOUCHER[at..]);
        for sign in [
            "{", "}", "\"", "(", ")", ",", "*", "#", "\0", "\n", "é", "7", " setup ",
        ] {
            let _ = Spec::parse(&format!("{}{sign}{}", &VOUCHER[..at], &VOUCHER[at..]));
        }
    }
    const PIECES: [&str; 18] = [
        "setup",
        "teardown",
        "session",
        "step",
        "permutation",
        "notices",
        "{",
        "}",
        "{}",
        "\"",
        "a",
        "b",
        "(",
        ")",
        ",",
        "*",
        "12",
        "\n",
    ];
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..20_000 {
        let length = random.usize(0..24);
        let pieces = (0..length).map(|_| PIECES[random.usize(0..PIECES.len())]);
        let _ = Spec::parse(&pieces.collect::<Vec<_>>().join(" "));
    }
}
