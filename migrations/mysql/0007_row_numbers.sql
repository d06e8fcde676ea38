-- A primary key for the two tables of the legacy interface that have none: managed servers and clusters want
-- one on every table. It numbers the rows and says nothing about orders: their numbers are still not unique.
-- Each statement commits by itself; see 0001.

-- A key that the server made by itself (sql_generate_invisible_primary_key) is to be seen below.
SET @seen = 1 /*!80030 , SESSION show_gipk_in_create_table_and_information_schema = ON */;

SET @add_row_no = (
    SELECT IF(COUNT(*) = 0,
              'ALTER TABLE order_head ADD COLUMN row_no BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY',
              'DO 0')
    FROM information_schema.table_constraints
    WHERE table_schema = DATABASE() AND table_name = 'order_head' AND constraint_type = 'PRIMARY KEY');
PREPARE add_row_no FROM @add_row_no;
EXECUTE add_row_no;
DEALLOCATE PREPARE add_row_no;

SET @add_row_no = (
    SELECT IF(COUNT(*) = 0,
              'ALTER TABLE orderline ADD COLUMN row_no BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY',
              'DO 0')
    FROM information_schema.table_constraints
    WHERE table_schema = DATABASE() AND table_name = 'orderline' AND constraint_type = 'PRIMARY KEY');
PREPARE add_row_no FROM @add_row_no;
EXECUTE add_row_no;
DEALLOCATE PREPARE add_row_no;
