-- Orders, which are numbered within a book. Each statement commits by itself; see 0001.

-- The legacy interface, as an ERP without auto-increment reads it. No key is unique.
CREATE TABLE IF NOT EXISTS order_head (
    book          BIGINT NOT NULL,
    id            BIGINT NOT NULL,
    customer_no   BIGINT NOT NULL,
    -- 20261201 for the first of December.
    delivery_date BIGINT NOT NULL,
    -- 1 where the ERP has taken it, 0 where it is to.
    processed     BIGINT NOT NULL,
    -- How many lines it has: the control total of such interfaces.
    line_count    BIGINT NOT NULL,
    -- A spare field, which the ERP does not look at.
    token         BIGINT NOT NULL DEFAULT 0,
    KEY order_head_number (book, id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS orderline (
    book       BIGINT NOT NULL,
    order_id   BIGINT NOT NULL,
    item_no    VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    quantity   BIGINT NOT NULL,
    -- The customer whose order was being written.
    written_by BIGINT NOT NULL,
    KEY orderline_order (book, order_id)
) ENGINE = InnoDB;

-- The modern pair, numbered by the engine.
CREATE TABLE IF NOT EXISTS orders (
    id            BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    book          BIGINT NOT NULL,
    customer_no   BIGINT NOT NULL,
    delivery_date BIGINT NOT NULL,
    processed     BIGINT NOT NULL DEFAULT 0,
    line_count    BIGINT NOT NULL,
    KEY orders_book (book)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS order_items (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    book       BIGINT NOT NULL,
    order_id   BIGINT NOT NULL,
    item_no    VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    quantity   BIGINT NOT NULL,
    written_by BIGINT NOT NULL,
    KEY order_items_book (book),
    CONSTRAINT order_items_order FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- The same, where the client names its order itself: a UUID as text, 36 characters.
CREATE TABLE IF NOT EXISTS uuid_orders (
    id            VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    book          BIGINT NOT NULL,
    customer_no   BIGINT NOT NULL,
    delivery_date BIGINT NOT NULL,
    processed     BIGINT NOT NULL DEFAULT 0,
    line_count    BIGINT NOT NULL,
    KEY uuid_orders_book (book)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS uuid_order_items (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    book       BIGINT NOT NULL,
    order_id   VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    item_no    VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    quantity   BIGINT NOT NULL,
    written_by BIGINT NOT NULL,
    KEY uuid_order_items_book (book),
    CONSTRAINT uuid_order_items_order FOREIGN KEY (order_id) REFERENCES uuid_orders (id) ON DELETE CASCADE
) ENGINE = InnoDB;

-- The number that was given out last, a row for each book.
CREATE TABLE IF NOT EXISTS order_numbers (
    book        BIGINT NOT NULL PRIMARY KEY,
    last_number BIGINT NOT NULL
) ENGINE = InnoDB;

-- Lamport's bakery: whoever wants to write an order into a book has a row here until it is done.
CREATE TABLE IF NOT EXISTS order_locks (
    book     BIGINT NOT NULL,
    token    BIGINT NOT NULL,
    -- 1 while it draws its ticket.
    choosing BIGINT NOT NULL,
    -- 0 as long as it has none.
    ticket   BIGINT NOT NULL,
    PRIMARY KEY (book, token)
) ENGINE = InnoDB;

-- What the consumer has shipped: one row for each order it has taken.
CREATE TABLE IF NOT EXISTS shipments (
    id          BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    book        BIGINT NOT NULL,
    -- The order's number or UUID, as text.
    order_id    VARCHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    customer_no BIGINT NOT NULL,
    -- How many lines the consumer has found, and how many the head says there are.
    line_count  BIGINT NOT NULL,
    lines_due   BIGINT NOT NULL,
    -- What they add up to.
    quantity    BIGINT NOT NULL,
    KEY shipments_book (book)
) ENGINE = InnoDB;
