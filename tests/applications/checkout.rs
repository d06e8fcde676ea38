//! A checkout of 60 statements, in a way that loses stock and in one that does not.
//! `examples/checkout.rs` serves it as well.

use std::fmt::Write as _;

use super::pool::{Connection, Pool};

/// How many products are bought.
const LINES: i64 = 9;

/// The tables of the shop. Client `n` has basket `n`.
pub fn setup() -> String {
    let mut sql = String::from(
        "DROP TABLE IF EXISTS shop, product, tier, tax, basket, basket_line, purchase,
           purchase_line, payment;
         CREATE TABLE shop (id INT PRIMARY KEY, is_open INT NOT NULL);
         INSERT INTO shop VALUES (1, 1);
         CREATE TABLE product (id INT PRIMARY KEY, stock INT NOT NULL, price INT NOT NULL);
         CREATE TABLE tier (product INT PRIMARY KEY, percent INT NOT NULL);
         CREATE TABLE tax (product INT PRIMARY KEY, percent INT NOT NULL);
         CREATE TABLE basket (id INT PRIMARY KEY, is_open INT NOT NULL);
         INSERT INTO basket VALUES (1, 1), (2, 1);
         CREATE TABLE basket_line (basket INT, product INT, quantity INT NOT NULL,
           PRIMARY KEY (basket, product));
         CREATE TABLE purchase (basket INT PRIMARY KEY, total INT NOT NULL);
         CREATE TABLE purchase_line (basket INT, product INT, quantity INT NOT NULL,
           PRIMARY KEY (basket, product));
         CREATE TABLE payment (basket INT PRIMARY KEY, amount INT NOT NULL);\n",
    );
    for product in 1..=LINES {
        let _ = writeln!(
            sql,
            "INSERT INTO product VALUES ({product}, 100, 5);
             INSERT INTO tier VALUES ({product}, 0);
             INSERT INTO tax VALUES ({product}, 19);
             INSERT INTO basket_line VALUES (1, {product}, 1), (2, {product}, 2);"
        );
    }
    sql
}

/// What each run must end with.
pub const INVARIANT: &str = "
[[invariant]]
name = 'what was sold has left the stock'
sql = '''
SELECT (SELECT SUM(stock) FROM product)
  = 900 - (SELECT COALESCE(SUM(quantity), 0) FROM purchase_line)
'''
";

/// One customer at the till.
struct Till {
    connection: Connection,
    client: u32,
}

impl Till {
    fn signed(&self, sql: &str) -> String {
        format!("/* client {} */ {sql}", self.client)
    }

    async fn say(&mut self, sql: &str) -> sqlx::Result<()> {
        let signed = self.signed(sql);
        self.connection.say(signed).await
    }

    async fn number(&mut self, sql: &str) -> sqlx::Result<i64> {
        let signed = self.signed(sql);
        self.connection.number(signed).await
    }

    /// Takes the products out of the stock. RACE: if `loses`, what is written was computed from
    /// what a plain SELECT has read.
    async fn check_out(&mut self, loses: bool) -> sqlx::Result<()> {
        let basket = self.client;
        self.number("SELECT is_open FROM shop WHERE id = 1").await?;
        self.say("BEGIN").await?;
        self.number(&format!(
            "SELECT is_open FROM basket WHERE id = {basket} FOR UPDATE"
        ))
        .await?;
        self.say(&format!("INSERT INTO purchase VALUES ({basket}, 0)"))
            .await?;
        let mut total = 0;
        for product in 1..=LINES {
            let of = format!("WHERE id = {product}");
            let quantity = format!(
                "SELECT quantity FROM basket_line WHERE basket = {basket} AND product = {product}"
            );
            let quantity = self.number(&quantity).await?;
            let stock = self
                .number(&format!("SELECT stock FROM product {of}"))
                .await?;
            let rate = format!("SELECT percent FROM tier WHERE product = {product}");
            total += quantity * (5 - self.number(&rate).await?);
            let rate = format!("SELECT percent FROM tax WHERE product = {product}");
            total += self.number(&rate).await?;
            let left = match loses {
                true => (stock - quantity).to_string(),
                false => format!("stock - {quantity}"),
            };
            self.say(&format!("UPDATE product SET stock = {left} {of}"))
                .await?;
            let line =
                format!("INSERT INTO purchase_line VALUES ({basket}, {product}, {quantity})");
            self.say(&line).await?;
        }
        self.say(&format!("INSERT INTO payment VALUES ({basket}, {total})"))
            .await?;
        self.say("COMMIT").await
    }
}

/// Checks the basket of this client out, on one connection.
pub async fn check_out(pool: &Pool, client: u32, loses: bool) -> sqlx::Result<()> {
    let connection = pool.acquire().await?;
    let mut till = Till { connection, client };
    let done = till.check_out(loses).await;
    if done.is_err() {
        till.say("ROLLBACK").await?;
    }
    done
}
