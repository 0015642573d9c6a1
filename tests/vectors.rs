//! The test vectors: made here, kept in `tests/vectors`, and replayed from there.

mod annotate;
mod build;
mod families;
mod intact;
mod print;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use agent_envelope::Error;
use serde_json::Value;

const README: &str = include_str!("vectors/README.md");

/// Codes that no vector reaches, as the README lists them with the reason.
pub(crate) const UNREACHED: [u16; 3] = [603, 902, 903];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// Every file as it should be, by its path in the folder.
fn generated() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for family in families::all() {
        let name = text(&family["family"]);
        files.insert(format!("annotated/{name}.txt"), annotate::family(&family));
        files.insert(format!("{name}.json"), print::file(&family));
    }
    files
}

/// Every file as it is, by the name of its family.
pub(crate) fn kept() -> BTreeMap<String, Value> {
    let entries = fs::read_dir(folder()).expect("the folder of the vectors");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    paths
        .filter(is_json)
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a file of vectors");
            let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (stem, serde_json::from_str(&text).expect("JSON"))
        })
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

pub(crate) fn cases(file: &Value) -> &[Value] {
    file["cases"].as_array().expect("cases")
}

fn steps(case: &Value) -> &[Value] {
    case["steps"].as_array().expect("steps")
}

fn last(case: &Value) -> &Value {
    steps(case).last().expect("a step")
}

/// The code by which a case is refused, if it is.
pub(crate) fn code(case: &Value) -> Option<u64> {
    last(case)["expect"]["error"]["code"].as_u64()
}

/// The inputs of a step: all but what comes of it.
fn inputs(step: &Value) -> Value {
    let mut step = step.clone();
    step.as_object_mut().expect("members").remove("expect");
    step
}

/// How many inputs of one step differ from those of another.
fn differences(one: &Value, other: &Value) -> usize {
    let keys =
        |step: &Value| step.as_object().expect("members").keys().cloned().collect::<Vec<_>>();
    let keys: BTreeSet<_> = keys(one).into_iter().chain(keys(other)).collect();
    keys.iter().filter(|key| one.get(key.as_str()) != other.get(key.as_str())).count()
}

/// Whether two cases differ in one input of one step, or in one step that only one of them has.
fn is_one_change(case: &Value, base: &Value) -> bool {
    let of = |case: &Value| steps(case).iter().map(inputs).collect::<Vec<_>>();
    let (case, base) = (of(case), of(base));
    if case.len() == base.len() {
        return case.iter().zip(&base).map(|(one, other)| differences(one, other)).sum::<usize>()
            == 1;
    }
    let (longer, shorter) = if case.len() > base.len() { (case, base) } else { (base, case) };
    let without = |left_out: usize| {
        let rest = longer.iter().enumerate().filter(|(index, _)| *index != left_out);
        rest.map(|(_, step)| step).eq(shorter.iter())
    };
    longer.len() == shorter.len() + 1 && (0..longer.len()).any(without)
}

/// The files below a folder that the generator makes, by their path in the folder of the vectors.
fn files_in(below: &str) -> Vec<String> {
    let entries = fs::read_dir(folder().join(below)).expect("a folder of the vectors");
    let names =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let paths = names.map(|name| if below.is_empty() { name } else { format!("{below}/{name}") });
    paths.filter(|path| path.ends_with(".json") || path.ends_with(".txt")).collect()
}

#[test]
fn the_files_are_what_the_generator_makes() {
    let made = generated();
    if std::env::var_os("AGENT_ENVELOPE_WRITE_VECTORS").is_some() {
        fs::create_dir_all(folder().join("annotated")).expect("a folder of the vectors");
        for (name, text) in &made {
            fs::write(folder().join(name), text).expect("a file of vectors");
        }
    }
    let found: BTreeSet<_> = ["", "annotated"].into_iter().flat_map(files_in).collect();
    assert_eq!(found, made.keys().cloned().collect());
    for (name, text) in &made {
        let kept = fs::read_to_string(folder().join(name)).expect("a file of vectors");
        assert!(kept == *text, "{name} is not what is made now; see tests/vectors/README.md");
    }
}

#[test]
fn every_case_comes_to_what_its_file_says() {
    let (mut all, mut wrong) = (0, Vec::new());
    for (family, file) in kept() {
        for case in cases(&file) {
            for (index, (step, found)) in
                steps(case).iter().zip(run::outcomes(&file, case)).enumerate()
            {
                let expected = &step["expect"];
                // An error is compared whole, of a result what the file states.
                let same = match expected["ok"].as_object() {
                    None => *expected == found,
                    Some(members) => found.get("ok").is_some_and(|found| {
                        members.iter().all(|(key, value)| found.get(key) == Some(value))
                    }),
                };
                if !same {
                    let name = text(&case["name"]);
                    wrong.push(format!(
                        "{family}/{name}, step {index}: {found} instead of {expected}"
                    ));
                }
                all += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all > 300, "only {all} steps were carried out");
}

#[test]
fn every_case_has_its_form_and_is_one_change_away_from_one_that_is_accepted() {
    let mut far = Vec::new();
    for (family, file) in kept() {
        assert_eq!(file["format"], "agent-envelope-vectors/1");
        assert_eq!(text(&file["family"]), family);
        let by_name: BTreeMap<_, _> =
            cases(&file).iter().map(|case| (text(&case["name"]), case)).collect();
        assert_eq!(by_name.len(), cases(&file).len(), "{family} has two cases of one name");
        for (name, case) in &by_name {
            let name = format!("{family}/{name}");
            assert!(!text(&case["comment"]).is_empty(), "{name}");
            let before = &steps(case)[..steps(case).len() - 1];
            assert!(before.iter().all(|step| step["expect"].get("ok").is_some()), "{name}");
            let rule = code(case).map(|code| format!("V-{code}"));
            assert_eq!(case["rule"].as_str(), rule.as_deref(), "{name}");
            match case["base"].as_str() {
                None => assert_eq!(rule, None, "{name} is refused and has no base"),
                Some(base) => {
                    let base = by_name.get(base).unwrap_or_else(|| panic!("{name}: no {base}"));
                    assert_eq!(code(base), None, "the base of {name} is refused");
                    if !is_one_change(case, base) {
                        far.push(name);
                    }
                }
            }
        }
    }
    assert!(far.is_empty(), "not one change away from their base: {far:?}");
}

/// Codes of §3 and some of form: what has not its form cannot be read again.
fn is_of_form(code: u64) -> bool {
    matches!(code, 101..=122)
}

#[test]
fn envelopes_are_signed_again_so_that_nothing_but_their_rule_can_refuse_them() {
    let (mut looked_at, mut wrong) = (0, Vec::new());
    for (family, file) in kept() {
        // That family is about odd signatures, which the other library would not take.
        if family == "signatures" {
            continue;
        }
        for case in cases(&file) {
            let refused = code(case);
            let envelopes = steps(case).iter().filter(|step| {
                matches!(text(&step["do"]), "decode" | "verify" | "receive" | "check-path")
            });
            for step in envelopes {
                let bytes = run::unhex(text(&step["bytes"]));
                let is_the_one = step.get("expect") == last(case).get("expect");
                if is_the_one && refused.is_some_and(is_of_form) {
                    continue;
                }
                looked_at += 1;
                for (code, what) in intact::faults(&bytes) {
                    if !(is_the_one && refused == Some(code)) {
                        wrong.push(format!("{family}/{}: {what} ({code})", text(&case["name"])));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(looked_at > 500, "only {looked_at} envelopes were looked at");
}

/// The inputs of bytes in which a case differs from its base, with the operation that takes them.
fn altered<'c>(case: &'c Value, base: &'c Value) -> Option<(&'c str, Vec<u8>, Vec<u8>)> {
    // Where a step was added, nothing was altered.
    if steps(case).len() != steps(base).len() {
        return None;
    }
    let mut pairs = steps(base).iter().zip(steps(case));
    let (old, new) = pairs.find(|(old, new)| old["bytes"] != new["bytes"])?;
    Some((text(&new["do"]), run::unhex(old["bytes"].as_str()?), run::unhex(new["bytes"].as_str()?)))
}

#[test]
fn what_is_refused_differs_from_its_base_in_few_places() {
    let (mut all, mut far, mut near) = (0, Vec::new(), 0);
    for (family, file) in kept() {
        let by_name: BTreeMap<_, _> =
            cases(&file).iter().map(|case| (text(&case["name"]), case)).collect();
        for case in cases(&file).iter().filter(|case| code(case).is_some()) {
            let Some((operation, old, new)) = altered(case, by_name[text(&case["base"])]) else {
                continue;
            };
            let places = annotate::places(operation, &old, &new);
            all += 1;
            near += usize::from(places <= 2);
            // What is of another agent, or made at another time, has other keys, salts and ids all over.
            if places > 10 {
                far.push(format!("{family}/{}: {places}", text(&case["name"])));
            }
        }
    }
    assert!(far.is_empty(), "{far:?}");
    assert!(all > 400, "{all} inputs were altered");
    assert!(near * 100 >= all * 85, "{near} of {all} differ in two places at most");
}

#[test]
fn there_are_enough_cases_and_every_code_is_reached_twice() {
    let files = kept();
    let all: Vec<_> = files.values().flat_map(|file| cases(file).iter()).collect();
    let negative = all.iter().filter(|case| code(case).is_some()).count();
    assert!(all.len() >= 250, "{} cases", all.len());
    assert!(negative * 100 >= all.len() * 70, "{negative} of {} are refused", all.len());
    let mut few = Vec::new();
    for (number, name) in Error::REGISTRY {
        let reached = all.iter().filter(|case| code(case) == Some(u64::from(*number))).count();
        let listed = README.contains(&format!("| V-{number} | "));
        assert_eq!(UNREACHED.contains(number), listed, "V-{number} in the README");
        if listed {
            assert_eq!(reached, 0, "{number} {name} is reached, so it is no exception");
        } else if reached < 2 {
            few.push(format!("{number} {name}: {reached}"));
        }
    }
    assert!(few.is_empty(), "reached less than twice: {few:?}");
}
