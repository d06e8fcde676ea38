-- The tables of the checkout. `node seed.js` runs this file. The wallets and the teams have their
-- tables in their scenario files.

DROP TABLE IF EXISTS
  audit_log, mails, payments, voucher_uses, stock_moves, order_events, order_addresses,
  order_lines, orders, customers, basket_lines, baskets, addresses, sessions, shipping_rates,
  countries, tax_rates, price_tiers, vouchers, products, shop, worker;

-- What the shop offers.

CREATE TABLE shop (id INT PRIMARY KEY, is_open BOOLEAN NOT NULL, points_per_euro INT NOT NULL);
INSERT INTO shop VALUES (1, TRUE, 2);

CREATE TABLE products (
  id INT PRIMARY KEY,
  name VARCHAR(50) NOT NULL,
  price INT NOT NULL,
  weight INT NOT NULL,
  tax_class VARCHAR(10) NOT NULL,
  stock INT NOT NULL
);
INSERT INTO products VALUES
  (1, 'Teapot', 2400, 900, 'normal', 10),
  (2, 'Green tea', 650, 100, 'reduced', 40),
  (3, 'Tea strainer', 380, 60, 'normal', 25);

CREATE TABLE price_tiers (
  product_id INT NOT NULL,
  from_quantity INT NOT NULL,
  price INT NOT NULL,
  PRIMARY KEY (product_id, from_quantity),
  FOREIGN KEY (product_id) REFERENCES products (id)
);
INSERT INTO price_tiers VALUES (2, 5, 600), (2, 10, 550);

CREATE TABLE vouchers (
  code VARCHAR(20) PRIMARY KEY,
  discount INT NOT NULL,
  used INT NOT NULL,
  max_uses INT NOT NULL
);
INSERT INTO vouchers VALUES ('SPRING', 500, 0, 100);

CREATE TABLE tax_rates (
  country CHAR(2) NOT NULL,
  tax_class VARCHAR(10) NOT NULL,
  percent INT NOT NULL,
  PRIMARY KEY (country, tax_class)
);
INSERT INTO tax_rates VALUES
  ('DE', 'normal', 19), ('DE', 'reduced', 7), ('FR', 'normal', 20), ('FR', 'reduced', 10);

CREATE TABLE countries (code CHAR(2) PRIMARY KEY, zone INT NOT NULL);
INSERT INTO countries VALUES ('DE', 1), ('FR', 2);

CREATE TABLE shipping_rates (
  zone INT NOT NULL,
  to_weight INT NOT NULL,
  price INT NOT NULL,
  PRIMARY KEY (zone, to_weight)
);
INSERT INTO shipping_rates VALUES (1, 2000, 490), (1, 10000, 890), (2, 2000, 990), (2, 10000, 1890);

-- What a visitor has chosen.

CREATE TABLE sessions (
  id CHAR(36) PRIMARY KEY,
  csrf CHAR(36) NOT NULL,
  basket_id INT NULL,
  last_order_id INT NULL,
  expires_at DATETIME NOT NULL
);

CREATE TABLE addresses (
  id INT AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(100) NOT NULL,
  street VARCHAR(100) NOT NULL,
  city VARCHAR(100) NOT NULL,
  country CHAR(2) NOT NULL
);

CREATE TABLE baskets (
  id INT AUTO_INCREMENT PRIMARY KEY,
  state VARCHAR(10) NOT NULL,
  address_id INT NULL,
  voucher_code VARCHAR(20) NULL,
  FOREIGN KEY (address_id) REFERENCES addresses (id),
  FOREIGN KEY (voucher_code) REFERENCES vouchers (code)
);

CREATE TABLE basket_lines (
  basket_id INT NOT NULL,
  product_id INT NOT NULL,
  quantity INT NOT NULL,
  PRIMARY KEY (basket_id, product_id),
  FOREIGN KEY (basket_id) REFERENCES baskets (id),
  FOREIGN KEY (product_id) REFERENCES products (id)
);

-- What was ordered.

CREATE TABLE customers (
  id INT AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(100) NOT NULL UNIQUE,
  orders INT NOT NULL,
  points INT NOT NULL
);

CREATE TABLE orders (
  id INT AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NOT NULL,
  state VARCHAR(10) NOT NULL,
  total INT NOT NULL,
  placed_at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  FOREIGN KEY (customer_id) REFERENCES customers (id)
);

CREATE TABLE order_lines (
  order_id INT NOT NULL,
  product_id INT NOT NULL,
  quantity INT NOT NULL,
  net INT NOT NULL,
  tax INT NOT NULL,
  PRIMARY KEY (order_id, product_id),
  FOREIGN KEY (order_id) REFERENCES orders (id),
  FOREIGN KEY (product_id) REFERENCES products (id)
);

CREATE TABLE order_addresses (
  order_id INT PRIMARY KEY,
  street VARCHAR(100) NOT NULL,
  city VARCHAR(100) NOT NULL,
  country CHAR(2) NOT NULL,
  FOREIGN KEY (order_id) REFERENCES orders (id)
);

CREATE TABLE order_events (
  id INT AUTO_INCREMENT PRIMARY KEY,
  order_id INT NOT NULL,
  what VARCHAR(20) NOT NULL,
  at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  FOREIGN KEY (order_id) REFERENCES orders (id)
);

CREATE TABLE stock_moves (
  id INT AUTO_INCREMENT PRIMARY KEY,
  product_id INT NOT NULL,
  order_id INT NOT NULL,
  quantity INT NOT NULL,
  FOREIGN KEY (product_id) REFERENCES products (id),
  FOREIGN KEY (order_id) REFERENCES orders (id)
);

CREATE TABLE voucher_uses (
  code VARCHAR(20) NOT NULL,
  order_id INT NOT NULL,
  email VARCHAR(100) NOT NULL,
  PRIMARY KEY (code, order_id),
  FOREIGN KEY (code) REFERENCES vouchers (code),
  FOREIGN KEY (order_id) REFERENCES orders (id)
);

CREATE TABLE payments (
  id INT AUTO_INCREMENT PRIMARY KEY,
  order_id INT NOT NULL,
  amount INT NOT NULL,
  state VARCHAR(10) NOT NULL,
  FOREIGN KEY (order_id) REFERENCES orders (id)
);

CREATE TABLE mails (
  id INT AUTO_INCREMENT PRIMARY KEY,
  email VARCHAR(100) NOT NULL,
  text VARCHAR(500) NOT NULL
);

CREATE TABLE audit_log (
  id INT AUTO_INCREMENT PRIMARY KEY,
  order_id INT NOT NULL,
  total INT NOT NULL,
  at DATETIME(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3)
);

-- The heartbeat writes here.

CREATE TABLE worker (id INT PRIMARY KEY, seen_at DATETIME(3) NOT NULL);
INSERT INTO worker VALUES (1, CURRENT_TIMESTAMP(3));
