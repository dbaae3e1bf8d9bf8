//! One shell for each section, as an operator has one open while working through it.

use std::{path::Path, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::stage::{Stage, bin};

/// How long a block may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a block did.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What a terminal would show.
    pub(crate) printed: String,
    /// The exit code of its last command; empty if it did not end in time.
    pub(crate) code: String,
}

/// A `bash` in the folder of the stage, which finds the test's commands before those of the system.
pub(crate) struct Shell {
    process: Child,
    blocks: ChildStdin,
    codes: Lines<BufReader<ChildStdout>>,
    count: usize,
}

impl Shell {
    pub(crate) fn open(stage: &Stage) -> Self {
        let mut command = Command::new("bash");
        command.arg(bin().join("section.sh")).current_dir(stage.work()).envs(stage.environment());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        let mut process = command.spawn().unwrap();
        let blocks = process.stdin.take().unwrap();
        let codes = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, blocks, codes, count: 0 }
    }

    /// Runs a block to its end.
    pub(crate) async fn run(&mut self, folder: &Path, commands: &str) -> Outcome {
        self.count += 1;
        let file = folder.join(format!("block-{}-{}", self.process.id().unwrap_or_default(), self.count));
        std::fs::write(&file, commands).unwrap();
        self.blocks.write_all(format!("{}\n", file.display()).as_bytes()).await.unwrap();
        let code = timeout(PATIENCE, self.codes.next_line()).await;
        let code = code.map(|line| line.unwrap().expect("the shell ended")).unwrap_or_default();
        let printed = std::fs::read(file.with_extension("out")).unwrap_or_default();
        Outcome { printed: String::from_utf8_lossy(&printed).into_owned(), code }
    }

    /// Ends the shell, and what it left in the background.
    pub(crate) async fn close(self) {
        let Self { mut process, blocks, .. } = self;
        drop(blocks);
        let ended = timeout(Duration::from_secs(10), process.wait()).await;
        assert!(ended.is_ok(), "the shell of a section does not end");
    }
}
