-- Orders, which are numbered within a book.

-- The legacy interface, as an ERP without auto-increment reads it. No key is unique.
CREATE TABLE order_head (
    book          INTEGER NOT NULL,
    id            INTEGER NOT NULL,
    customer_no   INTEGER NOT NULL,
    -- 20261201 for the first of December.
    delivery_date INTEGER NOT NULL,
    -- 1 where the ERP has taken it, 0 where it is to.
    processed     INTEGER NOT NULL,
    -- How many lines it has: the control total of such interfaces.
    line_count    INTEGER NOT NULL,
    -- A spare field, which the ERP does not look at.
    token         INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX order_head_number ON order_head (book, id);

CREATE TABLE orderline (
    book       INTEGER NOT NULL,
    order_id   INTEGER NOT NULL,
    item_no    TEXT NOT NULL,
    quantity   INTEGER NOT NULL,
    -- The customer whose order was being written.
    written_by INTEGER NOT NULL
) STRICT;
CREATE INDEX orderline_order ON orderline (book, order_id);

-- The modern pair, numbered by the engine.
CREATE TABLE orders (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    book          INTEGER NOT NULL,
    customer_no   INTEGER NOT NULL,
    delivery_date INTEGER NOT NULL,
    processed     INTEGER NOT NULL DEFAULT 0,
    line_count    INTEGER NOT NULL
) STRICT;
CREATE INDEX orders_book ON orders (book);

CREATE TABLE order_items (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    book       INTEGER NOT NULL,
    order_id   INTEGER NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    item_no    TEXT NOT NULL,
    quantity   INTEGER NOT NULL,
    written_by INTEGER NOT NULL
) STRICT;
CREATE INDEX order_items_order ON order_items (order_id);
CREATE INDEX order_items_book ON order_items (book);

-- The same, where the client names its order itself: a UUID as text, 36 characters.
CREATE TABLE uuid_orders (
    id            TEXT NOT NULL PRIMARY KEY,
    book          INTEGER NOT NULL,
    customer_no   INTEGER NOT NULL,
    delivery_date INTEGER NOT NULL,
    processed     INTEGER NOT NULL DEFAULT 0,
    line_count    INTEGER NOT NULL
) STRICT;
CREATE INDEX uuid_orders_book ON uuid_orders (book);

CREATE TABLE uuid_order_items (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    book       INTEGER NOT NULL,
    order_id   TEXT NOT NULL REFERENCES uuid_orders (id) ON DELETE CASCADE,
    item_no    TEXT NOT NULL,
    quantity   INTEGER NOT NULL,
    written_by INTEGER NOT NULL
) STRICT;
CREATE INDEX uuid_order_items_order ON uuid_order_items (order_id);
CREATE INDEX uuid_order_items_book ON uuid_order_items (book);

-- The number that was given out last, a row for each book.
CREATE TABLE order_numbers (
    book        INTEGER NOT NULL PRIMARY KEY,
    last_number INTEGER NOT NULL
) STRICT;

-- Lamport's bakery: whoever wants to write an order into a book has a row here until it is done.
CREATE TABLE order_locks (
    book     INTEGER NOT NULL,
    token    INTEGER NOT NULL,
    -- 1 while it draws its ticket.
    choosing INTEGER NOT NULL,
    -- 0 as long as it has none.
    ticket   INTEGER NOT NULL,
    PRIMARY KEY (book, token)
) STRICT;

-- What the consumer has shipped: one row for each order it has taken.
CREATE TABLE shipments (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    book        INTEGER NOT NULL,
    -- The order's number or UUID, as text.
    order_id    TEXT NOT NULL,
    customer_no INTEGER NOT NULL,
    -- How many lines the consumer has found, and how many the head says there are.
    line_count  INTEGER NOT NULL,
    lines_due   INTEGER NOT NULL,
    -- What they add up to.
    quantity    INTEGER NOT NULL
) STRICT;
CREATE INDEX shipments_book ON shipments (book);
