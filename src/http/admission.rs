//! How many clients may be connected, and which requests are carried out beyond that.
//!
//! Where all places are taken, the connection that has been idle for longest has to give its own
//! up. Where none is idle, a few places remain beyond the ordinary ones. In one of these a client
//! may say quickly what it wants: whether the service is well, and the keeper's requests, are
//! answered; everything else is refused.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::connected::{Connected, Place};
use super::problem::Problem;

/// How many places there are beyond the ordinary ones.
pub const RESERVED_PLACES: usize = 8;

/// How long a client in a reserved place may take to say what it wants.
pub(super) const SAY_QUICKLY: Duration = Duration::from_secs(2);

/// How long a connection that was told to go may take.
const LEAVE_QUICKLY: Duration = Duration::from_secs(5);

/// How long a place is waited for before it is looked who else could go.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The places, and the connections that have them.
#[derive(Debug)]
pub(super) struct Admission {
    most: usize,
    ordinary: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
    connected: Mutex<Register>,
}

#[derive(Debug, Default)]
struct Register {
    next: u64,
    connections: BTreeMap<u64, Arc<Connected>>,
}

/// A connection that was let in. Its place is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) connected: Arc<Connected>,
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
            connected: Mutex::default(),
        })
    }

    /// Lets a connection in; None where there is no place left for it at the moment.
    pub(super) fn try_admit(self: &Arc<Self>) -> Option<Admitted> {
        let place = self.ordinary_place().or_else(|| {
            // The place that becomes free is for the next client, or for this one's request.
            self.make_room();
            let permit = Arc::clone(&self.reserved).try_acquire_owned();
            permit.ok().map(Place::Reserved)
        });
        place.map(|place| self.register(place))
    }

    /// As [`try_admit`](Self::try_admit), once there is a place.
    pub(super) async fn admit(self: &Arc<Self>) -> Option<Admitted> {
        if let Some(admitted) = self.try_admit() {
            return Some(admitted);
        }
        let place = tokio::select! {
            permit = Arc::clone(&self.ordinary).acquire_owned() => permit.ok().map(Place::Ordinary),
            permit = Arc::clone(&self.reserved).acquire_owned() => permit.ok().map(Place::Reserved),
        };
        place.map(|place| self.register(place))
    }

    fn ordinary_place(&self) -> Option<Place> {
        let permit = Arc::clone(&self.ordinary).try_acquire_owned();
        permit.ok().map(Place::Ordinary)
    }

    fn register(self: &Arc<Self>, place: Place) -> Admitted {
        let connected = Arc::new(Connected::at(place));
        let mut register = self.register_of_all();
        let number = register.next;
        register.next += 1;
        register.connections.insert(number, Arc::clone(&connected));
        Admitted {
            connected,
            number,
            admission: Arc::clone(self),
        }
    }

    fn register_of_all(&self) -> MutexGuard<'_, Register> {
        // Nothing panics while it holds the lock.
        self.connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the connection that has been idle for longest in an ordinary place to go. Says whether an
    /// ordinary place is about to be free: that one's, or the place of another that was told before and
    /// has not gone yet.
    fn make_room(&self) -> bool {
        let register = self.register_of_all();
        let ordinary = register.connections.values();
        let ordinary = ordinary.filter(|connected| !connected.is_in_the_reserve());
        let is_leaving = ordinary.clone().any(|it| it.is_leaving());
        let idle = ordinary.filter_map(|connected| {
            let since = connected.idle_since()?;
            Some((since, connected))
        });
        let longest = idle.min_by_key(|(since, _)| *since);
        let was_told = longest.inspect(|(_, it)| it.has_to_make_room()).is_some();
        was_told || is_leaving
    }

    /// Whether a request may be carried out.
    async fn lets_through(&self, connected: &Connected, is_never_kept_out: bool) -> bool {
        if is_never_kept_out || !connected.is_in_the_reserve() {
            return true;
        }
        let place = match self.ordinary_place() {
            Some(place) => Some(place),
            None => self.ordinary_place_in_time().await,
        };
        let is_let_through = place.is_some();
        if let Some(place) = place {
            connected.move_to(place);
        }
        is_let_through
    }

    /// An ordinary place that is about to be free. A new connection may be quicker to take it, and is
    /// told to go in its turn.
    async fn ordinary_place_in_time(&self) -> Option<Place> {
        let give_up = Instant::now() + LEAVE_QUICKLY;
        while self.make_room() && Instant::now() < give_up {
            let permit = Arc::clone(&self.ordinary).acquire_owned();
            if let Ok(permit) = timeout(BETWEEN_LOOKS, permit).await {
                return permit.ok().map(Place::Ordinary);
            }
        }
        None
    }
}

impl Admitted {
    /// What a request that comes over it is told.
    pub(super) fn arrived(&self) -> Arrived {
        Arrived {
            connected: Arc::clone(&self.connected),
            admission: Arc::clone(&self.admission),
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission
            .register_of_all()
            .connections
            .remove(&self.number);
    }
}

/// What is let through where no place is free: whether the service is well, what the keeper does,
/// and what the keeper's pages look like.
fn is_never_kept_out(method: &Method, path: &str) -> bool {
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

/// The connection that a request came over, and what decides about it.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub(super) connected: Arc<Connected>,
    pub(super) admission: Arc<Admission>,
}

/// Carries a request out, or refuses it where all places are taken. Of a request that came over no
/// connection, nothing is asked.
pub(super) async fn admit(request: Request, next: Next) -> Response {
    let Some(arrived) = request.extensions().get::<Arrived>().cloned() else {
        return next.run(request).await;
    };
    let Arrived {
        connected,
        admission,
    } = arrived;
    let underway = connected.begin();
    let is_never_kept_out = is_never_kept_out(request.method(), request.uri().path());
    let is_let_through = admission.lets_through(&connected, is_never_kept_out);
    let mut response = match is_let_through.await {
        true => next.run(request).await,
        false => Problem::too_many_clients(admission.most).into_response(),
    };
    if connected.is_in_the_reserve() {
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
    fn health_and_the_keeper_are_never_kept_out() {
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
                is_never_kept_out(&method, path),
                is_let_through,
                "{method} {path}"
            );
        }
    }

    #[tokio::test]
    async fn the_connection_that_was_idle_for_longest_makes_room() {
        let admission = Admission::of(2);
        let busy = admission.try_admit().unwrap();
        let _underway = busy.connected.begin();
        let idle = admission.try_admit().unwrap();
        let third = admission.try_admit().unwrap();
        assert!(third.connected.is_in_the_reserve());
        // It was told to go, and will not be told again; the other one is busy.
        assert!(idle.connected.idle_since().is_none());
        idle.connected.has_to_go(Duration::MAX).await;
        drop(idle);
        let _third_underway = third.connected.begin();
        assert!(admission.lets_through(&third.connected, false).await);
        assert!(!third.connected.is_in_the_reserve());
        let fourth = admission.try_admit().unwrap();
        let _fourth_underway = fourth.connected.begin();
        assert!(!admission.lets_through(&fourth.connected, false).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_is_about_to_be_free_is_waited_for() {
        let admission = Admission::of(1);
        let idle = admission.try_admit().unwrap();
        let second = admission.try_admit().unwrap();
        let _underway = second.connected.begin();
        let mut let_through = pin!(admission.lets_through(&second.connected, false));
        assert!(timeout(LEAVE_QUICKLY / 2, &mut let_through).await.is_err());
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
        let _underway = asking.connected.begin();
        let mut let_through = pin!(admission.lets_through(&asking.connected, false));
        assert!(timeout(LEAVE_QUICKLY / 2, &mut let_through).await.is_err());
        assert!(idle.connected.is_leaving());
        assert!(!idle_in_the_reserve.connected.is_leaving());
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
        assert!(!admission.try_admit().unwrap().connected.is_in_the_reserve());
    }
}
