//! The application of one lane: its proxy, its process, its clients' visits, and its beginning.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::answered::Answered;
use super::http;
use super::plan::{ApplicationPlan, Launch, Probe, Restoring, Runs};
use super::process::Process;
use super::proxied::ProxiedClient;
use super::request::RequestPlan;
use super::start::{Places, Start, free_port};
use super::tables::{bring_back, cannot_be_restored};
use super::under_way::Count;
use super::visit::{RequestClient, Visit};
use crate::engine::{Copies, Database, Upstream};
use crate::proxy::{Known, Proxy, TurnSettings};

/// How long it is listened for statements of nobody before the first run.
const LISTENS_FOR: Duration = Duration::from_millis(1_500);

/// How long requests of a run that is over may take to be answered.
const REST_WITHIN: Duration = Duration::from_secs(20);

/// How long they may take when the exploration is over.
const CLOSES_WITHIN: Duration = Duration::from_secs(5);

/// How often all requests are sent freely before anything is counted.
const WARM_UPS: usize = 4;

/// How long requests that are not held may take.
const WARM_UP_WITHIN: Duration = Duration::from_secs(60);

/// The pause between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(5);

/// The application of one lane.
#[derive(Debug)]
pub(super) struct LaneApplication {
    pub(super) proxy: Proxy,
    /// How programs reach the database, but for the proxy.
    pub(super) upstream: Upstream,
    /// What the file says of the application's start, for its commands. None if it ran already.
    pub(super) launch: Option<Launch>,
    /// Where the application listens. None if it is not started here.
    pub(super) port: Option<u16>,
    /// Empty if there is no application.
    pub(super) base_url: String,
    pub(super) process: Mutex<Option<Process>>,
    /// What starts it again. None if it ran already, or if there is none.
    pub(super) start: Option<Start>,
    /// One for each client that sends requests. None for the others.
    pub(super) visits: Vec<Option<Visit>>,
    copies: Mutex<Option<Copies>>,
    /// The racing requests that are not answered yet, and the commands that have not ended.
    pub(super) under_way: Count,
}

impl LaneApplication {
    /// Starts the application on this database, sends the `before` requests, and copies the tables.
    /// `is_first` says that nothing is known yet of statements of nobody.
    ///
    /// # Errors
    /// What went wrong, in words for the author of the file.
    pub(super) async fn open(
        plan: &ApplicationPlan,
        clients: &[Option<ProxiedClient>],
        database: &Database,
        settings: TurnSettings,
        known: Arc<Known>,
        is_first: bool,
    ) -> Result<Self, String> {
        let upstream = database.upstream()?;
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listen = plan.listen.unwrap_or(free);
        let proxy = Proxy::open(
            listen,
            upstream.server.clone(),
            Some(upstream.database.clone()),
            settings,
            known,
        )
        .await;
        let proxy = proxy.map_err(|error| {
            format!("the proxy cannot listen on {listen}: {error}; `listen` names another address")
        })?;
        proxy.turns().calls_its_database(&upstream.database);
        let mut places = Places {
            port: None,
            proxy: proxy.address(),
            upstream: &upstream,
        };
        let (base_url, start) = match &plan.runs {
            Runs::Already(url) => (url.clone(), None),
            Runs::Started(launch) => {
                let port = free_port().map_err(|error| format!("no port is free: {error}"))?;
                places.port = Some(port);
                let start = Start::of(launch, places)?;
                start.prepare(launch, places).await?;
                (format!("http://127.0.0.1:{port}"), Some(start))
            }
            Runs::Nowhere(launch) => {
                let mut start = Start::of(launch, places)?;
                // Commands have these by default, and so have those that come before them.
                start.env.splice(..0, places.variables(settings.flavour));
                start.prepare(launch, places).await?;
                (String::new(), None)
            }
        };
        let port = places.port;
        let mut lane = Self {
            proxy,
            upstream,
            launch: plan.launch().cloned(),
            port,
            base_url,
            process: Mutex::new(None),
            start,
            visits: Vec::new(),
            copies: Mutex::new(None),
            under_way: Count::default(),
        };
        lane.start(plan).await?;
        for (index, client) in clients.iter().enumerate() {
            let sends = |it: &&ProxiedClient| it.request().is_some() || !it.before().is_empty();
            let visit = match client.as_ref().filter(sends) {
                None => None,
                Some(client) => Some(
                    Visit::begin(client.before(), index + 1, &lane.base_url)
                        .await
                        .map_err(|error| format!("client {}: {error}", letter(index)))?,
                ),
            };
            lane.visits.push(visit);
        }
        lane.must_not_be_turned_away()?;
        lane.proxy.roll_back_what_is_open().await;
        if !matches!(plan.restore, Restoring::Sql(_)) {
            let taken = Copies::take(database).await;
            let taken = taken.map_err(|error| cannot_be_restored(&error))?;
            *lane.copies.lock().await = Some(taken);
        }
        match lane.settle_in(plan, clients, database, is_first).await {
            Ok(()) => Ok(lane),
            Err(why) => {
                let closed = lane.close(database).await;
                Err(closed
                    .err()
                    .map_or(why.clone(), |error| format!("{why}. And {error}")))
            }
        }
    }

    /// Warms up, and the first one listens for statements of nobody. Commands are started anew in
    /// each run.
    async fn settle_in(
        &self,
        plan: &ApplicationPlan,
        clients: &[Option<ProxiedClient>],
        database: &Database,
        is_first: bool,
    ) -> Result<(), String> {
        if !plan.is_there() {
            return Ok(());
        }
        for _ in 0..WARM_UPS {
            self.warm_up(clients).await?;
            self.restore(plan, database).await?;
        }
        self.must_be_listed(database).await?;
        // What a request of the warm-up sends late is no statement of nobody.
        sleep(2 * self.proxy.turns().settings().settle).await;
        self.restore(plan, database).await?;
        if is_first {
            self.proxy.turns().listen();
            sleep(LISTENS_FOR).await;
            self.proxy.turns().hush();
        }
        Ok(())
    }

    /// The server must know the application's connections by the numbers that they were told: it is
    /// asked by them who waits for whom.
    async fn must_be_listed(&self, database: &Database) -> Result<(), String> {
        let open = self.proxy.open_connections();
        let mut missing = Vec::new();
        for id in &open {
            let listed = database.lists(*id).await.map_err(|fault| fault.message)?;
            if !listed {
                missing.push(*id);
            }
        }
        // One that has ended meanwhile is missing for good reason.
        let still_open = self.proxy.open_connections();
        match missing.iter().find(|it| still_open.contains(it)) {
            None => Ok(()),
            Some(id) => Err(format!(
                "the server does not list the application's connection {id}, so it cannot be asked \
                 whether that one waits for a lock. If --database-url leads to a pooler (PgBouncer, \
                 ProxySQL), name the server behind the pooler, also if each client keeps its \
                 connection. Or its user may not see the connections of the application's user"
            )),
        }
    }

    /// Sends all racing requests at once and lets them run freely, so that workers are there and
    /// pools have their connections before anything is counted. What is answered does not matter.
    async fn warm_up(&self, clients: &[Option<ProxiedClient>]) -> Result<(), String> {
        let sent = clients.iter().enumerate().filter_map(|(index, client)| {
            let client = client.as_ref()?.request()?;
            Some(self.race(client, index))
        });
        match timeout(WARM_UP_WITHIN, join_all(sent)).await {
            Ok(_) => Ok(()),
            Err(_elapsed) => Err(format!(
                "the requests are not answered within {} s if they are sent at once, without Racy \
                 holding anything: they may block each other{}",
                WARM_UP_WITHIN.as_secs(),
                self.end_of_log().await
            )),
        }
    }

    /// Brings it back to its beginning.
    pub(super) async fn restore(
        &self,
        plan: &ApplicationPlan,
        database: &Database,
    ) -> Result<(), String> {
        self.until_at_rest().await?;
        if matches!(plan.restore, Restoring::Restart) {
            self.end().await;
        }
        // A connection whose statement is held takes no order, so this comes first.
        self.proxy.roll_back_what_is_open().await;
        // Until the tables are back, what the application sends by itself waits.
        let held = self.proxy.turns().hold_everything().await;
        match (&plan.restore, &*self.copies.lock().await) {
            (Restoring::Sql(sql), _) => {
                let restored = database.run_apart(sql).await;
                restored.map_err(|fault| format!("`restore`: {fault}"))?;
            }
            (_, Some(copies)) => bring_back(copies, database).await?,
            (_, None) => {}
        }
        drop(held);
        match &plan.restore {
            Restoring::Request(request) => self.ask_to_restore(request).await,
            Restoring::Restart => self.start(plan).await,
            Restoring::Copies | Restoring::Sql(_) => Ok(()),
        }
    }

    async fn ask_to_restore(&self, request: &RequestPlan) -> Result<(), String> {
        let sent = request.with(&http::client()?, &self.base_url, &|_| None);
        let sent = sent.map_err(|unfit| format!("`restore`: {unfit}"))?;
        match http::answer_to(sent).await {
            Ok(answer) if request.statuses.contain(answer.status) => Ok(()),
            Ok(answer) => Err(format!("`restore` was answered {}", answer.status)),
            Err(error) => Err(format!("`restore`: {error}")),
        }
    }

    /// Waits until the requests of the last run are answered: a run may be broken off.
    async fn until_at_rest(&self) -> Result<(), String> {
        let deadline = Instant::now() + REST_WITHIN;
        while !self.under_way.is_zero() {
            if Instant::now() > deadline {
                return Err(format!(
                    "a request of an earlier run was not answered within {} s, or a command has not ended",
                    REST_WITHIN.as_secs()
                ));
            }
            sleep(PAUSE).await;
        }
        if let Some(process) = self.process.lock().await.as_mut()
            && let Some(status) = process.ended()
        {
            return Err(format!("the application: {}", process.ended_with(status)));
        }
        Ok(())
    }

    /// Sends the racing request of the client with this index.
    pub(super) async fn race(
        &self,
        client: &RequestClient,
        index: usize,
    ) -> Result<Answered, String> {
        match self.visits.get(index).and_then(Option::as_ref) {
            Some(visit) => visit.race(&client.request).await,
            None => Err("this client has not visited the application".to_owned()),
        }
    }

    /// A few words that name the request of the client with this index.
    pub(super) fn in_words(&self, client: &RequestClient, index: usize) -> String {
        let visit = self.visits.get(index).and_then(Option::as_ref);
        let words = visit.map(|it| it.in_words(&client.request));
        words.unwrap_or_default()
    }

    /// Whether the application answers this.
    pub(super) async fn holds(&self, probe: &Probe) -> Result<bool, String> {
        let _asked = self.proxy.turns().ask();
        let url = format!("{}{}", self.base_url, probe.path);
        let answer = http::answer_to(http::client()?.get(&url)).await;
        let answer = answer.map_err(|error| format!("GET {}: {error}", probe.path))?;
        if !answer.status.is_success() {
            let (status, begin) = (answer.status, answer.beginning());
            return Err(format!("GET {} was answered {status}{begin}", probe.path));
        }
        let value: serde_json::Value = serde_json::from_str(&answer.body)
            .map_err(|error| format!("GET {}: the answer is no JSON: {error}", probe.path))?;
        match value.pointer(&probe.pointer) {
            Some(value) => Ok(*value == probe.equals),
            None => Err(format!(
                "GET {}: the answer has nothing at {:?}",
                probe.path, probe.pointer
            )),
        }
    }

    /// Ends the process.
    pub(super) async fn end(&self) {
        let process = self.process.lock().await.take();
        let ended = tokio::task::spawn_blocking(move || drop(process)).await;
        if let Err(error) = ended {
            tracing::warn!(%error, "the application's end cannot be waited for");
        }
    }

    /// Ends the application, and drops the copies of the tables.
    pub(super) async fn close(&self, database: &Database) -> Result<(), String> {
        self.end().await;
        let began = Instant::now();
        // A run that was broken off may leave a request that an application of yours works for.
        while !self.under_way.is_zero() && began.elapsed() < CLOSES_WITHIN {
            sleep(PAUSE).await;
        }
        let copies = self.copies.lock().await.take();
        match copies {
            Some(copies) => {
                // A database with other users is left as it was found.
                let back = bring_back(&copies, database).await;
                let dropped = copies.drop(database).await;
                back.and(dropped.map_err(|error| error.to_string()))
            }
            None => Ok(()),
        }
    }
}

fn letter(index: usize) -> String {
    let client = crate::explore::Client::first(index + 1).last();
    client.map(|it| it.to_string()).unwrap_or_default()
}
