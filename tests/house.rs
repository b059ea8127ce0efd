//! The arrangement of the modules: which may import which (the table in `src/lib.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pubshim::view::Only;

/// The modules at the top, lowest first: each may import only from floors below its own.
const FLOORS: &[&[&str]] = &[
    &["jid", "nearest", "ns", "policy"],
    &["xml"],
    &["pubsub", "sandbox", "wire"],
    &["translate"],
    &["session"],
    &["fixture"],
    &["view"],
    &["commands", "config"],
    &["net"],
    &["demo"],
    &["cli"],
];

#[test]
fn nothing_imports_from_its_own_floor_or_above() {
    let house = House::read();
    let floor = |module: &str| FLOORS.iter().position(|floor| floor.contains(&module));
    let mut wrong = Vec::new();
    for (module, imports) in &house.imports {
        let Some(own) = module.first() else {
            continue; // lib.rs
        };
        let Some(own_floor) = floor(own) else {
            panic!("{own} stands on no floor: add it to the table");
        };
        for import in imports {
            let of = &import[0];
            if of != own && floor(of).is_none_or(|floor| floor >= own_floor) {
                wrong.push(format!(
                    "{} imports {}",
                    module.join("::"),
                    import.join("::")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn functions_of_the_translation_do_not_know_each_other() {
    let house = House::read();
    // A function is a folder; the router knows them all, and what they share knows none.
    let function = |module: &[String]| match module {
        [top, function, _, ..] if top == "translate" => Some(function.clone()),
        _ => None,
    };
    let functions: BTreeSet<String> = house.code.keys().filter_map(|it| function(it)).collect();
    assert!(functions.len() > 1, "{functions:?}");
    let mut wrong = Vec::new();
    for (module, imports) in &house.imports {
        let is_router = module.join("::").starts_with("translate::router");
        let [top, own, ..] = &module[..] else {
            continue;
        };
        if top != "translate" || is_router {
            continue;
        }
        for import in imports {
            let [top, of, ..] = &import[..] else { continue };
            let is_above = of == "router" || functions.contains(of);
            if top == "translate" && is_above && of != own {
                wrong.push(format!(
                    "{} imports {}",
                    module.join("::"),
                    import.join("::")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_live_view_can_be_asked_for_every_rule() {
    let translate = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/translate");
    let mut names = BTreeSet::new();
    for file in rust_files(&translate) {
        let text = fs::read_to_string(file).expect("a readable file");
        let rules = text.split("Rule::new(").skip(1);
        names.extend(rules.filter_map(|rule| Some(rule.split('"').nth(1)?.to_owned())));
    }
    assert!(names.len() > 30, "{names:?}");
    let unknown: Vec<_> = names
        .iter()
        .filter(|name| name.parse::<Only>().is_err())
        .collect();
    assert!(
        unknown.is_empty(),
        "add them to src/view/names.rs: {unknown:?}"
    );
}

/// Changes to a row of the account, and the folder that may make them.
const WRITERS: &[(&str, &str)] = &[
    ("status =", "presence"),
    ("audience.is_right =", "contacts"),
    ("audience.farewell =", "contacts"),
    ("is_caught_up =", "contacts"),
    ("people.get_mut(", "contacts"),
    ("people.known_mut(", "contacts"),
    ("people.stranger_mut(", "contacts"),
    ("people.note_", "contacts"),
    ("people.forget_", "contacts"),
    ("people.remove(", "contacts"),
    ("people.inquiry", "contacts"),
    ("people.blocked", "contacts"),
    ("people.changed.push(", "contacts"),
    ("people.changed.pop(", "presence"),
];

#[test]
fn a_row_of_the_account_has_one_writer() {
    let house = House::read();
    let mut wrong = Vec::new();
    for (module, code) in &house.code {
        let [top, own, ..] = &module[..] else {
            continue;
        };
        for (change, writer) in WRITERS {
            let is_told = code.contains(&format!("account.{change}"));
            if top == "translate" && is_told && own != writer {
                wrong.push(format!("{} writes {change}", module.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (change, writer) in WRITERS {
        let is_there = |(module, code): (&Vec<String>, &String)| {
            module.get(1) == Some(&(*writer).to_owned()) && code.contains(change)
        };
        assert!(house.code.iter().any(is_there), "nobody writes {change}");
    }
}

#[test]
fn no_files_import_each_other() {
    let house = House::read();
    let mut left: BTreeMap<_, BTreeSet<_>> = house
        .imports
        .iter()
        .map(|(module, imports)| {
            // A file may name the modules around it.
            let others = imports.iter().filter(|it| !module.starts_with(it));
            (module, others.filter(|it| *it != module).collect())
        })
        .collect();
    loop {
        let free: Vec<_> = left.iter().filter(|(_, of)| of.is_empty()).collect();
        let free: BTreeSet<_> = free.into_iter().map(|(module, _)| *module).collect();
        if free.is_empty() {
            break;
        }
        left.retain(|module, _| !free.contains(module));
        for imports in left.values_mut() {
            imports.retain(|it| !free.contains(it));
        }
    }
    let circles: Vec<_> = left
        .iter()
        .map(|(module, of)| {
            let of: Vec<_> = of.iter().map(|it| it.join("::")).collect();
            format!("{} imports {}", module.join("::"), of.join(", "))
        })
        .collect();
    assert!(
        circles.is_empty(),
        "in a circle, or above one: {circles:#?}"
    );
}

#[test]
fn the_policy_of_a_session_is_read_in_constructors_only() {
    let house = House::read();
    let mut wrong = Vec::new();
    for (module, code) in &house.code {
        if module.first().is_none_or(|top| top != "translate") {
            continue;
        }
        let rest = without_constructors(code);
        let lines = rest.lines().filter(|line| !line.starts_with("use "));
        let is_word = |c: char| !c.is_alphanumeric() && c != '_';
        for line in lines {
            let mut words = line.split(is_word);
            if words.any(|it| ["policy", "Policy", "is_pure", "is_auto"].contains(&it)) {
                wrong.push(format!("{}: {}", module.join("::"), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// `code` without functions called `new`.
fn without_constructors(code: &str) -> String {
    let mut rest = code;
    let mut without = String::new();
    while let Some(at) = rest.find("fn new(") {
        without.push_str(&rest[..at]);
        let body = &rest[at..];
        let mut depth = 0;
        let end = body.find(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            c == '}' && depth == 0
        });
        rest = end.map_or("", |end| &body[end + 1..]);
    }
    without + rest
}

/// Which file imports which, as paths of modules (`["translate", "node"]`), and what stands in it.
struct House {
    imports: BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
    code: BTreeMap<Vec<String>, String>,
}

impl House {
    fn read() -> Self {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let files: BTreeMap<Vec<String>, PathBuf> = rust_files(&src)
            .into_iter()
            .filter(|file| !file.ends_with("main.rs") && !file.ends_with("tests.rs"))
            .map(|file| (module(&src, &file), file))
            .collect();
        let code: BTreeMap<_, _> = files
            .iter()
            .map(|(module, file)| {
                let text = fs::read_to_string(file).expect("a readable file");
                (module.clone(), code(&text))
            })
            .collect();
        let imports = code.iter().map(|(module, code)| {
            let mut found = BTreeSet::new();
            for path in paths(code, module) {
                // The file of an imported path: the longest beginning that is a file.
                let held = (1..=path.len())
                    .rev()
                    .find(|len| files.contains_key(&path[..*len]));
                if let Some(len) = held
                    && path[..len] != module[..]
                {
                    found.insert(path[..len].to_vec());
                }
            }
            (module.clone(), found)
        });
        Self {
            imports: imports.collect(),
            code,
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        match path.is_dir() {
            true => files.extend(rust_files(&path)),
            false if path.extension().is_some_and(|ending| ending == "rs") => files.push(path),
            false => {}
        }
    }
    files
}

/// `src/translate/node.rs` is `["translate", "node"]`, `src/xml/mod.rs` is `["xml"]`, `src/lib.rs` is `[]`.
fn module(src: &Path, file: &Path) -> Vec<String> {
    let inside = file
        .strip_prefix(src)
        .expect("a file of src")
        .with_extension("");
    let mut module: Vec<String> = inside
        .iter()
        .map(|part| part.to_string_lossy().into())
        .collect();
    module.pop_if(|last| last == "mod" || last == "lib");
    module
}

/// Code compiled outside of tests, without comments and without the contents of strings.
fn code(text: &str) -> String {
    let text = text
        .split("\n#[cfg(test)]\nmod ")
        .next()
        .unwrap_or_default();
    let mut code = String::new();
    for line in text.lines() {
        let mut quoted = line.split('"');
        let mut bare = quoted.next().unwrap_or_default().to_owned();
        for (index, part) in quoted.enumerate() {
            if index % 2 == 1 {
                bare.push_str(part);
            }
        }
        code.push_str(bare.split("//").next().unwrap_or_default());
        code.push('\n');
    }
    code
}

/// All paths in `code` that begin with `crate` or `super`, from the top of the crate.
fn paths(code: &str, module: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let is_begin = !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
            if is_begin {
                expand(&code[at..], Vec::new(), &mut found);
            }
        }
    }
    found.iter().map(|path| absolute(path, module)).collect()
}

/// Adds every path that the tree at the beginning of `text` names; gives the text behind the tree.
fn expand<'a>(text: &'a str, mut path: Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    let mut rest = text.trim_start();
    loop {
        if let Some(group) = rest.strip_prefix('{') {
            rest = group.trim_start();
            while !rest.starts_with('}') && !rest.is_empty() {
                rest = expand(rest, path.clone(), found);
                rest = rest.find([',', '}']).map_or("", |at| &rest[at..]);
                rest = rest.trim_start_matches(',').trim_start();
            }
            return rest.strip_prefix('}').unwrap_or(rest);
        }
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        path.push(rest[..end].to_owned());
        match rest[end..].strip_prefix("::") {
            Some(more) if more.starts_with(|c: char| c.is_alphabetic() || "_{".contains(c)) => {
                rest = more;
            }
            _ => {
                found.push(path);
                return &rest[end..];
            }
        }
    }
}

fn absolute(path: &[String], module: &[String]) -> Vec<String> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let down = path[ups..].iter().filter(|part| *part != "crate");
    let base: &[String] = match ups {
        0 => &[],
        ups => &module[..module.len().saturating_sub(ups)],
    };
    base.iter().chain(down).cloned().collect()
}
