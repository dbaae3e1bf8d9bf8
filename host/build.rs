//! Packs what `ta-bot new` writes, the templates of projects and the SDKs, into an archive that the binary carries.
#![allow(clippy::expect_used, reason = "a build that can't go on has nobody to tell but the one who builds")]

use std::{
    env, fs,
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// The folders of the repository that go into the archive, under the same names.
const FOLDERS: [&str; 6] = ["sdk/c", "sdk/go", "sdk/js", "sdk/python/src", "sdk/rust", "sdk/templates"];
/// Single files, and their names in the archive.
const FILES: [(&str, &str); 3] = [
    ("LICENSE", "LICENSE"),
    ("sdk/python/README.md", "sdk/python/src/README.md"),
    ("examples/candles/BTCUSDT_1h.csv", "sdk/templates/common/candles/BTCUSDT_1h.csv"),
];
/// What a build or a tool leaves in a folder, and the SDKs' own tests, which need the answers of all of them.
const LEFT_OUT: [&str; 8] = ["node_modules", "__pycache__", "target", "build", ".venv", "test", "tests", "pack.sh"];

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("..");
    let path = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("authoring.zip");
    let mut found = FILES.map(|(from, to)| (root.join(from), to.to_owned())).to_vec();
    for folder in FOLDERS {
        gather(&root.join(folder), folder, &mut found);
    }
    found.sort_by(|(_, one), (_, other)| one.cmp(other));
    let mut archive = ZipWriter::new(File::create(path).expect("OUT_DIR can be written"));
    // Without the time of the build, so that the same sources give the same bytes.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(zip::DateTime::default());
    for (from, to) in found {
        println!("cargo:rerun-if-changed={}", from.display());
        archive.start_file(to, options).expect("the archive takes one more file");
        archive.write_all(&fs::read(from).expect("the file is there")).expect("the archive can be written");
    }
    archive.finish().expect("the archive can be written");
}

/// Adds the files of a folder, with their names in the archive.
fn gather(folder: &Path, name: &str, found: &mut Vec<(PathBuf, String)>) {
    // A file that is new in a folder changes the folder.
    println!("cargo:rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        let file = path.file_name().and_then(|name| name.to_str()).expect("names are UTF-8").to_owned();
        let name = format!("{name}/{file}");
        let is_left_out =
            LEFT_OUT.contains(&file.as_str()) || (name.starts_with("sdk/go/") && file.ends_with("_test.go"));
        if is_left_out {
            continue;
        }
        if path.is_dir() {
            gather(&path, &name, found);
        } else {
            found.push((path, name));
        }
    }
}
