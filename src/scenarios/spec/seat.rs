//! A session of a `.spec` file at work: its connection, and what it says.
//!
//! What it says waits in its own channel until the tester looks at it. So the report does not
//! depend on which of several sessions was quicker.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::answer::Answer;
use crate::engine::{
    BlockNews, BlockSession, ConnectionId, Database, Fault, FaultKind, Flavour, Notice,
    StatementKind,
};
use crate::scenarios::script::statements;

/// What a session says, in its order.
#[derive(Debug)]
pub(super) enum News {
    Notice(Notice),
    Answer(Answer),
    /// SQLite is busy. Told true, the session tries again. Told false, it gives up.
    HeldUp(oneshot::Sender<bool>),
    /// The block has come to its end, well or not.
    Ended(Result<(), Fault>),
}

impl From<Notice> for News {
    fn from(notice: Notice) -> Self {
        Self::Notice(notice)
    }
}

impl From<BlockNews> for News {
    fn from(news: BlockNews) -> Self {
        match news {
            BlockNews::Notice(notice) => Self::Notice(notice),
            BlockNews::Answer(answer) => Self::Answer(answer),
        }
    }
}

/// A session's place.
#[derive(Debug)]
pub(super) struct Seat {
    /// The number by which the engine knows it. None on SQLite.
    pub(super) connection: Option<ConnectionId>,
    blocks: mpsc::UnboundedSender<String>,
    news: mpsc::UnboundedReceiver<News>,
    held_up: Option<oneshot::Sender<bool>>,
    worker: JoinHandle<()>,
}

impl Seat {
    /// Connects.
    pub(super) async fn open(database: &Database) -> Result<Self, Fault> {
        let mut session = database.block_session().await?;
        let connection = session.connection_id().await?;
        let (blocks, sent) = mpsc::unbounded_channel();
        let (tell, news) = mpsc::unbounded_channel();
        let worker = Worker {
            session,
            flavour: database.engine().flavour,
            transaction: OpenTransaction::None,
            news: tell,
        };
        Ok(Self {
            connection,
            blocks,
            news,
            held_up: None,
            worker: tokio::spawn(worker.work(sent)),
        })
    }

    /// Sends a block. The session must be idle.
    pub(super) fn send(&self, sql: &str) {
        // A worker that is gone says so when its news are awaited.
        let _ = self.blocks.send(sql.to_owned());
    }

    /// What it says next, if it says something within this time.
    pub(super) async fn news_within(&mut self, time: Duration) -> Result<Option<News>, Fault> {
        match timeout(time, self.news.recv()).await {
            Ok(Some(news)) => Ok(Some(self.noted(news))),
            Ok(None) => Err(Fault::unavailable("a session is gone")),
            Err(_elapsed) => Ok(None),
        }
    }

    /// What it has said already.
    pub(super) fn news_so_far(&mut self) -> Option<News> {
        let news = self.news.try_recv().ok()?;
        Some(self.noted(news))
    }

    /// Keeps the answer that a session on SQLite waits for.
    fn noted(&mut self, news: News) -> News {
        if let News::HeldUp(go) = news {
            let (instead, _) = oneshot::channel();
            self.held_up = Some(go);
            return News::HeldUp(instead);
        }
        news
    }

    /// Whether it waits for SQLite's lock.
    pub(super) fn is_held_up(&self) -> bool {
        self.held_up.is_some()
    }

    /// Lets a session that SQLite has sent away try again, or give up.
    pub(super) fn answer_held_up(&mut self, try_again: bool) {
        if let Some(go) = self.held_up.take() {
            // A worker that is gone says so when its news are awaited.
            let _ = go.send(try_again);
        }
    }

    /// Ends the session when its block, if any, has come to its end.
    pub(super) async fn close(mut self) {
        self.answer_held_up(false);
        drop(self.blocks);
        // A worker that has panicked has closed its connection too.
        let _ = self.worker.await;
    }
}

struct Worker {
    session: BlockSession,
    flavour: Flavour,
    transaction: OpenTransaction,
    news: mpsc::UnboundedSender<News>,
}

/// What is known of the transaction, on SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpenTransaction {
    None,
    /// It has read and written nothing yet.
    Begun,
    HasSnapshot,
}

impl Worker {
    async fn work(mut self, mut blocks: mpsc::UnboundedReceiver<String>) {
        while let Some(sql) = blocks.recv().await {
            let ended = if self.flavour == Flavour::Sqlite {
                self.one_by_one(&sql).await
            } else {
                self.session.run(&sql, &self.news).await
            };
            // Without a listener the session ends.
            let _ = self.news.send(News::Ended(ended));
        }
        self.session.close().await;
    }

    /// SQLite leaves the waiting to its clients. A statement that it has refused as busy is tried
    /// again alone, because those before it in the block are done.
    async fn one_by_one(&mut self, sql: &str) -> Result<(), Fault> {
        let split = statements(sql, self.flavour);
        let whole = || vec![(1, 1, sql.to_owned())];
        for (_, _, statement) in split.unwrap_or_else(|_| whole()) {
            self.one(&statement).await?;
        }
        Ok(())
    }

    async fn one(&mut self, statement: &str) -> Result<(), Fault> {
        let kind = StatementKind::of(statement, self.flavour);
        loop {
            let done = self.session.run(statement, &self.news).await;
            let is_busy = matches!(&done, Err(fault) if fault.kind == FaultKind::Busy);
            if !is_busy || !self.may_wait(kind) || !self.is_told_to_try_again().await {
                if done.is_ok() {
                    self.follow(kind);
                }
                return done;
            }
        }
    }

    /// Whether SQLite's own busy handler would wait. A transaction that has read and then wants to
    /// write is refused at once.
    fn may_wait(&self, kind: StatementKind) -> bool {
        self.transaction != OpenTransaction::HasSnapshot || kind == StatementKind::Commit
    }

    async fn is_told_to_try_again(&self) -> bool {
        let (go, turn) = oneshot::channel();
        self.news.send(News::HeldUp(go)).is_ok() && turn.await.unwrap_or(false)
    }

    fn follow(&mut self, kind: StatementKind) {
        self.transaction = match (kind, self.transaction) {
            (StatementKind::Begin(_), _) => OpenTransaction::Begun,
            (StatementKind::Commit | StatementKind::Rollback, _) => OpenTransaction::None,
            (_, OpenTransaction::None) => OpenTransaction::None,
            (_, OpenTransaction::Begun | OpenTransaction::HasSnapshot) => {
                OpenTransaction::HasSnapshot
            }
        };
    }
}
