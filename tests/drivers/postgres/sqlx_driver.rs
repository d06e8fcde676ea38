//! sqlx: raw text, and prepared statements. `tools/test-drivers` starts it.
//! Arguments: HOST PORT USER PASSWORD DATABASE LIST.

use std::fmt::Display;
use std::fs;
use std::future::Future;
use std::process::ExitCode;

use futures_util::StreamExt as _;
use sqlx::postgres::{
    PgArguments, PgConnectOptions, PgListener, PgPoolOptions, PgRow, PgSslMode, PgValueFormat,
};
use sqlx::query::Query;
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Either, Error, PgConnection,
    Postgres, Row as _, ValueRef as _,
};

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, user, password, database, list] = &words[..] else {
        return ExitCode::FAILURE;
    };
    let Ok(port) = port.parse() else {
        return ExitCode::FAILURE;
    };
    let place = PgConnectOptions::new_without_pgpass()
        .host(host)
        .port(port)
        .username(user)
        .password(password)
        .database(database)
        .disable_statement_logging();
    match run(place, list).await {
        Ok(()) => {
            println!("all sent");
            ExitCode::SUCCESS
        }
        Err(error) => {
            print_error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(place: PgConnectOptions, list: &str) -> Result<(), Error> {
    let mut connection = place.connect().await?;
    let list = fs::read_to_string(list)?;
    let statements = list.lines().filter(|line| !line.starts_with('#'));
    for (number, line) in statements.enumerate() {
        let parts: Vec<&str> = line.split('\t').collect();
        let [protocol, _, sql, arguments @ ..] = &parts[..] else {
            continue;
        };
        let beginning: String = sql.chars().take(60).collect();
        println!("{number} {protocol} {beginning}");
        if *protocol == "text" {
            let raw = sqlx::raw_sql(AssertSqlSafe(*sql));
            print_results(raw.fetch_many(&mut connection)).await;
        } else {
            let query = sqlx::query(AssertSqlSafe(*sql));
            let query = arguments
                .iter()
                .fold(query, |query, argument| bind(query, argument));
            #[expect(deprecated, reason = "the results of one statement, with their counts")]
            print_results(query.fetch_many(&mut connection)).await;
        }
    }
    attempt("transactions", transactions(&mut connection)).await;
    attempt("not kept", not_kept(&mut connection)).await;
    attempt("copy", copy(&mut connection)).await;
    attempt("listen", listen(&place, &mut connection)).await;
    attempt("left early", left_early(&mut connection)).await;
    let wrong = place.clone().password("coffee");
    attempt("wrong password", async { wrong.connect().await.map(drop) }).await;
    let nowhere = place.clone().database("no_such_database");
    attempt("no such database", async {
        nowhere.connect().await.map(drop)
    })
    .await;
    let encrypted = place.clone().ssl_mode(PgSslMode::Require);
    attempt("no TLS", async { encrypted.connect().await.map(drop) }).await;
    connection.close().await
}

type Bound<'q> = Query<'q, Postgres, PgArguments>;

fn bind<'q>(query: Bound<'q>, argument: &str) -> Bound<'q> {
    let (kind, value) = argument.split_at(1);
    let value = value.trim_start_matches(':').to_owned();
    match kind {
        "i" => query.bind(value.parse::<i64>().ok()),
        "f" => query.bind(value.parse::<f64>().ok()),
        "n" => query.bind(None::<String>),
        "r" => query.bind(value.parse().ok().map(|count| "x".repeat(count))),
        "b" => {
            let bytes = value.as_bytes().chunks(2);
            let bytes =
                bytes.filter_map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
            query.bind(bytes.collect::<Vec<u8>>())
        }
        _ => query.bind(value),
    }
}

type One = Result<Either<sqlx::postgres::PgQueryResult, PgRow>, Error>;

async fn print_results(mut results: impl futures_util::Stream<Item = One> + Unpin) {
    while let Some(result) = results.next().await {
        match result {
            Ok(Either::Left(done)) => println!("  done {}", done.rows_affected()),
            Ok(Either::Right(row)) => print_row(&row),
            Err(error) => print_error(&error),
        }
    }
}

fn print_row(row: &PgRow) {
    let values = row.columns().iter().map(|column| {
        let Ok(value) = row.try_get_raw(column.ordinal()) else {
            return "?".to_owned();
        };
        let format = match value.format() {
            PgValueFormat::Text => "",
            PgValueFormat::Binary => "b",
        };
        let shown = match value.as_bytes() {
            _ if value.is_null() => "NULL".to_owned(),
            Ok(bytes) if bytes.len() <= 80 => format!("{format}'{}'", bytes.escape_ascii()),
            Ok(bytes) => format!("{} bytes", bytes.len()),
            Err(error) => error.to_string(),
        };
        format!("{}={shown}", column.name())
    });
    println!("  row {}", values.collect::<Vec<_>>().join(" | "));
}

fn print_error(error: &Error) {
    match error.as_database_error() {
        Some(said) => println!(
            "  error {} {} {}",
            said.code().unwrap_or_default(),
            said.message(),
            said.constraint().unwrap_or_default(),
        ),
        None => println!("  error {error}"),
    }
}

async fn attempt(title: &str, action: impl Future<Output = Result<(), Error>>) {
    println!("{title}");
    if let Err(error) = action.await {
        print_error(&error);
    }
}

fn print(what: &str, result: Result<impl Display, Error>) {
    match result {
        Ok(value) => println!("  {what} {value}"),
        Err(error) => print_error(&error),
    }
}

async fn execute(
    connection: &mut PgConnection,
    sql: &'static str,
    value: i32,
) -> Result<u64, Error> {
    let done = sqlx::query(sql).bind(value).execute(connection).await;
    done.map(|done| done.rows_affected())
}

async fn transactions(connection: &mut PgConnection) -> Result<(), Error> {
    let insert = "INSERT INTO parent VALUES ($1)";
    let mut outer = connection.begin().await?;
    print("inserted", execute(&mut outer, insert, 200).await);
    let mut inner = outer.begin().await?;
    print("inserted", execute(&mut inner, insert, 200).await);
    inner.rollback().await?;
    let mut inner = outer.begin().await?;
    print("inserted", execute(&mut inner, insert, 201).await);
    inner.commit().await?;
    outer.commit().await?;
    // Rolled back when it is dropped: that is sent with what comes next.
    let mut dropped = connection.begin().await?;
    print("inserted", execute(&mut dropped, insert, 202).await);
    drop(dropped);
    let mut deferred = connection.begin().await?;
    print(
        "inserted",
        execute(&mut deferred, "INSERT INTO child VALUES ($1, 404)", 200).await,
    );
    deferred.commit().await
}

/// Statements that are prepared for one use each.
async fn not_kept(connection: &mut PgConnection) -> Result<(), Error> {
    for divisor in [5, 0, 2] {
        let query = sqlx::query_scalar::<_, i32>("SELECT 10 / $1").bind(divisor);
        print(
            "quotient",
            query.persistent(false).fetch_one(&mut *connection).await,
        );
    }
    connection.ping().await
}

async fn copy(connection: &mut PgConnection) -> Result<(), Error> {
    const IN: &str = "COPY sheet FROM STDIN";
    let mut copy = connection.copy_in_raw(IN).await?;
    for n in 0..500 {
        copy.send(format!("{n}\ta{n}\n").into_bytes()).await?;
    }
    copy.send(format!("600\t{}\n", "x".repeat(300_000)).into_bytes())
        .await?;
    print("copied", copy.finish().await);
    let mut abandoned = connection.copy_in_raw(IN).await?;
    abandoned.send(b"1000\tlost\n".as_slice()).await?;
    print("abandoned", abandoned.abort("no more").await.map(|()| ""));
    let mut twice = connection.copy_in_raw(IN).await?;
    twice.send(b"1\ta\n".as_slice()).await?;
    print("copied", twice.finish().await);
    let refused = connection
        .copy_in_raw("COPY no_such_table FROM STDIN")
        .await;
    print("refused", refused.map(|_| ""));
    for query in [
        "SELECT * FROM sheet ORDER BY id",
        "SELECT 1 / (n - 5) FROM generate_series(1, 9) n",
    ] {
        let copy = format!("COPY ({query}) TO STDOUT");
        let mut parts = connection.copy_out_raw(&copy).await?;
        let mut length = 0;
        while let Some(part) = parts.next().await {
            match part {
                Ok(part) => length += part.len(),
                Err(error) => print_error(&error),
            }
        }
        println!("  copied {length} bytes");
    }
    Ok(())
}

async fn listen(place: &PgConnectOptions, other: &mut PgConnection) -> Result<(), Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(place.clone())
        .await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen("kettle").await?;
    for payload in ["boils", "later"] {
        sqlx::query("SELECT pg_notify('kettle', $1)")
            .bind(payload)
            .execute(&mut *other)
            .await?;
        let notified = listener.recv().await?;
        println!("  notified {} {}", notified.channel(), notified.payload());
    }
    drop(listener);
    // It waits for the listener's connection.
    pool.close().await;
    Ok(())
}

/// A result whose rest is read before what comes next.
async fn left_early(connection: &mut PgConnection) -> Result<(), Error> {
    let mut rows = sqlx::query("SELECT n FROM generate_series(1, $1) AS n")
        .bind(1000)
        .fetch(&mut *connection);
    for _ in 0..3 {
        if let Some(row) = rows.next().await {
            print_row(&row?);
        }
    }
    drop(rows);
    let alive = sqlx::query_scalar::<_, String>("SELECT 'alive'");
    print("", alive.fetch_one(connection).await);
    Ok(())
}
