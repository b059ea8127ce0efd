//! Threads that are told what sessions do, without any session waiting for them.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::oneshot;

use crate::session::{Output, Record};

/// Bytes that may wait for a thread, each step counted with [`STEP_BYTES`] more.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Silence after which a watcher is told that sessions rest.
const REST: Duration = Duration::from_millis(500);
/// Estimated size of a step besides its text.
const STEP_BYTES: usize = 256;

/// A receiver of steps, on a thread of its own. Each call may return `Break`, and gets no more calls then.
pub(super) trait Watcher: Send + 'static {
    /// Session `number` has put out these steps, after `lost` others that found no room in the queue.
    fn steps(&mut self, number: u64, lost: u64, steps: &[Output]) -> ControlFlow<()>;

    /// Session `number` has ended, after `lost` steps that found no room in the queue.
    fn ended(&mut self, number: u64, lost: u64) -> ControlFlow<()>;

    /// No steps have come for [`REST`].
    fn rests(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// The act that begins now has this name.
    fn announced(&mut self, _name: &str) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// The program ends.
    fn finished(&mut self);
}

/// A handle that announces names of acts to watchers.
pub(crate) struct Announcer(Vec<Sender<Message>>);

impl Announcer {
    pub(super) fn new<'a>(watchings: impl IntoIterator<Item = &'a Watching>) -> Self {
        let senders = watchings.into_iter().map(|it| it.sender.clone());
        Self(senders.collect())
    }

    /// Announces the name of the act that begins, after all steps that sessions have put out before.
    pub(crate) fn announce(&self, name: &str) {
        for sender in &self.0 {
            // Fails if the thread has ended.
            let _ = sender.send(Message::Announce(name.to_owned()));
        }
    }
}

/// The thread of a [`Watcher`].
pub(super) struct Watching {
    name: &'static str,
    sender: Sender<Message>,
    queued: Arc<AtomicUsize>,
    /// Closed when the thread ends; carries no value.
    done: oneshot::Receiver<()>,
}

/// The end of a [`Watching`] that a session holds.
pub(super) struct Watch {
    number: u64,
    sender: Sender<Message>,
    /// Bytes that wait for the thread, of all sessions.
    queued: Arc<AtomicUsize>,
    /// Steps that found no room since the last ones that were queued.
    lost: u64,
}

enum Message {
    Steps {
        number: u64,
        lost: u64,
        steps: Vec<Output>,
    },
    End {
        number: u64,
        lost: u64,
    },
    Announce(String),
    Finish,
}

impl Watching {
    /// Starts the thread; `name` is that of its option, without dashes.
    pub(super) fn start(name: &'static str, watcher: impl Watcher) -> anyhow::Result<Self> {
        let (sender, messages) = channel();
        let (ending, done) = oneshot::channel::<()>();
        let queued = Arc::new(AtomicUsize::new(0));
        let waiting = Arc::clone(&queued);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                watch(watcher, &messages, &waiting);
                drop(ending);
            })
            .with_context(|| format!("cannot start the thread '{name}'"))?;
        Ok(Self {
            name,
            sender,
            queued,
            done,
        })
    }

    /// The end that session `number` holds.
    pub(super) fn session(&self, number: u64) -> Watch {
        Watch {
            number,
            sender: self.sender.clone(),
            queued: Arc::clone(&self.queued),
            lost: 0,
        }
    }

    /// Waits until the thread has taken all queued steps, but no longer than `patience`. Steps that sessions put out
    /// later are lost.
    pub(super) async fn finish(self, patience: Duration) {
        // Fails if the thread has ended: then `done` is closed, too.
        let _ = self.sender.send(Message::Finish);
        if tokio::time::timeout(patience, self.done).await.is_err() {
            tracing::warn!(
                "--{} was not written to its end in time; the rest of it is lost",
                self.name
            );
        }
    }
}

impl Watch {
    /// Queues steps for the thread. Steps that find no room are counted, and the thread is told how many with the next
    /// ones.
    pub(super) fn tell(&mut self, steps: Vec<Output>) {
        let size = size_of(&steps);
        if self.queued.load(Ordering::Relaxed) + size > MOST_BYTES {
            self.lost += steps.len() as u64;
            return;
        }
        self.queued.fetch_add(size, Ordering::Relaxed);
        let (number, lost) = (self.number, std::mem::take(&mut self.lost));
        let message = Message::Steps {
            number,
            lost,
            steps,
        };
        if self.sender.send(message).is_err() {
            self.queued.fetch_sub(size, Ordering::Relaxed);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let (number, lost) = (self.number, self.lost);
        // Fails if the thread has ended.
        let _ = self.sender.send(Message::End { number, lost });
    }
}

fn watch(mut watcher: impl Watcher, messages: &Receiver<Message>, queued: &AtomicUsize) {
    let mut has_rested = true;
    loop {
        let message = match has_rested {
            true => messages.recv().ok(),
            false => match messages.recv_timeout(REST) {
                Err(RecvTimeoutError::Timeout) => {
                    has_rested = true;
                    if watcher.rests().is_break() {
                        return;
                    }
                    continue;
                }
                message => message.ok(),
            },
        };
        has_rested = false;
        let goes_on = match message {
            None => return,
            Some(Message::Steps {
                number,
                lost,
                steps,
            }) => {
                queued.fetch_sub(size_of(&steps), Ordering::Relaxed);
                watcher.steps(number, lost, &steps)
            }
            Some(Message::End { number, lost }) => watcher.ended(number, lost),
            Some(Message::Announce(name)) => watcher.announced(&name),
            Some(Message::Finish) => {
                watcher.finished();
                ControlFlow::Break(())
            }
        };
        if goes_on.is_break() {
            return;
        }
    }
}

fn size_of(steps: &[Output]) -> usize {
    let text = |step: &Output| match step {
        Output::Recorded(
            Record::From(_, bytes, _)
            | Record::CutOff(_, bytes, _)
            | Record::FromRaw(_, bytes)
            | Record::TooLarge(_, bytes)
            | Record::To(_, bytes),
        ) => bytes.len(),
        _ => 0,
    };
    steps.iter().map(|step| text(step) + STEP_BYTES).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::session::Leg;

    /// A watcher that waits for leave before each call, and passes on what it is told.
    struct Slow {
        leave: Receiver<()>,
        told: Sender<(u64, usize)>,
    }

    impl Watcher for Slow {
        fn steps(&mut self, _: u64, lost: u64, steps: &[Output]) -> ControlFlow<()> {
            self.leave.recv().expect("leave");
            self.told.send((lost, steps.len())).expect("heard");
            ControlFlow::Continue(())
        }

        fn ended(&mut self, _: u64, lost: u64) -> ControlFlow<()> {
            self.steps(0, lost, &[])
        }

        fn finished(&mut self) {}
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let (give_leave, leave) = sync_channel(9);
        let (told, heard) = channel();
        let watching = Watching::start("slow", Slow { leave, told }).expect("a thread");
        let mut watch = watching.session(1);
        // The queue has room for one of these.
        let big = || {
            let record = Record::To(Leg::Client, vec![b' '; MOST_BYTES / 2]);
            vec![Output::Recorded(record), Output::StartTls]
        };
        let is_taken = || {
            while watching.queued.load(Ordering::Relaxed) > 0 {
                std::thread::yield_now();
            }
        };
        let hear = || {
            give_leave.send(()).expect("waiting");
            heard.recv().expect("told")
        };
        watch.tell(big());
        is_taken();
        for _ in 0..3 {
            watch.tell(big());
        }
        assert_eq!([hear(), hear()], [(0, 2), (0, 2)]);
        watch.tell(big());
        is_taken();
        for _ in 0..2 {
            watch.tell(big());
        }
        drop(watch);
        assert_eq!([hear(), hear(), hear()], [(4, 2), (0, 2), (2, 0)]);
    }
}
