//! How the house is arranged: who may import whom (the table in `src/lib.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules at the top, lowest first: each may import only from floors below its own.
const FLOORS: &[&[&str]] = &[
    &["jid", "ns", "policy"],
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
    for (room, imports) in &house.imports {
        let Some(own) = room.first() else {
            continue; // lib.rs
        };
        let Some(own_floor) = floor(own) else {
            panic!("{own} stands on no floor: add it to the table");
        };
        for import in imports {
            let of = &import[0];
            if of != own && floor(of).is_none_or(|floor| floor >= own_floor) {
                wrong.push(format!("{} imports {}", room.join("::"), import.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Which file imports which, as paths of modules: `["translate", "node"]`.
struct House {
    imports: BTreeMap<Vec<String>, BTreeSet<Vec<String>>>,
}

impl House {
    fn read() -> Self {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let files: BTreeMap<Vec<String>, PathBuf> = rust_files(&src)
            .into_iter()
            .filter(|file| !file.ends_with("main.rs") && !file.ends_with("tests.rs"))
            .map(|file| (module(&src, &file), file))
            .collect();
        let imports = files.iter().map(|(room, file)| {
            let text = fs::read_to_string(file).expect("a readable file");
            let mut found = BTreeSet::new();
            for path in paths(&code(&text), room) {
                // The file that holds what is named: the longest beginning that is a file.
                let held = (1..=path.len())
                    .rev()
                    .find(|len| files.contains_key(&path[..*len]));
                if let Some(len) = held
                    && path[..len] != room[..]
                {
                    found.insert(path[..len].to_vec());
                }
            }
            (room.clone(), found)
        });
        Self {
            imports: imports.collect(),
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

/// What is compiled outside of tests, without comments and without what strings say.
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
fn paths(code: &str, room: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let is_begin = !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
            if is_begin {
                expand(&code[at..], Vec::new(), &mut found);
            }
        }
    }
    found.iter().map(|path| absolute(path, room)).collect()
}

/// Adds every path that the tree at the beginning of `text` names; what follows the tree.
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

fn absolute(path: &[String], room: &[String]) -> Vec<String> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let down = path[ups..].iter().filter(|part| *part != "crate");
    let base: &[String] = match ups {
        0 => &[],
        ups => &room[..room.len().saturating_sub(ups)],
    };
    base.iter().chain(down).cloned().collect()
}
