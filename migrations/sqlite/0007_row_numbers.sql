-- A primary key for the two tables of the legacy interface that have none, as on the other engines. It numbers
-- the rows and says nothing about orders: their numbers are still not unique. SQLite cannot add a key to a
-- table, and so both are made anew.

CREATE TABLE numbered_order_head (
    book          INTEGER NOT NULL,
    id            INTEGER NOT NULL,
    customer_no   INTEGER NOT NULL,
    delivery_date INTEGER NOT NULL,
    processed     INTEGER NOT NULL,
    line_count    INTEGER NOT NULL,
    token         INTEGER NOT NULL DEFAULT 0,
    row_no        INTEGER PRIMARY KEY
) STRICT;
INSERT INTO numbered_order_head (book, id, customer_no, delivery_date, processed, line_count, token, row_no)
SELECT book, id, customer_no, delivery_date, processed, line_count, token, rowid FROM order_head;
DROP TABLE order_head;
ALTER TABLE numbered_order_head RENAME TO order_head;
CREATE INDEX order_head_number ON order_head (book, id);

CREATE TABLE numbered_orderline (
    book       INTEGER NOT NULL,
    order_id   INTEGER NOT NULL,
    item_no    TEXT NOT NULL,
    quantity   INTEGER NOT NULL,
    written_by INTEGER NOT NULL,
    row_no     INTEGER PRIMARY KEY
) STRICT;
INSERT INTO numbered_orderline (book, order_id, item_no, quantity, written_by, row_no)
SELECT book, order_id, item_no, quantity, written_by, rowid FROM orderline;
DROP TABLE orderline;
ALTER TABLE numbered_orderline RENAME TO orderline;
CREATE INDEX orderline_order ON orderline (book, order_id);
