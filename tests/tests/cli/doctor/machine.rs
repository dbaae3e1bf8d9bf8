//! What the machine, or the container, does not give.

use std::{fs, process::Command};

use ta_bot_tests::binary;

use super::{Line, Told, schedule, sound_home};
use crate::run::Home;

/// The doctor, started by a script of the shell that ends with `exec "$0" "$@"`.
fn after(home: &Home, shell: &[&str], script: &str) -> Told {
    let mut command = Command::new(shell[0]);
    home.environment(&mut command);
    schedule(&mut command);
    let script = format!("{script} && exec \"$0\" \"$@\"");
    command.args(&shell[1..]).args(["-c", &script]).arg(binary::ta_bot());
    Told::by(&mut command)
}

/// What is found after a script that makes a fault, and was not found without it.
fn more(before: &Told, mut after: Told, expected: &[Line<'_>]) {
    let of_test = |finding: &serde_json::Value| {
        expected.iter().any(|(subject, check, ..)| finding["subject"] == *subject && finding["check"] == *check)
    };
    let known = before.with(&["warning"]);
    let is_known = |finding: &serde_json::Value| known.iter().any(|one| one["check"] == finding["check"]);
    after.findings.retain(|finding| finding["subject"] != "machine" || of_test(finding) || !is_known(finding));
    after.finds(expected);
}

#[test]
fn limits_of_the_process() {
    let home = sound_home();
    let before = after(&home, &["sh"], "true");
    for (script, check, fix) in [
        ("ulimit -Sn 128", "open_files", "LimitNOFILE"),
        ("ulimit -v 16777216", "address_space", "ulimit -v unlimited"),
    ] {
        more(&before, after(&home, &["sh"], script), &[("machine", check, "wrong", fix)]);
    }
}

/// In a mount namespace, where the files by which the kernel tells of them are others.
#[test]
fn swap_little_memory_less_than_a_core_and_a_full_disk() {
    let home = sound_home();
    let may = |flag: &str| {
        let tried = Command::new("unshare").args([flag, "sh", "-c", "mount -t tmpfs none /mnt"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let Some(flag) = ["-m", "-rm"].into_iter().find(|flag| may(flag)) else {
        return println!("not tried: this user may not mount");
    };
    let file = |name: &str, text: &str| {
        fs::write(home.path().join(name), text).unwrap();
        home.path().join(name).display().to_string()
    };
    let heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
    let (none, some) =
        (file("no-swaps", heading), file("swaps", &format!("{heading}/dev/sda2 partition 8388604 0 -2\n")));
    let groups = "mount -t tmpfs none /sys/fs/cgroup";
    let calm = format!("mount --bind {none} /proc/swaps && {groups}");
    let empty = home.path().join("empty").display().to_string();
    fs::create_dir(home.path().join("empty")).unwrap();
    let shell = ["unshare", flag, "sh"];
    let sound = after(&home, &shell, &calm);
    sound.is_sound();
    for (script, expected) in [
        // A kernel that can't scan pages resets instances the slow way in any case.
        (format!("mount --bind {some} /proc/swaps && {groups}"), ("machine", "swap", "warning", "memory.swap.max")),
        (format!("{calm} && echo 134217728 > /sys/fs/cgroup/memory.max"), ("machine", "memory", "wrong", "1 GiB")),
        (format!("{calm} && echo 536870912 > /sys/fs/cgroup/memory.max"), ("machine", "memory", "warning", "1 GiB")),
        (
            format!("{calm} && echo 50000 100000 > /sys/fs/cgroup/cpu.max"),
            ("machine", "processor", "warning", "limits.cpu"),
        ),
    ] {
        after(&home, &shell, &script).finds(&[expected]);
    }
    // A folder that was not used yet, on a small disk, and on one that takes nothing.
    for (options, expected) in [
        ("size=16m,mode=700", ("data", "disk", "wrong", "free space")),
        ("size=100m,mode=700", ("data", "disk", "warning", "free space")),
        ("size=2g,mode=700,nr_inodes=20", ("data", "disk", "wrong", "free space")),
        ("size=2g,ro,mode=700", ("data", "folder", "wrong", "can write to")),
    ] {
        let script = format!("{calm} && mount -t tmpfs -o {options} none {empty} && export DATA_DIR={empty}");
        let mut told = after(&home, &shell, &script);
        told.findings.retain(|finding| finding["verdict"] != "not_checked");
        told.finds(&[expected]);
    }
}
