//! The service when it is busy, and when it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use racy::engine::Settings;
use racy::http::{self, Service};
use racy::step::Unobserved;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::TestEngine;
use crate::support::service::{RunningService, problem, settings};

on_engines!(
    servers:
        the_pool_out_of_reach_is_503_with_retry_after;
);

async fn the_pool_out_of_reach_is_503_with_retry_after(engine: TestEngine) {
    let lab = engine
        .lab_with(Settings {
            connections: 1,
            acquire_timeout: Duration::from_millis(500),
            ..Settings::default()
        })
        .await;
    let service = RunningService::start(&lab.database).await;
    let taken = lab.database.session(&Unobserved).await.unwrap();
    for path in ["/accounts", "/health/ready"] {
        let response = service.get(path).send().await.unwrap();
        assert_eq!(response.headers()["retry-after"], "1");
        problem(response, 503, "unavailable").await;
    }
    let response = service.deposit("atomic_no_delay", 1, 100).await;
    let refused = problem(response, 503, "unavailable").await;
    assert_eq!(refused["retryable"], true);
    assert_eq!(refused["detail"], "all 1 database connections are in use");
    assert_eq!(service.json("/health/live").await, json!({"status": "ok"}));
    taken.end().await;
    assert_eq!(service.json("/health/ready").await["status"], "ok");
    service.stop().await;
}

/// One worker holds a deposit; the next deposit waits for the worker, health does not.
#[tokio::test]
async fn workers_limit_the_requests_that_are_carried_out_at_a_time() {
    let lab = TestEngine::Sqlite.lab().await;
    let one_worker = http::Settings {
        workers: Some(1),
        ..settings()
    };
    let (service, mut arrived) = RunningService::start_gated(&lab.database, &one_worker).await;
    let deposits = [(); 2].map(|()| service.begin_deposit("non_atomic_no_delay"));
    // With one worker, the steps of the two never mix: with two, the second client's first step
    // would arrive while the first client is parked.
    for _ in 0..2 {
        for label in ["read balance", "insert transaction", "write balance"] {
            let step = arrived.next().await.unwrap();
            assert_eq!(step.label, label);
            assert_eq!(service.json("/health/live").await, json!({"status": "ok"}));
            assert!(arrived.is_empty(), "two clients at work");
            step.go();
        }
    }
    for deposit in deposits {
        assert_eq!(deposit.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(lab.account().await.lost, 0);
    service.stop().await;
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered_and_goes_on() {
    let lab = TestEngine::Sqlite.lab().await;
    let impatient = http::Settings {
        request_timeout: Duration::from_millis(100),
        ..settings()
    };
    let (service, arrived) = RunningService::start_gated(&lab.database, &impatient).await;
    let response = service.deposit("non_atomic_no_delay", 1, 100).await;
    let problem = problem(response, 504, "took-too-long").await;
    assert_eq!(problem["outcome"], "unknown");
    assert_eq!(problem["retryable"], false);
    // Stopping waits for it: so it is still at work, and its steps are let go meanwhile.
    let steps = arrived.let_all_through();
    service.stop().await;
    steps.await.unwrap();
    assert_eq!(lab.account().await.balance, 100);
}

#[tokio::test]
async fn a_shutdown_finishes_the_deposits_in_flight() {
    let lab = TestEngine::Sqlite.lab().await;
    let (service, mut arrived) = RunningService::start_gated(&lab.database, &settings()).await;
    let deposit = service.begin_deposit("atomic_no_delay");
    let first = arrived.next().await.unwrap();

    let address = service.address;
    let stopping = tokio::spawn(service.stop());
    crate::support::until("the listener is closed", || async {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    first.go();
    let steps = arrived.let_all_through();
    assert_eq!(deposit.await.unwrap().unwrap().status(), 200);
    stopping.await.unwrap();
    steps.await.unwrap();
    assert_eq!(lab.account().await.balance, 100);
}

/// Reads all that the server sends until it closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_slow_client_is_given_up() {
    let lab = TestEngine::Sqlite.lab().await;
    let hasty = http::Settings {
        // More than the test takes to send what it does send.
        header_timeout: Duration::from_secs(1),
        ..settings()
    };
    let service = RunningService::start_with(&lab.database, &hasty).await;
    let mut headers = TcpStream::connect(service.address).await.unwrap();
    headers
        .write_all(b"POST /demo/atomic_no_delay/ HTTP/1.1\r\nHost: x\r\n")
        .await
        .unwrap();
    assert!(!until_closed(&mut headers).await.contains(" 200 "));

    let mut body = TcpStream::connect(service.address).await.unwrap();
    body.write_all(
        b"POST /demo/atomic_no_delay/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
          Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 20\r\n\r\naccount=1",
    )
    .await
    .unwrap();
    assert!(until_closed(&mut body).await.starts_with("HTTP/1.1 408 "));
    assert_eq!(lab.account().await.transactions, 0);
    service.stop().await;
}

/// A client that has sent a request before the service stops is answered, accepted or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_leaves_no_request_without_an_answer() {
    let lab = TestEngine::Sqlite.lab().await;
    for _ in 0..20 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut clients = send_requests(listener.local_addr().unwrap()).await;
        let service = Service::new(lab.database.clone(), &settings(), Arc::new(Unobserved));
        http::serve(listener, service, std::future::ready(())).await;
        assert_all_answered(&mut clients).await;

        let service = RunningService::start(&lab.database).await;
        let mut clients = send_requests(service.address).await;
        service.stop().await;
        assert_all_answered(&mut clients).await;
    }
}

async fn send_requests(address: SocketAddr) -> Vec<TcpStream> {
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = b"GET /accounts HTTP/1.1\r\nHost: here\r\n\r\n";
        client.write_all(request).await.unwrap();
        clients.push(client);
    }
    clients
}

async fn assert_all_answered(clients: &mut [TcpStream]) {
    for client in clients {
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer:?}");
    }
}
