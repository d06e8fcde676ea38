//! How many clients may be connection, and which requests are carried out beyond that.
//!
//! If all ordinary places are taken, the connection that has been idle for longest has to leave. If
//! none is idle, there are a few reserved places. A client in a reserved place has little time to
//! send a request. Health checks and the keeper's requests are then carried out; all others are
//! refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::connection::{ClientConnection, Place};
use super::problem::Problem;

/// How many reserved places there are, beyond the ordinary ones.
pub const RESERVED_PLACES: usize = 8;

/// How long a client in a reserved place may take to send its request's headers.
pub(super) const RESERVED_HEADER_TIMEOUT: Duration = Duration::from_secs(2);

/// How long a connection that was asked to leave may take.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for a place before asking another connection to leave.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// All places, and the connections that have them.
#[derive(Debug)]
pub(super) struct Admission {
    most: usize,
    ordinary: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    register: Mutex<Register>,
}

#[derive(Debug, Default)]
struct Register {
    next: u64,
    connections: BTreeMap<u64, Arc<ClientConnection>>,
}

/// A connection that has a place. The place is free again when this is dropped.
#[derive(Debug)]
pub(super) struct AdmittedConnection {
    pub(super) connection: Arc<ClientConnection>,
    number: u64,
    admission: Arc<Admission>,
}

impl Admission {
    pub(super) fn of(most: usize) -> Arc<Self> {
        let most = most.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            most,
            ordinary: Arc::new(Semaphore::new(most)),
            reserved: Arc::new(Semaphore::new(RESERVED_PLACES)),
            register: Mutex::default(),
        })
    }

    /// Gives a new connection a place. None if there is no place at the moment.
    pub(super) fn try_admit(self: &Arc<Self>) -> Option<AdmittedConnection> {
        let place = self.ordinary_place().or_else(|| {
            // The place that becomes free is for the next client, or for this client's request.
            self.make_room();
            let permit = Arc::clone(&self.reserved).try_acquire_owned();
            permit.ok().map(Place::Reserved)
        });
        place.map(|place| self.add(place))
    }

    /// As [`try_admit`](Self::try_admit), but waits for a place.
    pub(super) async fn admit(self: &Arc<Self>) -> Option<AdmittedConnection> {
        if let Some(admitted) = self.try_admit() {
            return Some(admitted);
        }
        let place = tokio::select! {
            permit = Arc::clone(&self.ordinary).acquire_owned() => permit.ok().map(Place::Ordinary),
            permit = Arc::clone(&self.reserved).acquire_owned() => permit.ok().map(Place::Reserved),
        };
        place.map(|place| self.add(place))
    }

    fn ordinary_place(&self) -> Option<Place> {
        let permit = Arc::clone(&self.ordinary).try_acquire_owned();
        permit.ok().map(Place::Ordinary)
    }

    fn add(self: &Arc<Self>, place: Place) -> AdmittedConnection {
        let connection = Arc::new(ClientConnection::at(place));
        let mut register = self.lock_register();
        let number = register.next;
        register.next += 1;
        register.connections.insert(number, Arc::clone(&connection));
        AdmittedConnection {
            connection,
            number,
            admission: Arc::clone(self),
        }
    }

    fn lock_register(&self) -> MutexGuard<'_, Register> {
        // Nothing panics while it holds the lock.
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the connection that has been idle for longest in an ordinary place to leave. Returns
    /// whether an ordinary place is about to be free: of this connection, or of one that was asked
    /// before.
    fn make_room(&self) -> bool {
        let register = self.lock_register();
        let ordinary = register.connections.values();
        let ordinary = ordinary.filter(|connection| !connection.is_in_the_reserve());
        let is_leaving = ordinary.clone().any(|it| it.is_leaving());
        let idle = ordinary.filter_map(|connection| {
            let since = connection.idle_since()?;
            Some((since, connection))
        });
        let longest = idle.min_by_key(|(since, _)| *since);
        let was_told = longest.inspect(|(_, it)| it.ask_to_leave()).is_some();
        was_told || is_leaving
    }

    /// Whether a request on this connection may be carried out. One that may needs an ordinary
    /// place, unless it is never refused.
    async fn lets_through(&self, connection: &ClientConnection, is_never_refused: bool) -> bool {
        if is_never_refused || !connection.is_in_the_reserve() {
            return true;
        }
        let place = match self.ordinary_place() {
            Some(place) => Some(place),
            None => self.ordinary_place_in_time().await,
        };
        let is_let_through = place.is_some();
        if let Some(place) = place {
            connection.move_to(place);
        }
        is_let_through
    }

    /// Waits for an ordinary place that is about to be free. A new connection may be faster to take
    /// it, and is then asked to leave in its turn.
    async fn ordinary_place_in_time(&self) -> Option<Place> {
        let give_up = Instant::now() + LEAVE_TIMEOUT;
        while self.make_room() && Instant::now() < give_up {
            let permit = Arc::clone(&self.ordinary).acquire_owned();
            if let Ok(permit) = timeout(BETWEEN_LOOKS, permit).await {
                return permit.ok().map(Place::Ordinary);
            }
        }
        None
    }
}

impl AdmittedConnection {
    /// What every request on this connection carries as an extension.
    pub(super) fn origin(&self) -> RequestOrigin {
        RequestOrigin {
            connection: Arc::clone(&self.connection),
            admission: Arc::clone(&self.admission),
        }
    }
}

impl Drop for AdmittedConnection {
    fn drop(&mut self) {
        self.admission
            .lock_register()
            .connections
            .remove(&self.number);
    }
}

/// Whether a request is carried out even without an ordinary place: health checks, metrics, the
/// keeper's requests, and the style sheet of the keeper's pages.
fn is_never_refused(method: &Method, path: &str) -> bool {
    let is_below = |folder: &str| {
        let rest = path.strip_prefix(folder);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let changes_accounts =
        matches!(*method, Method::POST | Method::DELETE) && is_below("/accounts");
    ["/health", "/metrics", "/admin", "/changes", "/racy.css"]
        .into_iter()
        .any(is_below)
        || changes_accounts
}

/// The connection that a request came over, and the admission that decides about it.
#[derive(Debug, Clone)]
pub(super) struct RequestOrigin {
    pub(super) connection: Arc<ClientConnection>,
    pub(super) admission: Arc<Admission>,
}

/// Carries a request out, or refuses it if all ordinary places are taken. A request that came over
/// no connection, as in a test of the router alone, is always carried out.
pub(super) async fn admit(request: Request, next: Next) -> Response {
    let Some(origin) = request.extensions().get::<RequestOrigin>().cloned() else {
        return next.run(request).await;
    };
    let RequestOrigin {
        connection,
        admission,
    } = origin;
    let underway = connection.begin();
    let is_never_refused = is_never_refused(request.method(), request.uri().path());
    let may_run = admission.lets_through(&connection, is_never_refused).await;
    let mut response = if may_run {
        next.run(request).await
    } else {
        Problem::too_many_clients(admission.most).into_response()
    };
    if connection.is_in_the_reserve() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    underway.until_sent(response)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[test]
    fn health_and_the_keeper_are_never_refused() {
        for (method, path, is_let_through) in [
            (Method::GET, "/health/ready", true),
            (Method::GET, "/metrics", true),
            (Method::GET, "/admin", true),
            (Method::POST, "/admin/login", true),
            (Method::GET, "/changes", true),
            (Method::GET, "/racy.css", true),
            (Method::POST, "/accounts/1/reset", true),
            (Method::DELETE, "/accounts/1/transactions/2", true),
            (Method::GET, "/accounts", false),
            (Method::GET, "/administration", false),
            (Method::POST, "/demo/atomic_no_delay/", false),
            (Method::GET, "/exports/transactions.csv", false),
        ] {
            assert_eq!(
                is_never_refused(&method, path),
                is_let_through,
                "{method} {path}"
            );
        }
    }

    #[tokio::test]
    async fn the_connection_that_was_idle_for_longest_makes_room() {
        let admission = Admission::of(2);
        let busy = admission.try_admit().unwrap();
        let _underway = busy.connection.begin();
        let idle = admission.try_admit().unwrap();
        let third = admission.try_admit().unwrap();
        assert!(third.connection.is_in_the_reserve());
        // This one was asked to leave, and will not be asked again. The other one is busy.
        assert!(idle.connection.idle_since().is_none());
        idle.connection.must_close(Duration::MAX).await;
        drop(idle);
        let _third_underway = third.connection.begin();
        assert!(admission.lets_through(&third.connection, false).await);
        assert!(!third.connection.is_in_the_reserve());
        let fourth = admission.try_admit().unwrap();
        let _fourth_underway = fourth.connection.begin();
        assert!(!admission.lets_through(&fourth.connection, false).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_about_to_be_free_is_waited_for() {
        let admission = Admission::of(1);
        let idle = admission.try_admit().unwrap();
        let second = admission.try_admit().unwrap();
        let _underway = second.connection.begin();
        let mut let_through = pin!(admission.lets_through(&second.connection, false));
        assert!(timeout(LEAVE_TIMEOUT / 2, &mut let_through).await.is_err());
        drop(idle);
        assert!(let_through.await);
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_ordinary_place_is_room_for_a_request() {
        let admission = Admission::of(1);
        let first = admission.try_admit().unwrap();
        let idle_in_the_reserve = admission.try_admit().unwrap();
        drop(first);
        let idle = admission.try_admit().unwrap();
        let asking = admission.try_admit().unwrap();
        let _underway = asking.connection.begin();
        let mut let_through = pin!(admission.lets_through(&asking.connection, false));
        assert!(timeout(LEAVE_TIMEOUT / 2, &mut let_through).await.is_err());
        assert!(idle.connection.is_leaving());
        assert!(!idle_in_the_reserve.connection.is_leaving());
        drop(idle);
        assert!(let_through.await);
    }

    #[tokio::test]
    async fn places_come_back() {
        let admission = Admission::of(1);
        let all: Vec<_> = (0..=RESERVED_PLACES)
            .map(|_| admission.try_admit().unwrap())
            .collect();
        assert!(admission.try_admit().is_none());
        drop(all);
        assert!(
            !admission
                .try_admit()
                .unwrap()
                .connection
                .is_in_the_reserve()
        );
    }
}
