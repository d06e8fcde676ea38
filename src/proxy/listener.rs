//! The proxy itself: it listens, and serves each connection in a task of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use super::connection::{MySqlConnection, Order, PostgresConnection};
use super::framing::Framing;
use super::known::Known;
use super::remarks::Remarks;
use super::turns::{TurnSettings, Turns};
use super::wire::Wire;
use super::{mysql, postgres};
use crate::engine::{ConnectionId, Flavour, ServerPlace};

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
    remarks: Arc<Remarks>,
    connections: Mutex<BTreeMap<u64, Open>>,
}

/// A connection that is served.
#[derive(Debug)]
struct Open {
    id: ConnectionId,
    orders: mpsc::Sender<Order>,
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
            connections: Mutex::default(),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
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

    /// What else there is to say of its connections.
    pub fn remarks(&self) -> Vec<String> {
        self.shared.remarks.others()
    }

    /// Rolls back the transactions that the application has left open on idle connections, so that
    /// they are in nobody's way. Returns how many there were. A connection with a statement under
    /// way is left alone.
    pub async fn roll_back_what_is_open(&self) -> usize {
        let orders_of = |it: &Open| it.orders.clone();
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

impl Shared {
    /// A new connection to the server. The error says in words why there is none.
    async fn server<F: Framing>(&self) -> Result<Wire<F>, String> {
        Wire::to_server(&self.server).await.map_err(|error| {
            let words = format!(
                "Racy's proxy cannot reach the database server at {}: {error}",
                self.server
            );
            self.remarks.refused(&words);
            words
        })
    }

    /// The client of this connection is in.
    fn is_in(&self, number: u64, id: ConnectionId, orders: mpsc::Sender<Order>) {
        self.remarks.connected();
        self.connections().insert(number, Open { id, orders });
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<u64, Open>> {
        // Nothing panics while it holds the lock.
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections for ever. Those that it serves end with it.
async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut serving = JoinSet::new();
    let mut number = 0;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                shared.remarks.not_accepted(&error);
                sleep(PAUSE).await;
                continue;
            }
        };
        number += 1;
        let shared = Arc::clone(&shared);
        serving.spawn(async move {
            if let Err(error) = serve_one(stream, number, &shared).await {
                tracing::debug!(%error, "a connection of the proxy ended");
            }
            shared.connections().remove(&number);
        });
        while serving.try_join_next().is_some() {}
    }
}

async fn serve_one(stream: TcpStream, number: u64, shared: &Shared) -> io::Result<()> {
    let (turns, remarks) = (&shared.turns, &shared.remarks);
    let database = shared.database.as_deref();
    remarks.tries();
    if turns.settings().flavour == Flavour::Postgres {
        let mut client = Wire::of_client(stream)?;
        let server = match shared.server().await {
            Ok(server) => server,
            Err(words) => return client.send(&postgres::refusal(&words)).await,
        };
        let opened = PostgresConnection::open(client, server, database, turns, remarks).await?;
        let Some((connection, orders)) = opened else {
            return Ok(());
        };
        shared.is_in(number, connection.id(), orders);
        connection.serve().await
    } else {
        let mut client = Wire::of_client(stream)?;
        let server = match shared.server().await {
            Ok(server) => server,
            Err(words) => return client.send_packet(&mysql::refusal(0, &words)).await,
        };
        let opened = MySqlConnection::open(client, server, database, turns, remarks).await?;
        let Some((connection, orders)) = opened else {
            return Ok(());
        };
        shared.is_in(number, connection.id(), orders);
        connection.serve().await
    }
}
