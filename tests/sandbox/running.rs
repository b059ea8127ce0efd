//! A sandbox with sockets.

use std::net::SocketAddr;
use std::time::Duration;

use pubshim::net::Sandbox;
use pubshim::sandbox::Config;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A sandbox on a free port, ended when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    task: Option<JoinHandle<anyhow::Result<()>>>,
    runtime: Runtime,
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        let runtime = Runtime::new().unwrap();
        let sandbox = runtime
            .block_on(Sandbox::bind(([127, 0, 0, 1], 0).into(), config))
            .unwrap();
        let address = sandbox.local_addr();
        let stop = CancellationToken::new();
        let task = Some(runtime.spawn(sandbox.run(stop.clone())));
        Self {
            address,
            stop,
            task,
            runtime,
        }
    }

    pub(crate) fn stop(&mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            let ended = self
                .runtime
                .block_on(async { tokio::time::timeout(PATIENCE, task).await });
            ended.unwrap().unwrap().unwrap();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
