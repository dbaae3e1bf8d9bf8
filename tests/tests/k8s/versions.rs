//! The version and the name of the image are the same everywhere.

use std::fs;

use ta_bot_tests::root;

const IMAGE: &str = "petrosa-ta-bot";

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The version in `Cargo.toml`, which is the one place.
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

#[test]
fn every_file_that_names_the_version_names_that_of_the_workspace() {
    let version = version();
    assert!(read("Cargo.toml").contains(&format!("[workspace.package]\nversion = \"{version}\"")));
    for (file, text) in [
        ("CHANGELOG.md", format!("## [{version}]")),
        ("Dockerfile", format!("docker build --tag {IMAGE}:{version} ")),
        ("Dockerfile", format!("TA_BOT_VERSION={version}\n")),
        ("compose.yaml", format!("image: {IMAGE}:{version}\n")),
        ("k8s/overlays/dev/kustomization.yaml", format!("newTag: {version}\n")),
        ("docs/operating.md", format!("{IMAGE}:{version}")),
        ("docs/RUNBOOK.md", format!("{IMAGE}:{version}")),
    ] {
        assert!(read(file).contains(&text), "{file} has no {text:?}");
    }
    let newest = read("CHANGELOG.md").lines().find(|line| line.starts_with("## [")).unwrap().to_owned();
    assert!(newest.starts_with(&format!("## [{version}]")), "{newest}");
    // Production runs the version, or the image of a release by its digest.
    let production = read("k8s/overlays/production/kustomization.yaml");
    assert!(
        production.contains(&format!("newTag: {version}\n")) || production.contains("digest: sha256:"),
        "{production}"
    );
}

#[test]
fn the_image_has_one_name() {
    for file in ["Dockerfile", "compose.yaml", "docs/operating.md", "docs/RUNBOOK.md", "README.md"] {
        for line in read(file).lines().filter(|line| line.contains("docker build") || line.contains("image: ")) {
            let is_ours = line.contains("ta-bot");
            assert!(!is_ours || line.contains(IMAGE), "{file}: {line}");
        }
    }
    for file in [
        "k8s/base/deployment.yaml",
        "k8s/overlays/dev/kustomization.yaml",
        "k8s/overlays/production/kustomization.yaml",
    ] {
        assert!(read(file).contains(&format!(" {IMAGE}\n")), "{file}");
    }
    assert!(read(".github/workflows/release.yaml").contains(&format!("/{IMAGE}\n")));
}

/// Digests are written by a workflow that asks the registry, and by nobody else.
#[test]
fn the_base_images_can_be_pinned() {
    let dockerfile = read("Dockerfile");
    for name in ["RUST_IMAGE", "RUNTIME_IMAGE"] {
        let image = dockerfile.lines().find_map(|line| line.strip_prefix(&format!("ARG {name}=")));
        let image = image.unwrap_or_else(|| panic!("there is no ARG {name}"));
        let pinned = image.split_once('@').map(|(_, digest)| digest);
        assert!(pinned.is_none_or(|digest| digest.len() == "sha256:".len() + 64), "{image}");
        assert!(dockerfile.contains(&format!("FROM ${{{name}}}")), "{name} is not used");
    }
    assert!(read("scripts/pin-base-images.sh").contains("RUST_IMAGE RUNTIME_IMAGE"));
}
