-- What 0006 makes without a primary key, made with one, before it. Servers that want a key on every table
-- (sql_require_primary_key, innodb_force_primary_key) refuse 0006, unless it finds these two there. Where
-- 0006 was applied already, 0007 adds the key. The columns are 0006's, and then 0007's.

CREATE TABLE IF NOT EXISTS order_head (
    book          BIGINT NOT NULL,
    id            BIGINT NOT NULL,
    customer_no   BIGINT NOT NULL,
    delivery_date BIGINT NOT NULL,
    processed     BIGINT NOT NULL,
    line_count    BIGINT NOT NULL,
    token         BIGINT NOT NULL DEFAULT 0,
    row_no        BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    KEY order_head_number (book, id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS orderline (
    book       BIGINT NOT NULL,
    order_id   BIGINT NOT NULL,
    item_no    VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    quantity   BIGINT NOT NULL,
    written_by BIGINT NOT NULL,
    row_no     BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    KEY orderline_order (book, order_id)
) ENGINE = InnoDB;
