//! The proxy itself: it listens, and serves each connection in a task of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::connection::{Gatekeeper, MySqlConnection, Order, PostgresConnection};
use super::framing::Framing;
use super::known::Known;
use super::remarks::Remarks;
use super::run::RunTurns;
use super::seats::OwnClient;
use super::turns::{TurnSettings, Turns};
use super::wire::Wire;
use super::{mysql, postgres};
use crate::engine::{ConnectionId, Flavour, ServerPlace};
use crate::explore::Client;

/// The pause after a connection could not be accepted, e.g. because too many files are open.
const PAUSE: Duration = Duration::from_millis(50);

/// A proxy that listens. It ends with all its connections when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// What the connections share.
#[derive(Debug)]
struct Shared {
    server: ServerPlace,
    /// The only database that clients may use. None if they may use any.
    database: Option<String>,
    turns: Arc<Turns>,
    /// What there is to say of connections that any client may use.
    remarks: Arc<Remarks>,
    /// The same of the connections of one client alone.
    remarks_of: Mutex<BTreeMap<Client, Arc<Remarks>>>,
    connections: Mutex<BTreeMap<u64, OpenConnection>>,
    /// How many there have been.
    count: AtomicU64,
}

/// A connection that is served.
#[derive(Debug)]
struct OpenConnection {
    id: ConnectionId,
    orders: mpsc::Sender<Order>,
}

/// Where the connections of one client come in, in one run. So it is certain whose statements they
/// send. They end when this is dropped.
#[derive(Debug)]
pub struct ClientListener {
    address: SocketAddr,
    turns: Arc<Turns>,
    /// Its connections that are open.
    open: Arc<AtomicUsize>,
    task: AbortHandle,
}

/// How a connection came in.
#[derive(Clone)]
struct Entry {
    own: Option<OwnClient>,
    remarks: Arc<Remarks>,
    open: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens on this address, in front of this server. `database` is the only one that clients
    /// may use, because no other one is brought back; None if they may use any.
    ///
    /// # Errors
    /// If the address is taken or may not be listened on.
    pub async fn open(
        listen: SocketAddr,
        server: ServerPlace,
        database: Option<String>,
        settings: TurnSettings,
        known: Arc<Known>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server,
            database,
            turns: Turns::new(settings, known),
            remarks: Arc::default(),
            remarks_of: Mutex::default(),
            connections: Mutex::default(),
            count: AtomicU64::default(),
        });
        let entry = Entry {
            own: None,
            remarks: Arc::clone(&shared.remarks),
            open: Arc::default(),
        };
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared), entry));
        Ok(Self {
            address,
            shared,
            task: serving.abort_handle(),
        })
    }

    /// Listens on another port of 127.0.0.1, for this client alone and for this run.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn listen_for(&self, client: Client, run: &RunTurns) -> io::Result<ClientListener> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let entry = Entry {
            own: Some(run.own(client)),
            remarks: self.shared.remarks_of(client),
            open: Arc::default(),
        };
        let open = Arc::clone(&entry.open);
        let serving = tokio::spawn(serve(listener, Arc::clone(&self.shared), entry));
        Ok(ClientListener {
            address,
            turns: Arc::clone(&self.shared.turns),
            open,
            task: serving.abort_handle(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whose turn it is.
    pub fn turns(&self) -> &Arc<Turns> {
        &self.shared.turns
    }

    /// How often a client has connected, whether it got in or not.
    pub fn tries(&self) -> u64 {
        self.shared.remarks.count_of_tries()
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u64 {
        self.shared.remarks.connections()
    }

    /// The numbers that the server has given to the connections that are open now.
    pub fn open_connections(&self) -> Vec<ConnectionId> {
        self.shared.connections().values().map(|it| it.id).collect()
    }

    /// Why clients did not get in.
    pub fn refusals(&self) -> Vec<String> {
        self.shared.remarks.refusals()
    }

    /// How often this client has connected to a port of its own, and why it did not get in.
    pub fn entries_of(&self, client: Client) -> (u64, Vec<String>) {
        let remarks = self.shared.remarks_of(client);
        (remarks.count_of_tries(), remarks.refusals())
    }

    /// What else there is to say of its connections.
    pub fn remarks(&self) -> Vec<String> {
        let own = self.shared.all_remarks_of().clone();
        let own = own.values().flat_map(|it| it.others());
        self.shared
            .remarks
            .others()
            .into_iter()
            .chain(own)
            .collect()
    }

    /// Rolls back the transactions that the application has left open on idle connections, so that
    /// they are in nobody's way. Returns how many there were. A connection with a statement under
    /// way is left alone.
    pub async fn roll_back_what_is_open(&self) -> usize {
        let orders_of = |it: &OpenConnection| it.orders.clone();
        let connections: Vec<_> = self.shared.connections().values().map(orders_of).collect();
        let mut asked = Vec::new();
        for orders in connections {
            let (done, answer) = oneshot::channel();
            // One that has ended, or of which nothing can be said, takes no order.
            if orders.send(Order::RollBack(done)).await.is_ok() {
                asked.push(answer);
            }
        }
        let mut open = 0;
        for answer in asked {
            // One that ends meanwhile rolls back by itself.
            open += usize::from(answer.await.unwrap_or(false));
        }
        open
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ClientListener {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until none of its connections is open. Until then one of them may send something, or
    /// roll back because it was closed.
    pub async fn until_all_are_closed(&self) {
        let mut changes = self.turns.changes.subscribe();
        while self.open.load(Ordering::Relaxed) > 0 {
            // The sender lives as long as the turns.
            let _ = changes.changed().await;
        }
    }
}

impl Drop for ClientListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection that is open, until this is dropped.
struct Open<'s>(&'s Entry, &'s Turns);

impl<'s> Open<'s> {
    fn of(entry: &'s Entry, turns: &'s Turns) -> Self {
        entry.open.fetch_add(1, Ordering::Relaxed);
        Self(entry, turns)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.1.has_changed();
    }
}

impl Shared {
    /// A new connection to the server. The error says in words why there is none.
    async fn server<F: Framing>(&self, remarks: &Remarks) -> Result<Wire<F>, String> {
        Wire::to_server(&self.server).await.map_err(|error| {
            let words = format!(
                "Racy's proxy cannot reach the database server at {}: {error}",
                self.server
            );
            remarks.refused(&words);
            words
        })
    }

    fn remarks_of(&self, client: Client) -> Arc<Remarks> {
        Arc::clone(self.all_remarks_of().entry(client).or_default())
    }

    fn all_remarks_of(&self) -> MutexGuard<'_, BTreeMap<Client, Arc<Remarks>>> {
        // Nothing panics while it holds the lock.
        self.remarks_of
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<u64, OpenConnection>> {
        // Nothing panics while it holds the lock.
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections for ever. Those that it serves end with it.
async fn serve(listener: TcpListener, shared: Arc<Shared>, entry: Entry) {
    let mut serving = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                entry.remarks.not_accepted(&error);
                sleep(PAUSE).await;
                continue;
            }
        };
        let number = shared.count.fetch_add(1, Ordering::Relaxed);
        let (shared, entry) = (Arc::clone(&shared), entry.clone());
        serving.spawn(async move {
            let _open = Open::of(&entry, &shared.turns);
            if let Err(error) = serve_one(stream, number, &shared, &entry).await {
                tracing::debug!(%error, "a connection of the proxy ended");
            }
            shared.connections().remove(&number);
        });
        while serving.try_join_next().is_some() {}
    }
}

async fn serve_one(
    stream: TcpStream,
    number: u64,
    shared: &Shared,
    entry: &Entry,
) -> io::Result<()> {
    entry.remarks.tries();
    if let Some(own) = entry.own {
        shared.turns.has_started(own);
    }
    let is_in = |id, orders| {
        entry.remarks.connected();
        shared
            .connections()
            .insert(number, OpenConnection { id, orders });
    };
    let gate = Gatekeeper {
        database: shared.database.as_deref(),
        turns: &shared.turns,
        remarks: &entry.remarks,
        own: entry.own,
    };
    if shared.turns.settings().flavour == Flavour::Postgres {
        let mut client = Wire::of_client(stream)?;
        let server = match shared.server(&entry.remarks).await {
            Ok(server) => server,
            Err(words) => return client.send(&postgres::refusal(&words)).await,
        };
        let opened = PostgresConnection::open(client, server, &gate).await?;
        let Some((connection, orders)) = opened else {
            return Ok(());
        };
        is_in(connection.id(), orders);
        connection.serve().await
    } else {
        let mut client = Wire::of_client(stream)?;
        let server = match shared.server(&entry.remarks).await {
            Ok(server) => server,
            Err(words) => return client.send_packet(&mysql::refusal(0, &words)).await,
        };
        let opened = MySqlConnection::open(client, server, &gate).await?;
        let Some((connection, orders)) = opened else {
            return Ok(());
        };
        is_in(connection.id(), orders);
        connection.serve().await
    }
}
