//! A server's process.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{sleep, timeout};

use crate::{find, port::Port};

/// Long enough for a machine that builds on all its cores at the same time.
const START_DEADLINE: Duration = Duration::from_secs(90);
const PROBE_DEADLINE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);
/// How much of the log an error shows.
const LOG_LINES: usize = 20;
const LOG_BYTES: u64 = 16 * 1024;

/// Checks whether a server is able to serve.
pub(crate) trait Probe {
    async fn check(&self, address: SocketAddr) -> Result<()>;
}

/// A server that can be started again with the same arguments. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process<P> {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
    log: PathBuf,
    port: Port,
    probe: P,
    child: Option<Child>,
}

impl<P> Process<P> {
    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Replaces the argument that begins with `prefix`, for the next start.
    pub(crate) fn replace_argument(&mut self, prefix: &str, argument: String) -> Result<()> {
        let begins = |argument: &&mut OsString| argument.to_str().is_some_and(|text| text.starts_with(prefix));
        let found = self.arguments.iter_mut().find(begins);
        *found.with_context(|| format!("{} was started without {prefix}", self.name))? = argument.into();
        Ok(())
    }

    /// Ends the process at once; does nothing if it is down. The port stays reserved.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Stops the process and waits until that has happened, because its threads go on for a moment after the signal.
    pub(crate) fn pause(&self) -> Result<()> {
        let pid = self.signal(Signal::STOP)?;
        let deadline = Instant::now() + PROBE_DEADLINE;
        while !are_threads_stopped(pid)? {
            ensure!(Instant::now() < deadline, "{} does not stop", self.name);
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    pub(crate) fn resume(&self) -> Result<()> {
        self.signal(Signal::CONT).map(drop)
    }

    fn signal(&self, signal: Signal) -> Result<Pid> {
        // The id is not reused before the child is waited for, and `kill` takes the child out before it waits.
        let pid = self.child.as_ref().map(Pid::from_child).with_context(|| format!("{} is down", self.name))?;
        kill_process(pid, signal).with_context(|| format!("can't signal {}", self.name))?;
        Ok(pid)
    }
}

fn are_threads_stopped(pid: Pid) -> Result<bool> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).context("the server has ended")?;
    // The state follows the name in parentheses, which may contain anything. A thread without a file has just ended.
    Ok(tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("stat")).ok()).all(|stat| {
        let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
        state == Some("T")
    }))
}

impl<P: Probe> Process<P> {
    /// Starts a server and waits until it serves. Its output goes to `NAME.log` in `folder`.
    pub(crate) async fn start(
        name: &'static str,
        (program, arguments): (PathBuf, Vec<OsString>),
        folder: &Path,
        port: Port,
        probe: P,
    ) -> Result<Self> {
        let log = folder.join(name).with_extension("log");
        let mut process = Self { name, program, arguments, log, port, probe, child: None };
        process.restart().await?;
        Ok(process)
    }

    /// Kills the process if it runs, starts it, and waits until it listens and the probe succeeds.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.kill()?;
        self.child = Some(self.spawn()?);
        let deadline = Instant::now() + START_DEADLINE;
        loop {
            let Err(error) = self.check().await else { return Ok(()) };
            let ended = self.child.as_mut().map(Child::try_wait).transpose()?.flatten();
            if ended.is_none() && Instant::now() < deadline {
                sleep(POLL).await;
                continue;
            }
            let state = ended.map_or_else(
                || format!("is not ready after {} s: {error:#}", START_DEADLINE.as_secs()),
                |status| format!("ended at its start with {status}"),
            );
            let log = self.last_log_lines();
            self.kill()?;
            bail!("{} {state}. Its log ends with:\n{log}", self.name);
        }
    }

    async fn check(&self) -> Result<()> {
        let pid = self.pid().context("it was not started")?;
        if !self.port.is_held_by(pid)? {
            bail!("it does not listen yet");
        }
        timeout(PROBE_DEADLINE, self.probe.check(self.address())).await.context("it listens and does not answer")?
    }

    fn spawn(&self) -> Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        // The server must not outlive the tests, however they end. `setpriv` becomes the server, so there is only one
        // process.
        let mut command = Command::new(find::system("setpriv")?);
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.program).args(&self.arguments);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        spawn_from_a_lasting_thread(command).with_context(|| format!("can't start {}", self.program.display()))
    }

    fn last_log_lines(&self) -> String {
        let read = || -> io::Result<String> {
            let mut file = File::open(&self.log)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(LOG_BYTES)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let text = read().unwrap_or_else(|error| format!("(unreadable: {error})"));
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl<P> Drop for Process<P> {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// Starts a command from a thread that lasts as long as this process: Linux sends the signal of `--pdeathsig` when the
/// *thread* that started the command ends, and a test's thread ends before the next test that shares the server.
fn spawn_from_a_lasting_thread(command: Command) -> Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in orders {
                // The sender of an order always waits for the reply.
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, answer) = mpsc::channel();
    spawner.send((command, reply)).map_err(|_| anyhow!("the thread that starts servers is gone"))?;
    Ok(answer.recv()??)
}

/// The methods of every server's guard that control its `process`.
macro_rules! controls {
    ($server:ty) => {
        impl $server {
            /// The address that the server listens on.
            pub fn address(&self) -> ::std::net::SocketAddr {
                self.process.address()
            }

            /// The id of the server's process; `None` while it is down.
            pub fn pid(&self) -> Option<u32> {
                self.process.pid()
            }

            /// Kills the process (SIGKILL). Connections are refused until [`Self::restart`].
            pub fn kill(&mut self) -> ::anyhow::Result<()> {
                self.process.kill()
            }

            /// Kills the process if it runs, and starts it with the same port and folder.
            pub async fn restart(&mut self) -> ::anyhow::Result<()> {
                self.process.restart().await
            }

            /// Stops the process (SIGSTOP): the kernel still accepts connections, but nothing answers.
            pub fn pause(&self) -> ::anyhow::Result<()> {
                self.process.pause()
            }

            /// Lets the process go on after [`Self::pause`].
            pub fn resume(&self) -> ::anyhow::Result<()> {
                self.process.resume()
            }
        }
    };
}
pub(crate) use controls;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder;

    #[derive(Debug)]
    struct Never;

    impl Probe for Never {
        async fn check(&self, _address: SocketAddr) -> Result<()> {
            bail!("it should not be asked");
        }
    }

    #[tokio::test]
    async fn a_failed_start_shows_the_end_of_the_log() -> Result<()> {
        let folder = folder::new("test")?;
        let script = "seq 100; echo wrong option >&2; exit 3";
        let command = (find::system("sh")?, vec!["-c".into(), script.into()]);
        let result = Process::start("test", command, folder.path(), Port::reserve()?, Never).await;
        let message = result.err().map(|error| format!("{error:#}")).unwrap_or_default();
        assert!(message.contains("exit status: 3") && message.ends_with("\n99\n100\nwrong option"), "{message}");
        assert!(!message.contains("\n80\n"), "{message}");
        Ok(())
    }
}
