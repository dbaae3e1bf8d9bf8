//! Which tools are missing, and how to get them.

use std::{env, fs, os::unix::fs::symlink};

use super::Project;
use crate::run::Done;

/// A project that says of each missing tool what to do, on a machine that has little more than a shell.
#[test]
fn a_missing_tool_is_named_with_the_command_that_installs_it() {
    for (language, words) in [
        ("rust", &["Rust is missing", "rustup.rs", "the Rust target wasm32-unknown-unknown is missing"][..]),
        ("python", &["Python is missing", "apt install python3", "componentize-py is missing", "--install"]),
        ("ts", &["Node.js is missing", "ts-blank-space is missing", "npm install"]),
        ("js", &["Node.js is missing", "componentize-qjs is missing", "npm install"]),
        ("go", &["Go is missing", "go.dev", "wasm-tools is missing", "wizer is missing", "npm ci"]),
        ("c", &["ziglang is missing", "wasm-tools is missing", "pip install", "ta-bot build --install"]),
    ] {
        let project = Project::bare(language);
        let little = project.path().join("little");
        fs::create_dir(&little).unwrap();
        symlink("/bin/sh", little.join("sh")).unwrap();
        Done::of(project.command().arg("build").env("PATH", &little)).failed(1, words);
        let error = Done::of(project.command().args(["build", "--json"]).env("PATH", &little)).json();
        assert_eq!(error["error"]["code"], "missing_tool");
        assert!(!project.component().exists());
    }
}

#[test]
fn a_wrong_version_is_named_with_the_one_that_is_needed() {
    let project = Project::new("c");
    project.edit("ta-bot.toml", "exactly = \"0.17.1\"", "exactly = \"0.1.0\"");
    project.run(&["build"]).failed(1, &["ziglang is 0.17.1, and 0.1.0 is needed", "ta-bot build --install"]);
    project.edit("ta-bot.toml", "exactly = \"0.1.0\"", "at_least = \"99\"");
    project.run(&["build"]).failed(1, &["ziglang is 0.17.1, and at least 99 is needed"]);
}

/// Only if it is asked for is anything installed, and then into the project.
#[test]
fn a_tool_is_installed_into_the_project_if_that_is_asked_for() {
    let project = Project::new("c");
    let recipe = fs::read_to_string(project.path().join("ta-bot.toml")).unwrap();
    let tool = "\n[[tools]]\nname = \"a greeting\"\nversion = [\"sh\", \"own/greet\"]\nat_least = \"1.2\"\n\
                install = [[\"mkdir\", \"own\"], [\"cp\", \"greet\", \"own/greet\"]]\n";
    fs::write(project.path().join("ta-bot.toml"), recipe + tool).unwrap();
    fs::write(project.path().join("greet"), "echo hello 1.10.3\n").unwrap();
    project.run(&["build"]).failed(1, &["a greeting is missing", "mkdir own && cp greet own/greet"]);
    assert!(!project.path().join("own").exists());
    let built = project.run(&["build", "--install"]).succeeded();
    assert!(built.stderr.contains("installing a greeting into the project: cp greet own/greet"), "{built:?}");
    assert!(built.stdout.contains("built in"), "{built:?}");
    project.run(&["build"]).succeeded();
    // An installation that fails says how.
    fs::remove_file(project.path().join("own/greet")).unwrap();
    let failed = project.run(&["build", "--install"]);
    assert!(failed.code == Some(1) && failed.stderr.contains("error: `mkdir own` failed"), "{failed:?}");
    assert!(failed.stderr.contains("File exists"), "{failed:?}");
}

/// What `make test-toolchains` does: nothing but the tools of the language is there, and the rest is fetched.
#[test]
#[ignore = "it fetches packages: make test-toolchains"]
fn what_is_missing_is_fetched() {
    for language in ["python", "js", "ts", "go", "c"] {
        let project = Project::bare(language);
        // Go itself is no package of the project.
        let own = super::venv().join("bin/go");
        let path = project.path().join("machine");
        fs::create_dir(&path).unwrap();
        symlink(own, path.join("go")).unwrap();
        let others = env::var_os("PATH").unwrap();
        let paths = [path].into_iter().chain(env::split_paths(&others));
        let mut command = project.command();
        // How registries are reached is set in the machine's environment.
        command.envs(env::vars_os()).env("PATH", env::join_paths(paths).unwrap());
        let begun = std::time::Instant::now();
        Done::of(command.args(["build", "--install"])).succeeded();
        println!("{language}: installed and built in {:.1} s", begun.elapsed().as_secs_f64());
    }
}
