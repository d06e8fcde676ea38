-- The second, since 1970-01-01 UTC, of the last change, for a strategy that takes it for a version: far too
-- coarse, and that is its lesson. Strategies that do not compare it leave it alone; 0 is long ago.
--
-- MySQL has no ADD COLUMN IF NOT EXISTS, and every statement here must be one that can be repeated.
SET @add_column = (
    SELECT IF(COUNT(*) = 0,
              'ALTER TABLE accounts ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0',
              'DO 0')
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name = 'accounts' AND column_name = 'updated_at'
);
PREPARE add_column FROM @add_column;
EXECUTE add_column;
DEALLOCATE PREPARE add_column;
