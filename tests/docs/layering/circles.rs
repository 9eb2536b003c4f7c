//! No two entries of one folder import each other, directly or by way of others.
//!
//! The entries of a folder are its files, its subfolders (each as a whole), and `mod`, which
//! represents what `mod.rs` itself defines. A re-export is not an import: `pub use writer::Writer`
//! in `mod.rs` is the name of something in `writer`, and a file that imports it by that name
//! imports `writer`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::paths::{Paths, read};

/// The path of a module from the root of the crate.
type Module = Vec<String>;

/// One file of `src`.
struct File {
    module: Module,
    /// Whether it is the `mod.rs` of its folder.
    is_folder: bool,
    paths: Paths,
}

/// All files of `src`, by the path of the module that each one is.
struct Crate(BTreeMap<Module, File>);

impl Crate {
    fn new<'a>(files: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Crate {
        let files = files.into_iter().map(|(path, text)| {
            let mut module: Module = path
                .with_extension("")
                .iter()
                .map(|it| it.to_str().expect("plain"))
                .map(str::to_owned)
                .collect();
            let is_folder = module.last().is_some_and(|last| last == "mod");
            if is_folder {
                module.pop();
            }
            (module.clone(), File { module, is_folder, paths: read(text) })
        });
        Crate(files.collect())
    }

    /// A path as it is written in a file, from the root of the crate. `None`: it is not ours.
    fn absolute(&self, file: &File, path: &[String]) -> Option<Module> {
        let mut from = file.module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (from, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|it| it == "super") {
                    from.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                // A submodule, or something that the file re-exports or imports.
                let mut child = file.module.clone();
                child.push(first.to_owned());
                if !self.0.contains_key(&child) {
                    return None;
                }
            }
        }
        from.extend(rest.iter().cloned());
        Some(from)
    }

    /// The path of what a path names, where that is a re-export.
    fn followed(&self, mut path: Module) -> Module {
        for _ in 0..8 {
            let Some(next) = self.re_exported(&path) else { break };
            path = next;
        }
        path
    }

    fn re_exported(&self, path: &Module) -> Option<Module> {
        for len in (0..path.len()).rev() {
            let Some(file) = self.0.get(&path[..len]) else { continue };
            if self.0.contains_key(&path[..=len]) {
                return None;
            }
            let target = file.paths.names.get(&path[len])?;
            let mut target = self.absolute(file, target)?;
            target.extend(path[len + 1..].iter().cloned());
            return (target != *path).then_some(target);
        }
        None
    }

    /// The folder in which an import happens, and from which of its entries to which.
    fn edge(&self, file: &File, target: &Module) -> Option<(Module, String, String)> {
        let common = file.module.iter().zip(target).take_while(|(a, b)| a == b).count();
        let folder = file.module[..common].to_vec();
        let from = match file.module.get(common) {
            Some(entry) => entry.clone(),
            None if file.is_folder => "mod".to_owned(),
            None => return None, // something in the file itself
        };
        let named = target.get(..=common).filter(|child| self.0.contains_key(*child));
        let to = named.map_or("mod".to_owned(), |child| child[common].clone());
        (from != to).then_some((folder, from, to))
    }

    /// Who imports whom, in each folder.
    fn imports(&self) -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
        let mut imports: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for file in self.0.values() {
            for path in &file.paths.used {
                let Some(target) = self.absolute(file, path) else { continue };
                let Some((folder, from, to)) = self.edge(file, &self.followed(target)) else {
                    continue;
                };
                // Between the modules at the top, layers decide.
                if !folder.is_empty() {
                    imports.entry(folder).or_default().entry(from).or_default().insert(to);
                }
            }
        }
        imports
    }

    /// Each circle: the folder and all entries that import each other.
    fn circles(&self) -> BTreeSet<(String, Vec<String>)> {
        let mut circles = BTreeSet::new();
        for (folder, imports) in self.imports() {
            for entry in imports.keys() {
                let together: Vec<String> = reached(&imports, entry)
                    .into_iter()
                    .filter(|other| reached(&imports, other).contains(entry))
                    .collect();
                if together.len() > 1 {
                    circles.insert((folder.join("/"), together));
                }
            }
        }
        circles
    }
}

/// All that an entry imports, by way of others or not.
fn reached(imports: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut next = vec![from];
    while let Some(entry) = next.pop() {
        for other in imports.get(entry).into_iter().flatten() {
            if reached.insert(other.clone()) {
                next.push(other);
            }
        }
    }
    reached
}

#[test]
fn no_files_of_one_folder_import_each_other() {
    let files: Vec<(PathBuf, String)> = super::all();
    let ours = Crate::new(files.iter().map(|(path, text)| (path.as_path(), text.as_str())));
    let imports = ours.imports();
    assert!(imports.len() > 10, "{imports:?}");
    let circles: Vec<String> = ours
        .circles()
        .iter()
        .map(|(folder, entries)| {
            let of_folder = &imports[&folder.split('/').map(str::to_owned).collect::<Module>()];
            let lines = entries.iter().map(|entry| {
                let others = of_folder[entry].iter().filter(|it| entries.contains(it));
                let others: Vec<&str> = others.map(String::as_str).collect();
                format!("    {entry} imports {}", others.join(", "))
            });
            format!("a circle in {folder}:\n{}", lines.collect::<Vec<_>>().join("\n"))
        })
        .collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn circles_are_found() {
    let circles = |files: &[(&str, &str)]| {
        let files = files.iter().map(|(path, text)| (Path::new(path), *text));
        let circles = Crate::new(files).circles();
        circles
            .into_iter()
            .map(|(folder, all)| format!("{folder}: {}", all.join(" ")))
            .collect::<Vec<_>>()
    };
    // Two files, by whatever path.
    let a = ("f/a.rs", "use super::b::{C, d::E};");
    assert_eq!(
        circles(&[("f/mod.rs", "mod a; mod b;"), a, ("f/b.rs", "fn x() { crate::f::a::y() }")]),
        ["f: a b"]
    );
    assert!(
        circles(&[("f/mod.rs", "mod a; mod b;"), a, ("f/b.rs", "// super::a\n\"super::a\"")])
            .is_empty()
    );
    // Saying who may see something is no import.
    let b = ("f/b.rs", "pub(in crate::f::a) struct C;");
    assert!(circles(&[("f/mod.rs", "mod a; mod b;"), a, b]).is_empty());
    // Tests may use everything.
    assert!(
        circles(&[
            ("f/mod.rs", ""),
            a,
            ("f/b.rs", "#[cfg(test)]\nmod tests { use super::super::a::Z; }")
        ])
        .is_empty()
    );
    // A folder is one entry.
    assert_eq!(
        circles(&[
            ("f/mod.rs", ""),
            ("f/a.rs", "use super::g::X;"),
            ("f/g/mod.rs", "mod h;"),
            ("f/g/h.rs", "use super::super::a::Y;")
        ]),
        ["f: a g"]
    );
    // What mod.rs defines and what it only names.
    let child = ("f/a.rs", "use super::T;");
    assert_eq!(circles(&[("f/mod.rs", "mod a; use a::U; struct T(U);"), child]), ["f: a mod"]);
    assert_eq!(circles(&[("f/mod.rs", "mod a; pub use a::U; struct T(U);"), child]), ["f: a mod"]);
    assert!(circles(&[("f/mod.rs", "mod a; pub use a::U; struct T;"), child]).is_empty());
    let files = [("f/mod.rs", "mod a; mod b; pub use a::U; pub use b::T;"), child];
    assert!(circles(&[&files[..], &[("f/b.rs", "")]].concat()).is_empty());
    assert_eq!(circles(&[&files[..], &[("f/b.rs", "use super::U;")]].concat()), ["f: a b"]);
}
