//! The step gate: it parks each client before each step until the test lets it go on. With it the
//! tests put clients into an order without ever sleeping.

use std::borrow::Cow;
use std::time::Duration;

use racy::step::{Observer, Parked, Record, Step};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The observer that parks each client before each step, and tells the test.
#[derive(Debug, Clone)]
pub struct Gate {
    arrivals: mpsc::UnboundedSender<Arrived>,
}

impl Gate {
    pub fn new() -> (Self, Arrivals) {
        let (arrivals, arrived) = mpsc::unbounded_channel();
        (Self { arrivals }, Arrivals(arrived))
    }
}

impl Observer for Gate {
    fn before<'a>(&'a self, step: &'a Step) -> Parked<'a> {
        let (go, gone) = oneshot::channel();
        let label = step.label.clone();
        let _ = self.arrivals.send(Arrived { label, go });
        Box::pin(async move {
            // A test that has ended holds no client up.
            let _ = gone.await;
        })
    }

    fn after(&self, _record: &Record) {}
}

/// A client that is parked before a step.
#[derive(Debug)]
pub struct Arrived {
    pub label: Cow<'static, str>,
    go: oneshot::Sender<()>,
}

impl Arrived {
    /// Lets the step happen, without waiting for its end.
    pub fn go(self) {
        let _ = self.go.send(());
    }
}

/// The clients that arrive at one gate, in the order of arrival.
#[derive(Debug)]
pub struct Arrivals(mpsc::UnboundedReceiver<Arrived>);

impl Arrivals {
    /// Waits for the next client; None if all are done. A client that should come and does not is
    /// a failure, not a hang.
    pub async fn next(&mut self) -> Option<Arrived> {
        timeout(Duration::from_secs(20), self.0.recv())
            .await
            .unwrap_or_else(|_| panic!("no client came to the gate"))
    }

    /// Lets every step happen up to the first with this label, before which its client stays.
    pub async fn go_to(&mut self, label: &str) -> Arrived {
        while let Some(arrived) = self.next().await {
            if arrived.label == label {
                return arrived;
            }
            arrived.go();
        }
        panic!("all were done before one came to {label:?}");
    }

    /// Whether no client is parked that the test has not yet met.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets every step happen from now on.
    pub fn let_all_through(mut self) -> JoinHandle<()> {
        tokio::spawn(async move {
            while let Some(arrived) = self.0.recv().await {
                arrived.go();
            }
        })
    }
}

/// A future that a gate of its own observes, so that the test moves it step by step.
#[derive(Debug)]
pub struct Stepper<T> {
    arrivals: Arrivals,
    parked: Option<Arrived>,
    run: JoinHandle<T>,
}

impl<T: Send + 'static> Stepper<T> {
    /// Starts what is done under this gate; it parks before its first step.
    pub fn start<F>(work: impl FnOnce(Gate) -> F) -> Self
    where
        F: Future<Output = T> + Send + 'static,
    {
        let (gate, arrivals) = Gate::new();
        Self {
            arrivals,
            parked: None,
            run: tokio::spawn(work(gate)),
        }
    }

    /// The label of the step that it is parked before; None once it is done.
    pub async fn next_step(&mut self) -> Option<&str> {
        if self.parked.is_none() {
            self.parked = self.arrivals.next().await;
        }
        self.parked.as_ref().map(|arrived| &*arrived.label)
    }

    /// Lets the step happen that it is parked before, without waiting for its end.
    pub async fn go(&mut self) {
        self.next_step().await;
        self.parked.take().unwrap().go();
    }

    /// Lets steps happen until it is parked before the one with this label, which may be the one
    /// before which it is parked already.
    pub async fn go_to(&mut self, label: &str) {
        while let Some(next) = self.next_step().await {
            if next == label {
                return;
            }
            self.go().await;
        }
        panic!("it was done before it came to {label:?}");
    }

    /// Lets all further steps happen, and returns what came of it.
    pub async fn finish(mut self) -> T {
        while self.next_step().await.is_some() {
            self.go().await;
        }
        self.run.await.unwrap()
    }

    /// Drops the future where it is parked, as a server does whose client has left.
    pub async fn drop_here(self) {
        self.run.abort();
        let dropped = self.run.await;
        assert!(
            dropped.is_err_and(|error| error.is_cancelled()),
            "it was done already"
        );
    }
}
