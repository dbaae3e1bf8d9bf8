use super::*;
use crate::inspect::{Parts, WIT_VERSIONS};

const ENGINE: &str = "0123456789abcdef";

fn module(name: &str) -> ModuleDigest {
    ModuleDigest::of(name.as_bytes())
}

fn head(of: &str) -> Head {
    let inspection = Inspection {
        digest: module(of),
        size_bytes: 1,
        wit_version: WIT_VERSIONS[0],
        imports: Vec::new(),
        exports: Vec::new(),
        parts: Parts::default(),
    };
    Head { module: module(of), engine: ENGINE.to_owned(), inspection: Ok(inspection), memory_bytes: 1 }
}

/// A folder with the code of two modules.
fn folder() -> (tempfile::TempDir, Folder) {
    let temp = tempfile::tempdir().unwrap();
    let folder = Folder::open(&temp.path().join("compiled")).unwrap();
    folder.write(&head("one"), b"the code of one").unwrap();
    folder.write(&head("two"), b"the code of two").unwrap();
    (temp, folder)
}

fn code(folder: &Folder, of: &str) -> Option<Vec<u8>> {
    folder.read(module(of), ENGINE).map(|(_, code)| code)
}

#[test]
fn code_comes_back_with_what_the_module_told() {
    let (_temp, folder) = folder();
    let (kept, code_of_one) = folder.read(module("one"), ENGINE).unwrap();
    assert_eq!((kept.inspection, code_of_one), (head("one").inspection, b"the code of one".to_vec()));
    let death = Head { inspection: Err(InspectError::TooCostly("20 s".to_owned())), ..head("three") };
    folder.write(&death, &[]).unwrap();
    let (kept, no_code) = folder.read(module("three"), ENGINE).unwrap();
    assert_eq!((kept.inspection, kept.memory_bytes, no_code), (death.inspection, 1, Vec::new()));
    folder.remove(module("three"), ENGINE);
    folder.remove(module("three"), ENGINE);
    assert!(!folder.has(module("three"), ENGINE) && code(&folder, "three").is_none());
}

#[test]
fn the_code_of_another_module_is_not_loaded_under_this_ones_name() {
    let (_temp, folder) = folder();
    fs::copy(folder.file(module("two"), ENGINE), folder.file(module("one"), ENGINE)).unwrap();
    assert_eq!(code(&folder, "one"), None);
    assert_eq!(code(&folder, "two").unwrap(), b"the code of two");
    // The same holds for code of another engine.
    fs::copy(folder.file(module("two"), ENGINE), folder.file(module("two"), "other")).unwrap();
    assert!(folder.read(module("two"), "other").is_none());
}

#[test]
fn a_file_that_was_changed_anywhere_is_not_loaded() {
    let (_temp, folder) = folder();
    let path = folder.file(module("one"), ENGINE);
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        fs::write(&path, changed).unwrap();
        assert_eq!(code(&folder, "one"), None, "byte {place}");
        fs::write(&path, &whole[..place]).unwrap();
        assert_eq!(code(&folder, "one"), None, "cut at {place}");
    }
    fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
    assert_eq!(code(&folder, "one"), None);
    fs::write(&path, whole).unwrap();
    assert!(code(&folder, "one").is_some());
}

#[test]
fn the_folder_of_another_installation_is_not_believed() {
    let (temp, theirs) = folder();
    let ours = Folder::open(&temp.path().join("ours")).unwrap();
    fs::copy(theirs.file(module("one"), ENGINE), ours.file(module("one"), ENGINE)).unwrap();
    assert_eq!(code(&ours, "one"), None);
}

#[test]
fn a_folder_that_is_open_to_others_is_closed_and_one_of_somebody_else_is_refused() {
    let (temp, folder) = folder();
    fs::set_permissions(&folder.path, fs::Permissions::from_mode(0o777)).unwrap();
    Folder::open(&folder.path).unwrap();
    assert_eq!(fs::metadata(&folder.path).unwrap().mode() & 0o777, 0o700);
    // Only the superuser can give a folder away, and to the superuser it would be open.
    let theirs = temp.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    if std::os::unix::fs::chown(&theirs, Some(12345), None).is_ok() {
        let refusal = Folder::open(&theirs).unwrap_err().to_string();
        assert!(refusal.contains("belongs to the user 12345"), "{refusal}");
    }
}

/// Files of no wanted module and those for another engine are over, once they are old enough. Others are not ours.
#[test]
fn old_files_that_nobody_wants_are_found() {
    let (temp, folder) = folder();
    let other = Head { engine: "fedcba9876543210".to_owned(), ..head("one") };
    folder.write(&other, b"for an engine before this one").unwrap();
    std::fs::write(temp.path().join("compiled/notes.txt"), b"not ours").unwrap();
    let mut files = folder.files().unwrap();
    for file in &mut files {
        file.is_of_this_engine = file.engine == ENGINE;
    }
    assert_eq!(files.len(), 3);
    let wanted = BTreeSet::from([module("one")]);
    let over = |before| {
        let mut over: Vec<_> = files
            .iter()
            .filter(|file| file.is_over(&wanted, before))
            .map(|file| (file.module, file.is_of_this_engine))
            .collect();
        over.sort_by_key(|(_, ours)| *ours);
        over
    };
    let newest = files.iter().map(|file| file.written_at).max().unwrap();
    assert_eq!(over(newest.plus_millis(1)), [(module("one"), false), (module("two"), true)]);
    assert_eq!(over(newest.plus_millis(-3_600_000)), []);
    for file in files.iter().filter(|file| file.is_over(&wanted, newest.plus_millis(1))) {
        folder.remove(file.module, &file.engine);
    }
    assert_eq!((code(&folder, "one"), code(&folder, "two")), (Some(b"the code of one".to_vec()), None));
    assert_eq!(folder.files().unwrap().len(), 1);
}
